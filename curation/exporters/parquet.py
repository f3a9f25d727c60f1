"""Parquet: one row a sample."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from curation.catalog.catalog import Catalog
from curation.exporters.base import ColumnChoice, ExportRequest, LeftOut, Preview, table_columns

# Columns whose values hardly repeat: a dictionary of them only costs time and space.
_DISTINCT = ("uid", "caption", "image_file", "url")


class ParquetExporter:
    name = "parquet"
    extension = ".parquet"
    title = "Parquet"
    description = "a table of the chosen columns, for pandas, Polars, DuckDB, Spark"
    takes_columns: ColumnChoice = "any"
    takes_shard_size = False
    sorts_by_uid = False
    bytes_per_uid: int | None = None

    def default_columns(self, catalog: Catalog) -> list[str]:
        return table_columns(catalog)

    def write(self, request: ExportRequest, path: Path) -> Sequence[LeftOut]:
        batches = request.batches()
        repeating = [name for name in batches.schema.names if name not in _DISTINCT]
        schema = batches.schema
        with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=repeating) as writer:
            for batch in batches:
                writer.write_batch(batch)
                request.advance(len(batch))
        return []

    def preview(self, path: Path) -> Preview:
        return Preview(rows=tuple(pq.read_table(path).to_pylist()))
