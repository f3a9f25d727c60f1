"""Values as formats that are text have them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def hexed(column: pa.Array) -> pa.Array:
    """Bytes as hex digits: they have no form of their own in a text."""
    return pa.array([None if v is None else v.hex() for v in column.to_pylist()], pa.string())


def text(column: pa.Array) -> pa.Array:
    """A column as text, the way CSV has it."""
    return hexed(column) if pa.types.is_binary(column.type) else column.cast(pa.string())


def json(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The columns with only what JSON has: text, numbers, true and false, null.

    Bytes are hex digits and times are text, as in CSV. NaN and the infinities are null: JSON has
    none, and text among numbers makes a column unreadable for most readers.
    """
    return pa.record_batch([_json(column) for column in batch], names=batch.schema.names)


def _json(column: pa.Array) -> pa.Array:
    if pa.types.is_binary(column.type) or pa.types.is_temporal(column.type):
        return text(column)
    if pa.types.is_float32(column.type):
        # 0.4, which is the same 32 bits, rather than 0.4000000059604645.
        column = column.cast(pa.string())
    elif not (pa.types.is_floating(column.type) or pa.types.is_decimal(column.type)):
        return column
    numbers = column.cast(pa.float64())
    return pc.if_else(pc.is_finite(numbers), numbers, pa.scalar(None, pa.float64()))
