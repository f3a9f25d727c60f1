"""The output formats, one file each, by name and in the order of the app and the help."""

from __future__ import annotations

from curation.exporters.base import Exporter
from curation.exporters.csv import CsvExporter
from curation.exporters.datacomp import DatacompExporter
from curation.exporters.huggingface import HuggingfaceExporter
from curation.exporters.imagefolder import ImagefolderExporter
from curation.exporters.jsonl import JsonlExporter
from curation.exporters.parquet import ParquetExporter
from curation.exporters.txt import TxtExporter
from curation.exporters.webdataset import WebdatasetExporter

EXPORTERS: dict[str, Exporter] = {
    exporter.name: exporter
    for exporter in (
        DatacompExporter(),
        ParquetExporter(),
        CsvExporter(),
        JsonlExporter(),
        TxtExporter(),
        WebdatasetExporter(),
        ImagefolderExporter(),
        HuggingfaceExporter(),
    )
}
