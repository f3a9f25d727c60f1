"""The rows of a CSV, TSV, JSONL or Parquet file as an Arrow table with plain columns."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import accumulate
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.errors import CurationError
from curation.readers.base import Skipped, distinct, is_text, plain_array
from curation.readers.shared import arrow_text
from curation.storage import locations
from curation.storage.locations import Location

EXTENSIONS = frozenset({".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"})

# Column that remembers where in the file a row stood (its line, or its row in Parquet).
ORIGIN = "__origin__"

# What would lose digits as a number: a code, as in 007, and what is too long or large for a float.
_CODE = r"^([-+]?0\d|0[xX])"
_LONG = r"^[-+]?\d{16,}$|[eE]\+?\d{3}"


def load(path: Location) -> tuple[pa.Table, list[Skipped]]:
    """Every readable row, with ORIGIN ("line 17"), and the rows that are not readable.

    Raises:
        CurationError: the file as a whole cannot be read, or is empty.
    """
    table, skipped = load_part(path)
    if is_empty(table):
        raise emptiness(path, skipped)
    return table, skipped


def load_part(path: Location) -> tuple[pa.Table, list[Skipped]]:
    """As ``load``, of a file that may be empty."""
    if is_parquet(path):
        return load_groups(path), []
    loaders: dict[str, Callable[[Location, BinaryIO], tuple[pa.Table, list[Skipped]]]] = {
        ".csv": _load_csv,
        ".tsv": _load_csv,
        ".jsonl": _load_jsonl,
        ".ndjson": _load_jsonl,
    }
    if path.suffix.lower() not in loaders:
        raise CurationError(f"{path} is not a table; expected {', '.join(sorted(EXTENSIONS))}")
    with reading(path) as file:
        return loaders[path.suffix.lower()](path, file)


def is_empty(table: pa.Table) -> bool:
    """Whether a file has neither a row nor the name of a column."""
    return not len(table) and table.column_names == [ORIGIN]


def emptiness(path: Location, skipped: Sequence[Skipped]) -> CurationError:
    """What is wrong with a file that is empty."""
    if path.suffix.lower() in (".csv", ".tsv"):
        return CurationError(f"{path} is empty: its first line must name the columns")
    first = f"; the first: {skipped[0].where} {skipped[0].reason}" if skipped else ""
    return CurationError(f"{path} has no usable row{first}")


def is_parquet(path: Location) -> bool:
    return path.suffix.lower() == ".parquet"


def schema(path: Location) -> pa.Schema:
    """The columns of a Parquet file, by their names in ``load_groups``."""
    with reading(path) as file:
        found = pq.read_schema(file)
    fields = [f.with_name(n) for f, n in zip(found, names(found.names), strict=True)]
    return pa.schema(fields, found.metadata)


def group_starts(path: Location) -> list[int]:
    """The first row of each row group of a Parquet file, and, last, how many rows it has."""
    with reading(path) as file:
        metadata = pq.read_metadata(file)
    sizes = (metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))
    return list(accumulate(sizes, initial=0))


def load_groups(
    path: Location,
    start: int = 0,
    stop: int | None = None,
    without: Sequence[str] = (),
    needed: Collection[str] = (),
) -> pa.Table:
    """Some row groups of a Parquet file, with ORIGIN ("row 17" of the file, counted from 0).

    Args:
        start, stop: the first row of a row group, and the first that is read no more.
        without: columns that are not read.
        needed: as ``plain.table`` has it.

    Raises:
        CurationError: they cannot be read.
    """
    starts = group_starts(path)
    groups = [n for n, at in enumerate(starts[:-1]) if start <= at < (stop or starts[-1])]
    with reading(path) as file:
        parquet = pq.ParquetFile(file)
        own = parquet.schema_arrow.names
        called = list(zip(names(own), own, strict=True))
        wanted = {name: old for name, old in called if name not in without}
        table = parquet.read_row_groups(groups, columns=list(wanted.values()))
    # Asked for one column, Parquet gives all of its name.
    there = set(table.column_names)
    table = table.rename_columns([name for name, old in called if old in there])
    table = arrow_text.table(table.select(list(wanted)), needed)
    origins = [f"{path.name} row {row}" for row in range(start, start + len(table))]
    return table.append_column(ORIGIN, pa.array(origins, pa.string()))


def names(columns: Sequence[str]) -> list[str]:
    """What the columns of a file are called here."""
    return distinct(columns, [ORIGIN, arrow_text.BROKEN])


@contextmanager
def reading(path: Location) -> Iterator[BinaryIO]:
    """A table file, open.

    Raises:
        CurationError: it cannot be read, or is no table.
    """
    with locations.open_file(path) as file:
        try:
            yield file
        except (pa.ArrowException, csv.Error) as error:
            raise CurationError(f"{path} cannot be read: {error}") from None


def pick_column(
    columns: Sequence[str], wanted: str | None, guesses: Sequence[str], option: str, path: Location
) -> str:
    """The column the user named, else the first of the usual names.

    Raises:
        CurationError: there is no such column; lists those there are.
    """
    if wanted is not None:
        if wanted in columns:
            return wanted
        raise CurationError(f"{path} has no column {wanted!r}; it has {', '.join(columns)}")
    by_lower = {name.lower(): name for name in reversed(columns)}
    for guess in guesses:
        if guess in by_lower:
            return by_lower[guess]
    raise CurationError(
        f"{path} has no column named {', '.join(guesses[:-1])} or {guesses[-1]}; "
        f"it has {', '.join(columns)}: name one with {option}"
    )


def narrow(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A text column as whole numbers, numbers or booleans where every entry is one.

    What would not be the same again is left as text.
    """
    if not pa.types.is_string(column.type):
        return column
    filled = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    if filled.null_count == len(filled) or _has(filled, _CODE):
        return column
    # Where there are others than true and false, 1 is not the same as true.
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
    # Bytes that are not UTF-8 survive as surrogates, so that one bad caption costs one row.
    text = io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")
    # Strict: a quote that does not close is otherwise read up to the next one, rows later.
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    header = next(reader, None)
    if not header:
        return pa.table({ORIGIN: pa.array([], pa.string())}), []
    while True:
        first = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            where = f"{path.name} {_lines(first, reader.line_num)}"
            skipped.append(Skipped(where, f"a quote does not close: {error}"))
            continue
        where = f"{path.name} line {reader.line_num}"
        if row is None:
            break
        if not row:
            continue
        if len(row) != len(header):
            reason = f"has {len(row)} fields where the header has {len(header)}"
            skipped.append(Skipped(where, reason))
        elif any(_is_broken(cell) for cell in row):
            skipped.append(Skipped(where, arrow_text.NOT_UTF8))
        else:
            values.append(row)
            origins.append(where)
    columns = list(zip(*values, strict=True)) if values else [()] * len(header)
    arrays = [pa.array(column, type=pa.string()) for column in columns]
    arrays.append(pa.array(origins, pa.string()))
    return pa.table(arrays, names=[*names(header), ORIGIN]), skipped


def _load_jsonl(path: Location, file: BinaryIO) -> tuple[pa.Table, list[Skipped]]:
    skipped: list[Skipped] = []
    records: list[dict[str, object]] = []
    for number, line in enumerate(file, 1):
        where = f"{path.name} line {number}"
        if not line.strip():
            continue
        try:
            # Given bytes, json takes halves of characters for text.
            record = json.loads(line.decode("utf-8-sig"))
        except UnicodeDecodeError:
            skipped.append(Skipped(where, arrow_text.NOT_UTF8))
            continue
        except json.JSONDecodeError as error:
            skipped.append(Skipped(where, f"is not JSON ({error.msg})"))
            continue
        except RecursionError:
            skipped.append(Skipped(where, "is JSON nested too deep"))
            continue
        except ValueError:
            skipped.append(Skipped(where, "holds a number too long to be read"))
            continue
        if not isinstance(record, dict):
            skipped.append(Skipped(where, "is not a JSON object"))
        elif b"\\u" in line and not is_text(record):
            skipped.append(Skipped(where, arrow_text.NOT_UTF8))
        else:
            records.append(record | {ORIGIN: where})
    keys = list(dict.fromkeys(name for record in records for name in record if name != ORIGIN))
    columns = [plain_array([r.get(key) for r in records]) for key in keys]
    columns.append(pa.array([r[ORIGIN] for r in records], pa.string()))
    return pa.table(columns, names=[*names(keys), ORIGIN]), skipped


def _lines(first: int, last: int) -> str:
    return f"line {first}" if first == last else f"lines {first} to {last}"


def _is_broken(text: str) -> bool:
    return not text.isascii() and any("\udc80" <= c <= "\udcff" for c in text)
