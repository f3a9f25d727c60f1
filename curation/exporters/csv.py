"""CSV: one row a sample. Text is always quoted, and bytes are hex digits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv

from curation.catalog.catalog import Catalog
from curation.exporters import values
from curation.exporters.base import ColumnChoice, ExportRequest, LeftOut, Preview, table_columns


class CsvExporter:
    name = "csv"
    extension = ".csv"
    title = "CSV"
    description = "a table of the chosen columns, for spreadsheets and everything else"
    takes_columns: ColumnChoice = "any"
    takes_shard_size = False
    sorts_by_uid = False
    bytes_per_uid: int | None = None

    def default_columns(self, catalog: Catalog) -> list[str]:
        return table_columns(catalog)

    def write(self, request: ExportRequest, path: Path) -> Sequence[LeftOut]:
        batches = request.batches()
        schema = pa.schema([(f.name, _csv_type(f.type)) for f in batches.schema])
        with pa_csv.CSVWriter(path, schema) as writer:
            for batch in batches:
                texts = [
                    _csv_column(column, f.type) for column, f in zip(batch, schema, strict=True)
                ]
                writer.write_batch(pa.record_batch(texts, schema=schema))
                request.advance(len(batch))
        return []

    def preview(self, path: Path) -> Preview:
        return Preview(lines=tuple(path.read_text(encoding="utf-8").removesuffix("\n").split("\n")))


def _csv_type(type_: pa.DataType) -> pa.DataType:
    """The type that a column is written as: text for bytes."""
    return pa.string() if pa.types.is_binary(type_) else type_


def _csv_column(column: pa.Array, type_: pa.DataType) -> pa.Array:
    return column if column.type == type_ else values.to_hex(column)
