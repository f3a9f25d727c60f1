"""The rows of a CSV, TSV, JSONL or Parquet file as an Arrow table with plain columns."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from curation.errors import CurationError
from curation.readers.base import Skipped
from curation.readers.shared import arrow_text, parquet_rows
from curation.readers.shared.json_object import parse_object
from curation.readers.shared.table_files import (
    EXTENSIONS,
    ORIGIN,
    column_names,
    is_parquet,
    open_table,
)
from curation.storage.locations import Location

# Text that would change as a number: codes such as 007, and more digits than a float holds.
_CODE = r"^([-+]?0\d|0[xX])"
_LONG = r"^[-+]?\d{16,}$|[eE]\+?\d{3}"


def load(path: Location) -> tuple[pa.Table, list[Skipped]]:
    """Every readable row, with the column ORIGIN ("a.csv line 17"), and the rows skipped.

    Raises:
        CurationError: the file cannot be read, or is empty.
    """
    table, skipped = load_part(path)
    if is_empty(table):
        raise empty_error(path, skipped)
    return table, skipped


def load_part(path: Location) -> tuple[pa.Table, list[Skipped]]:
    """As ``load``, except that the file may be empty."""
    if is_parquet(path):
        return parquet_rows.load_groups(path), []
    loaders: dict[str, Callable[[Location, BinaryIO], tuple[pa.Table, list[Skipped]]]] = {
        ".csv": _load_csv,
        ".tsv": _load_csv,
        ".jsonl": _load_jsonl,
        ".ndjson": _load_jsonl,
    }
    if path.suffix.lower() not in loaders:
        raise CurationError(f"{path} is not a table; expected {', '.join(sorted(EXTENSIONS))}")
    with open_table(path) as file:
        return loaders[path.suffix.lower()](path, file)


def is_empty(table: pa.Table) -> bool:
    """Whether a file has neither rows nor column names."""
    return not len(table) and table.column_names == [ORIGIN]


def empty_error(path: Location, skipped: Sequence[Skipped]) -> CurationError:
    """The error that says why a file counts as empty."""
    if path.suffix.lower() in (".csv", ".tsv"):
        return CurationError(f"{path} is empty: its first line must name the columns")
    first = f"; the first problem is in {skipped[0].where}: {skipped[0].reason}" if skipped else ""
    return CurationError(f"{path} has no usable row{first}")


def narrow(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A text column as integers, floats or booleans if every entry is one.

    Empty text becomes NULL. A column stays text if converting it would lose something, as with
    leading zeros.
    """
    if not pa.types.is_string(column.type):
        return column
    filled = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    if filled.null_count == len(filled) or _has(filled, _CODE):
        return column
    # Arrow reads "1" as true, which is wrong in a column that has other numbers or words.
    for target, lossy in ((pa.int64(), None), (pa.float64(), _LONG), (pa.bool_(), r"^\d")):
        if lossy is None or not _has(filled, lossy):
            with suppress(pa.ArrowInvalid):
                return filled.cast(target)
    return column


def _has(column: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(column, pattern)).as_py())


def _load_csv(path: Location, file: BinaryIO) -> tuple[pa.Table, list[Skipped]]:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    skipped: list[Skipped] = []
    values: list[list[str]] = []
    origins: list[str] = []
    # surrogateescape keeps invalid bytes, so that one bad caption costs only its own row.
    text = io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")
    # Without strict, an unclosed quote would swallow all rows up to the next quote.
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    header = next(reader, None)
    if not header:
        return pa.table({ORIGIN: pa.array([], pa.string())}), []
    while True:
        first = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            where = f"{path.name} {_line_range(first, reader.line_num)}"
            skipped.append(Skipped(where, f"quote is not closed: {error}"))
            continue
        where = f"{path.name} line {reader.line_num}"
        if row is None:
            break
        if not row:
            continue
        if len(row) != len(header):
            reason = f"wrong number of fields: {len(row)}, but the header has {len(header)}"
            skipped.append(Skipped(where, reason))
        elif any(_has_invalid_bytes(cell) for cell in row):
            skipped.append(Skipped(where, arrow_text.NOT_UTF8))
        else:
            values.append(row)
            origins.append(where)
    columns = list(zip(*values, strict=True)) if values else [()] * len(header)
    arrays = [pa.array(column, type=pa.string()) for column in columns]
    arrays.append(pa.array(origins, pa.string()))
    return pa.table(arrays, names=[*column_names(header), ORIGIN]), skipped


def _load_jsonl(path: Location, file: BinaryIO) -> tuple[pa.Table, list[Skipped]]:
    skipped: list[Skipped] = []
    records: list[dict[str, object]] = []
    for number, line in enumerate(file, 1):
        where = f"{path.name} line {number}"
        if not line.strip():
            continue
        try:
            records.append(parse_object(line) | {ORIGIN: where})
        except CurationError as problem:
            skipped.append(Skipped(where, str(problem)))
    keys = list(dict.fromkeys(name for record in records for name in record if name != ORIGIN))
    columns = [arrow_text.plain_array([r.get(key) for r in records]) for key in keys]
    columns.append(pa.array([r[ORIGIN] for r in records], pa.string()))
    return pa.table(columns, names=[*column_names(keys), ORIGIN]), skipped


def _line_range(first: int, last: int) -> str:
    return f"line {first}" if first == last else f"lines {first} to {last}"


def _has_invalid_bytes(text: str) -> bool:
    return not text.isascii() and any("\udc80" <= character <= "\udcff" for character in text)
