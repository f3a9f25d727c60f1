"""Arrow columns that Python and DuckDB can hold: text that is UTF-8, times that Python knows.

Arrow and Parquet files declare text to be UTF-8, but writers do not check it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

import pyarrow as pa

# A boolean column: whether a needed text in the row is not UTF-8.
BROKEN = "__broken__"
NOT_UTF8 = "text is not UTF-8"


def plain_table(table: pa.Table, needed: Collection[str] = ()) -> pa.Table:
    """A table without nested columns (they become JSON text) and with valid text.

    Bytes that are not UTF-8 become U+FFFD. Times that Python cannot hold become text.

    Args:
        needed: text columns that a row cannot do without. If there are any, the boolean column
            BROKEN is added: whether such a text was not UTF-8.
    """
    broken: set[int] = set()
    for position, name in enumerate(table.column_names):
        column = table.column(position)
        if name in needed:
            broken |= _broken_rows(column)
        table = table.set_column(position, name, _plain(column))
    if not needed:
        return table
    return table.append_column(BROKEN, pa.array([row in broken for row in range(len(table))]))


def plain_array(values: Sequence[object]) -> pa.Array:
    """Values as one Arrow array: lists and dicts as JSON text, values of mixed types as text."""
    flat = [
        json.dumps(v, ensure_ascii=False, default=str) if isinstance(v, list | dict) else v
        for v in values
    ]
    try:
        return pa.array(flat)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if v is None else str(v) for v in flat], type=pa.string())


def text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of text or bytes as text; what is not UTF-8 becomes U+FFFD."""
    if is_binary(column.type):
        column = pa.chunked_array([_replace_invalid(column)], pa.string())
    return _plain(column).cast(pa.string())


def validate(table: pa.Table) -> None:
    """Check everything except that text is UTF-8, so that the table can be read safely.

    Raises:
        pa.ArrowException: the table is damaged.
    """
    table.validate()
    for column in table.columns:
        if not _is_valid(column):
            column.cast(_storage_type(column.type)).validate(full=True)


def is_text(type_: pa.DataType) -> bool:
    """Whether a column holds text, dictionary-encoded text included."""
    if pa.types.is_dictionary(type_):
        return is_text(type_.value_type)
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(is_kind(type_) for is_kind in kinds)


def is_binary(type_: pa.DataType) -> bool:
    """Whether a column holds bytes."""
    kinds = (
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_binary_view,
        pa.types.is_fixed_size_binary,
    )
    return any(is_kind(type_) for is_kind in kinds)


def is_utf8(value: object) -> bool:
    """Whether every string in a JSON value can be encoded; JSON allows lone surrogates."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_nested(column.type):
        return pa.chunked_array([plain_array(_nested_values(column))])
    if is_text(column.type) and not _is_valid(column):
        return pa.chunked_array([_replace_invalid(column)], pa.string())
    if pa.types.is_temporal(column.type):
        try:
            column.to_pylist()
        except (ValueError, OverflowError):
            return column.cast(pa.string())
    return column


def _broken_rows(column: pa.ChunkedArray) -> set[int]:
    """The rows whose text is not UTF-8."""
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


def _replace_invalid(column: pa.ChunkedArray) -> pa.Array:
    values = column.cast(pa.large_binary()).to_pylist()
    return pa.array([_decode(value) for value in values], pa.string())


def _nested_values(column: pa.ChunkedArray) -> list[object]:
    try:
        return list(column.to_pylist())
    except (ValueError, OverflowError):
        stored = column.cast(_storage_type(column.type, times=pa.string()))
        return [_decode(value) for value in stored.to_pylist()]


def _storage_type(type_: pa.DataType, times: pa.DataType | None = None) -> pa.DataType:
    """The type with bytes in place of text, and ``times`` in place of times, at any depth."""
    if pa.types.is_map(type_):
        return pa.map_(_storage_type(type_.key_type, times), _storage_type(type_.item_type, times))
    if pa.types.is_struct(type_):
        return pa.struct([field.with_type(_storage_type(field.type, times)) for field in type_])
    if pa.types.is_fixed_size_list(type_):
        return pa.list_(_storage_type(type_.value_type, times), type_.list_size)
    if pa.types.is_list(type_):
        return pa.list_(_storage_type(type_.value_type, times))
    if pa.types.is_large_list(type_):
        return pa.large_list(_storage_type(type_.value_type, times))
    if pa.types.is_string(type_):
        return pa.binary()
    if pa.types.is_large_string(type_):
        return pa.large_binary()
    return times if times is not None and pa.types.is_temporal(type_) else type_


def _decode(value: object) -> object:
    """A value with its bytes decoded as text, at any depth."""
    match value:
        case bytes():
            return value.decode("utf-8", "replace")
        case list() | tuple():
            return [_decode(item) for item in value]
        case dict():
            return {key: _decode(item) for key, item in value.items()}
    return value
