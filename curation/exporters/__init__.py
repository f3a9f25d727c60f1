"""Output formats: one file each, registered here."""

from __future__ import annotations

from curation.exporters.base import Exporter
from curation.exporters.csv import CsvExporter
from curation.exporters.datacomp import DatacompExporter
from curation.exporters.parquet import ParquetExporter

EXPORTERS: dict[str, Exporter] = {
    exporter.name: exporter for exporter in (DatacompExporter(), ParquetExporter(), CsvExporter())
}
