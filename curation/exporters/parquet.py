"""Parquet: the selected samples with their columns, streamed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from curation.catalog import Catalog
from curation.selection import Selection


class ParquetExporter:
    name = "parquet"
    extension = ".parquet"
    title = "Parquet"
    description = "a table of the chosen columns, for pandas, Polars, DuckDB, Spark"
    takes_columns = True

    def write(
        self, catalog: Catalog, selection: Selection, columns: Sequence[str], path: Path
    ) -> None:
        batches = catalog.batches(columns, selection.mask)
        with pq.ParquetWriter(path, batches.schema, compression="zstd") as writer:
            for batch in batches:
                writer.write_batch(batch)
