"""The Parquet table that img2dataset writes next to each tar or folder: one row a link."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

from curation.errors import CurationError
from curation.readers.base import Skipped
from curation.readers.shared import parquet_rows, rows, table_files
from curation.readers.shared.table_files import ORIGIN
from curation.storage import locations
from curation.storage.locations import Location

KEY = "key"
STATUS, ERROR = "status", "error_message"

_FAILURES = {
    "failed_to_download": "download failed",
    "failed_to_resize": "image could not be resized after the download",
}


@dataclass(frozen=True)
class TarTable:
    """The table of one tar.

    Attributes:
        rows: the rows by their key; empty if the tar has no table.
        problem: why the table cannot be read, if so.
    """

    rows: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    problem: Skipped | None = None


def table_path(tar: Location) -> Location:
    """The path of a tar's table, which need not exist."""
    return tar.with_suffix(".parquet")


def read_tar_table(tar: Location) -> TarTable:
    """The table of a tar.

    A table that cannot be read, as a killed download leaves it, is a ``problem`` and not an error.

    Raises:
        CurationError: the table has no ``key`` column.
    """
    path = table_path(tar)
    if not locations.is_file(path, guessed=True):
        return TarTable()
    try:
        table, _ = rows.load(path)
    except CurationError as problem:
        return TarTable(problem=_unreadable(path, problem))
    if KEY not in table.column_names:
        raise CurationError(
            f"{path} has no column {KEY!r}, which assigns its rows to the samples in {tar.name}; "
            "move it elsewhere if it does not belong to the tar"
        )
    return TarTable({str(row.pop(KEY)): row for row in table.to_pylist()})


def folder_tables(source: Location) -> list[Location]:
    """The tables in ``source`` that have a folder of the same name."""
    tables = locations.list_files(source, table_files.is_parquet)
    return [table for table in tables if locations.is_dir(table.with_suffix(""))]


def source_columns(row: Mapping[str, object]) -> dict[str, object]:
    """A row, or a sample's JSON record, without the columns that only say it was downloaded."""
    hidden = {ORIGIN}
    if row.get(STATUS) == "success":
        hidden |= {STATUS, ERROR}
    return {name: value for name, value in row.items() if name not in hidden}


def missing_samples(table: TarTable, keys: Set[str], damage: str | None) -> Iterator[Skipped]:
    """The rows whose sample the tar does not have, and the table's own problem.

    Args:
        keys: the keys of the samples in the tar.
        damage: what is wrong with the tar, if anything.
    """
    if table.problem is not None:
        yield table.problem
    for key, row in table.rows.items():
        if key not in keys:
            yield Skipped(str(row[ORIGIN]), failure(row) or damage or "not in the tar")


def failed_downloads(table: Location) -> Iterator[Skipped]:
    """The rows of a folder's table whose download failed; none if img2dataset did not write it."""
    try:
        names = parquet_rows.read_schema(table).names
        if not has_download_columns(names):
            return
        others = [name for name in names if name not in (STATUS, ERROR)]
        downloads = parquet_rows.load_groups(table, without=others)
    except CurationError as problem:
        yield _unreadable(table, problem)
        return
    for row in downloads.to_pylist():
        reason = failure(row)
        if reason:
            yield Skipped(row[ORIGIN], reason)


def _unreadable(table: Location, problem: CurationError) -> Skipped:
    return Skipped(table.name, f"table cannot be read: {problem}")


def has_download_columns(columns: Sequence[str]) -> bool:
    """Whether these are columns of a table by img2dataset."""
    return {KEY, STATUS, ERROR} <= set(columns)


def failure(row: Mapping[str, object]) -> str | None:
    """Why a row's sample was not downloaded; None if it was."""
    status = row.get(STATUS)
    if status in (None, "success"):
        return None
    reason = _FAILURES.get(str(status), f"not downloaded: {status}")
    return f"{reason}: {row[ERROR]}" if row.get(ERROR) else reason
