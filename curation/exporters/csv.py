"""CSV: the selected samples with their columns, streamed, every text quoted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow.csv as pa_csv

from curation.catalog import Catalog
from curation.selection import Selection


class CsvExporter:
    name = "csv"
    extension = ".csv"
    title = "CSV"
    description = "a table of the chosen columns, for spreadsheets and everything else"
    takes_columns = True

    def write(
        self, catalog: Catalog, selection: Selection, columns: Sequence[str], path: Path
    ) -> None:
        batches = catalog.batches(columns, selection.mask)
        with pa_csv.CSVWriter(path, batches.schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
