"""Columns of tables as everyone downstream can hold them: text in UTF-8, times that Python knows.

Arrow and Parquet files say of text that it is UTF-8, and nobody checks it when they are written.
"""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa

from curation.readers.base import plain_array

# Column that tells the rows whose text cannot be used.
BROKEN = "__broken__"
NOT_UTF8 = "holds text that is not UTF-8"


def table(found: pa.Table, needed: Collection[str] = ()) -> pa.Table:
    """A table of plain columns.

    Args:
        needed: columns without whose text a row is of no use; where there are such, BROKEN is
            added.
    """
    lost: set[int] = set()
    for position, name in enumerate(found.column_names):
        column = found.column(position)
        if name in needed:
            lost |= _broken(column)
        found = found.set_column(position, name, _plain(column))
    if not needed:
        return found
    return found.append_column(BROKEN, pa.array([row in lost for row in range(len(found))]))


def text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as text, bytes too; what of it is not UTF-8 becomes U+FFFD."""
    if is_binary(column.type):
        column = pa.chunked_array([_replaced(column)], pa.string())
    return _plain(column).cast(pa.string())


def validate(found: pa.Table) -> None:
    """Check everything but that text is UTF-8, so that the rest can be looked at.

    Raises:
        pa.ArrowException: the table is damaged.
    """
    found.validate()
    for column in found.columns:
        if not _is_valid(column):
            column.cast(_simple(column.type)).validate(full=True)


def is_text(type_: pa.DataType) -> bool:
    """Whether a column is of text, be it as numbers that stand for a few texts."""
    if pa.types.is_dictionary(type_):
        return is_text(type_.value_type)
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(is_kind(type_) for is_kind in kinds)


def is_binary(type_: pa.DataType) -> bool:
    kinds = (
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_binary_view,
        pa.types.is_fixed_size_binary,
    )
    return any(is_kind(type_) for is_kind in kinds)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column that Python and DuckDB can read; nested ones as JSON text."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_nested(column.type):
        return pa.chunked_array([plain_array(_values(column))])
    if is_text(column.type) and not _is_valid(column):
        return pa.chunked_array([_replaced(column)], pa.string())
    if pa.types.is_temporal(column.type):
        try:
            column.to_pylist()
        except (ValueError, OverflowError):
            return column.cast(pa.string())
    return column


def _broken(column: pa.ChunkedArray) -> set[int]:
    """Which entries hold text that is not UTF-8."""
    if _is_valid(column):
        return set()
    return {row for row, entry in enumerate(column) if _is_broken(entry)}


def _is_broken(entry: pa.Scalar) -> bool:
    try:
        entry.as_py()
    except UnicodeDecodeError:
        return True
    except (ValueError, OverflowError):
        pass
    return False


def _is_valid(column: pa.ChunkedArray) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _replaced(column: pa.ChunkedArray) -> pa.Array:
    return pa.array([_decoded(v) for v in column.cast(pa.large_binary()).to_pylist()], pa.string())


def _values(column: pa.ChunkedArray) -> list[object]:
    """The values of a nested column."""
    try:
        return list(column.to_pylist())
    except (ValueError, OverflowError):
        simple = column.cast(_simple(column.type, times=pa.string()))
        return [_decoded(v) for v in simple.to_pylist()]


def _simple(type_: pa.DataType, times: pa.DataType | None = None) -> pa.DataType:
    """A type with bytes for text, and another for times, at any depth."""
    if pa.types.is_map(type_):
        return pa.map_(_simple(type_.key_type, times), _simple(type_.item_type, times))
    if pa.types.is_struct(type_):
        return pa.struct([field.with_type(_simple(field.type, times)) for field in type_])
    if pa.types.is_fixed_size_list(type_):
        return pa.list_(_simple(type_.value_type, times), type_.list_size)
    if pa.types.is_list(type_):
        return pa.list_(_simple(type_.value_type, times))
    if pa.types.is_large_list(type_):
        return pa.large_list(_simple(type_.value_type, times))
    if pa.types.is_string(type_):
        return pa.binary()
    if pa.types.is_large_string(type_):
        return pa.large_binary()
    return times if times is not None and pa.types.is_temporal(type_) else type_


def _decoded(value: object) -> object:
    """A value with its bytes as text, at any depth."""
    match value:
        case bytes():
            return value.decode("utf-8", "replace")
        case list() | tuple():
            return [_decoded(one) for one in value]
        case dict():
            return {key: _decoded(one) for key, one in value.items()}
    return value
