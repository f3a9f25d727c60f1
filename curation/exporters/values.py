"""Converts columns to what text formats can hold."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def to_hex(column: pa.Array) -> pa.Array:
    """Bytes as hex digits."""
    return pa.array([None if v is None else v.hex() for v in column.to_pylist()], pa.string())


def text(column: pa.Array) -> pa.Array:
    """A column as text, as CSV holds it."""
    return to_hex(column) if pa.types.is_binary(column.type) else column.cast(pa.string())


def json(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The columns as types that JSON has: text, numbers, booleans, null, lists and objects.

    Bytes become hex digits and times become text, as in CSV. NaN and infinities become null:
    JSON has no number for them, and most readers reject a column of numbers and text.
    """
    return pa.record_batch([_json_column(column) for column in batch], names=batch.schema.names)


def _json_column(column: pa.Array) -> pa.Array:
    if pa.types.is_binary(column.type) or pa.types.is_temporal(column.type):
        return text(column)
    if pa.types.is_float32(column.type):
        # Through text, so that float32 0.4 is written as 0.4 and not as 0.4000000059604645.
        column = column.cast(pa.string())
    elif not (pa.types.is_floating(column.type) or pa.types.is_decimal(column.type)):
        return column
    numbers = column.cast(pa.float64())
    return pc.if_else(pc.is_finite(numbers), numbers, pa.scalar(None, pa.float64()))
