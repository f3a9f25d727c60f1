"""One schema for all shards: the names and types of the catalog's columns.

Shards come from files that may disagree: a column may hold whole numbers in one and text in
another, or have the name of a score.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.readers.base import SAMPLE_COLUMNS
from curation.readers.shared import arrow_text
from curation.readers.shared.column_names import source_names
from curation.storage.workspace import Workspace

# Names that DuckDB and Catalog.rows use for the number of a row.
ROW_NAMES = ("rowid", "row_id")


def names(workspace: Workspace, scores: Iterable[str]) -> dict[str, str]:
    """The name in the catalog of every sample column of any shard.

    The source's columns are renamed where a score, DuckDB or ``Catalog.rows`` uses the name, and
    where two names differ in case only.
    """
    found = dict.fromkeys(
        name
        for shard in range(workspace.shard_count())
        for name in pq.read_schema(workspace.samples.file(shard, "parquet")).names
    )
    taken = {*scores, *ROW_NAMES, *SAMPLE_COLUMNS}
    own = [name for name in found if name not in SAMPLE_COLUMNS]
    given = source_names(own, taken)
    return {name: name for name in SAMPLE_COLUMNS} | dict(zip(own, given, strict=True))


def schema(workspace: Workspace, scores: Mapping[str, str], names: Mapping[str, str]) -> pa.Schema:
    """Every sample column of any shard, then the scores (each name with its type)."""
    types: dict[str, pa.DataType] = {}
    for shard in range(workspace.shard_count()):
        for field in pq.read_schema(workspace.samples.file(shard, "parquet")):
            name = names[field.name]
            types[name] = _common(types.get(name, field.type), field.type)
    fields = [(name, _storable(type_)) for name, type_ in types.items()]
    made = [(score, pa.type_for_alias(type_)) for score, type_ in scores.items()]
    return pa.schema([*fields, *made])


def _storable(type_: pa.DataType) -> pa.DataType:
    """The type in the catalog: DuckDB has no null type and no 16-bit floats.

    Durations become text, because no file format takes DuckDB's intervals.
    """
    if pa.types.is_null(type_) or pa.types.is_duration(type_):
        return pa.string()
    return pa.float32() if pa.types.is_float16(type_) else type_


def _common(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    numbers = pa.types.is_floating, pa.types.is_integer
    if all(any(is_one(t) for is_one in numbers) for t in (one, other)):
        return pa.float64()
    return pa.string()


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A shard's table with the catalog's columns and types; columns that it lacks are null."""
    columns = [
        _known(_cast(table.column(f.name), f.type))
        if f.name in table.column_names
        else pa.nulls(len(table), f.type)
        for f in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _cast(column: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
    try:
        if not pa.types.is_duration(column.type):
            # An unsafe cast would turn bytes that are not text into invalid UTF-8.
            return column.cast(type_, safe=arrow_text.is_binary(column.type))
    except pa.ArrowException:
        pass  # bytes that are not text
    texts = [None if v is None else str(v) for v in column.to_pylist()]
    return pa.chunked_array([texts], pa.string()).cast(type_)


def _known(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """NaN as NULL, because DuckDB sorts NaN above every number."""
    if not pa.types.is_floating(column.type):
        return column
    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
