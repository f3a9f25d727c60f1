"""Parquet: the selected samples with their columns, streamed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from curation.catalog.catalog import Catalog
from curation.exporters.base import ColumnChoice, LeftOut, Look, Order, table_columns

_DISTINCT = ("uid", "caption", "image_file", "url")


class ParquetExporter:
    name = "parquet"
    extension = ".parquet"
    title = "Parquet"
    description = "a table of the chosen columns, for pandas, Polars, DuckDB, Spark"
    takes_columns: ColumnChoice = "any"
    takes_shard_size = False
    sorts = False
    uid_bytes: int | None = None

    def default_columns(self, catalog: Catalog) -> list[str]:
        return table_columns(catalog)

    def write(self, order: Order, path: Path) -> Sequence[LeftOut]:
        batches = order.batches()
        # Of texts that hardly repeat, a dictionary only costs time and space.
        coded = [name for name in batches.schema.names if name not in _DISTINCT]
        schema = batches.schema
        with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=coded) as writer:
            for batch in batches:
                writer.write_batch(batch)
                order.advance(len(batch))
        return []

    def look(self, path: Path) -> Look:
        return Look(rows=tuple(pq.read_table(path).to_pylist()))
