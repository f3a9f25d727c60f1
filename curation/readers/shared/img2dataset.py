"""The ``.parquet`` that img2dataset writes beside each tar or folder: a row a link."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

from curation.errors import CurationError
from curation.readers.base import Skipped
from curation.readers.shared import rows
from curation.storage import locations
from curation.storage.locations import Location

KEY = "key"
STATUS, ERROR = "status", "error_message"

_FAILURES = {
    "failed_to_download": "the download failed",
    "failed_to_resize": "the image could not be resized after its download",
}


@dataclass(frozen=True)
class Beside:
    """The rows of the table by their key; none where no table lies there."""

    rows: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    problem: Skipped | None = None


def file_of(tar: Location) -> Location:
    """Where the table of a tar lies, if there is one."""
    return tar.with_suffix(".parquet")


def beside(tar: Location) -> Beside:
    """The table beside a tar. One that a killed download left unfinished is a problem, no error.

    Raises:
        CurationError: the table cannot be joined to the tar.
    """
    path = file_of(tar)
    if not locations.is_file(path, guessed=True):
        return Beside()
    try:
        table, _ = rows.load(path)
    except CurationError as problem:
        return Beside(problem=_unreadable(path, problem))
    if KEY not in table.column_names:
        raise CurationError(
            f"{path} has no column {KEY!r} that tells which sample of {tar.name} a row is of; "
            f"move it elsewhere if it does not belong to the tar"
        )
    return Beside({str(row.pop(KEY)): row for row in table.to_pylist()})


def beside_folders(source: Location) -> list[Location]:
    """The tables in ``source`` that have a folder of their name beside them."""
    tables = locations.list_files(source, rows.is_parquet)
    return [table for table in tables if locations.is_dir(table.with_suffix(""))]


def facts(row: Mapping[str, object]) -> dict[str, object]:
    """What a row, or a sample's JSON, says of a sample that was downloaded."""
    hidden = {rows.ORIGIN}
    if row.get(STATUS) == "success":
        hidden |= {STATUS, ERROR}
    return {name: value for name, value in row.items() if name not in hidden}


def lost(table: Beside, found: Set[str], damage: str | None) -> Iterator[Skipped]:
    """The rows whose sample the tar does not have, and why.

    Args:
        found: the keys of the samples in the tar.
        damage: what is wrong with the tar.
    """
    if table.problem is not None:
        yield table.problem
    for key, row in table.rows.items():
        if key not in found:
            yield Skipped(str(row[rows.ORIGIN]), failure(row) or damage or "not in the tar")


def failures(table: Location) -> Iterator[Skipped]:
    """The downloads that failed, by the table beside a folder; none by one of another make."""
    try:
        names = rows.schema(table).names
        if not is_of(names):
            return
        others = [name for name in names if name not in (STATUS, ERROR)]
        told = rows.load_groups(table, without=others)
    except CurationError as problem:
        yield _unreadable(table, problem)
        return
    for row in told.to_pylist():
        reason = failure(row)
        if reason:
            yield Skipped(row[rows.ORIGIN], reason)


def _unreadable(table: Location, problem: CurationError) -> Skipped:
    return Skipped(table.name, f"the table cannot be read: {problem}")


def is_of(columns: Sequence[str]) -> bool:
    """Whether a table with these columns is img2dataset's."""
    return {KEY, STATUS, ERROR} <= set(columns)


def failure(row: Mapping[str, object]) -> str | None:
    """Why a row's sample was not downloaded; None if it was."""
    status = row.get(STATUS)
    if status in (None, "success"):
        return None
    what = _FAILURES.get(str(status), f"not downloaded ({status})")
    return f"{what}: {row[ERROR]}" if row.get(ERROR) else what
