"""CSV: the selected samples with their columns, streamed; every text quoted, bytes as hex."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv

from curation.catalog.catalog import Catalog
from curation.exporters import values
from curation.exporters.base import ColumnChoice, LeftOut, Look, Order, table_columns


class CsvExporter:
    name = "csv"
    extension = ".csv"
    title = "CSV"
    description = "a table of the chosen columns, for spreadsheets and everything else"
    takes_columns: ColumnChoice = "any"
    takes_shard_size = False
    sorts = False
    uid_bytes: int | None = None

    def default_columns(self, catalog: Catalog) -> list[str]:
        return table_columns(catalog)

    def write(self, order: Order, path: Path) -> Sequence[LeftOut]:
        batches = order.batches()
        schema = pa.schema([(f.name, _written(f.type)) for f in batches.schema])
        with pa_csv.CSVWriter(path, schema) as writer:
            for batch in batches:
                texts = [_plain(column, f.type) for column, f in zip(batch, schema, strict=True)]
                writer.write_batch(pa.record_batch(texts, schema=schema))
                order.advance(len(batch))
        return []

    def look(self, path: Path) -> Look:
        return Look(lines=tuple(path.read_text(encoding="utf-8").removesuffix("\n").split("\n")))


def _written(type_: pa.DataType) -> pa.DataType:
    """The type a column is written as: bytes have no form of their own in CSV."""
    return pa.string() if pa.types.is_binary(type_) else type_


def _plain(column: pa.Array, type_: pa.DataType) -> pa.Array:
    return column if column.type == type_ else values.hexed(column)
