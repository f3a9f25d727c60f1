"""The curator's marks: samples to keep or to drop regardless of their scores.

Marks are stored by uid in ``curation.duckdb``, so they survive a new threshold and a new scoring.
Every change is logged and can be undone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa

from curation import uids as uids_
from curation.errors import CurationError
from curation.formatting import count
from curation.selection.database import open_database
from curation.storage.workspace import Workspace, now

Kind = Literal["keep", "drop"]
KINDS: tuple[Kind, ...] = ("keep", "drop")
Action = Literal["keep", "drop", "unmark", "clear", "revert"]

_PAST_TENSE: dict[Action, str] = {
    "keep": "kept",
    "drop": "dropped",
    "unmark": "unmarked",
    "clear": "cleared",
    "revert": "reverted",
}

# The log, each line with whether the sample's mark is still the one that the line set.
_LOG = (
    "SELECT log.rowid, log.*, marks.mark IS NOT DISTINCT FROM log.new AS is_current "
    "FROM mark_log AS log LEFT JOIN marks USING (uid)"
)
_NO_LIMIT = 1 << 40


@dataclass(frozen=True)
class Mark:
    """The mark of a sample. ``marked`` is the time of marking (ISO 8601, UTC)."""

    uid: str
    mark: Kind
    marked: str


@dataclass(frozen=True)
class Change:
    """What one call changed, and for which samples."""

    action: Action
    uids: tuple[str, ...]

    def __str__(self) -> str:
        """dropped 1"""
        return f"{_PAST_TENSE[self.action]} {count(len(self.uids))}"


@dataclass(frozen=True)
class LogEntry:
    """A line of the log: one change of one sample's mark.

    Attributes:
        number: identifies the line, for ``Marks.revert``.
        logged: the time of the change (ISO 8601, UTC).
        action: what changed the mark; besides an ``Action``, "undo" or "redo".
        old: the mark before the change; None if there was none.
        new: the mark after the change.
        is_current: whether the sample still has the mark ``new``.
    """

    number: int
    logged: str
    action: str
    uid: str
    old: Kind | None
    new: Kind | None
    is_current: bool


@dataclass(frozen=True)
class MarkStatus:
    """The marks of some samples, and the totals of all.

    Attributes:
        marks: the marks of those of the samples that have one, by uid.
        keep: how many samples are marked keep in all.
        drop: how many samples are marked drop in all.
        log_length: the number of lines in the log. It grows with every change of a mark.
    """

    marks: dict[str, Kind]
    keep: int
    drop: int
    log_length: int


class Marks:
    """The marks of one workspace; a sample has at most one.

    Reading marks never creates the file. Reading methods return nothing where it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, workspace: Workspace) -> Marks:
        return cls(workspace.curation)

    def mark(self, uids: Sequence[str], mark: Kind | None) -> Change | None:
        """Mark samples, or unmark them with None. Returns None if that changes nothing.

        A uid need not be in the catalog: the dataset may contain it again later.

        Raises:
            CurationError: the mark is neither keep nor drop, or an entry is not a uid.
        """
        if mark not in (*KINDS, None):
            raise CurationError(f"{mark!r} is not a mark; expected keep or drop")
        requested = list(dict.fromkeys(uid.lower() for uid in uids))
        invalid = next((uid for uid in requested if not uids_.is_uid(uid)), None)
        if invalid is not None:
            raise CurationError(f"{invalid!r} is not a uid (32 hex digits)")
        if not requested or (mark is None and not self.path.is_file()):
            return None
        with open_database(self.path) as db:
            db.register("requested", pa.table({"uid": pa.array(requested, pa.string())}))
            query = (
                "SELECT uid, mark AS old, marked AS old_marked, $mark::VARCHAR AS new, "
                "if($mark IS NULL, NULL, $now) AS new_marked FROM requested LEFT JOIN marks "
                "USING (uid) WHERE mark IS DISTINCT FROM $mark"
            )
            changes = db.sql(query, params={"mark": mark, "now": now()}).to_arrow_table()
            return _record_change(db, changes, mark or "unmark")

    def clear(self) -> Change | None:
        """Remove all marks. Returns None if there are none."""
        if not self.path.is_file():
            return None
        with open_database(self.path) as db:
            query = (
                "SELECT uid, mark AS old, marked AS old_marked, "
                "NULL::VARCHAR AS new, NULL::VARCHAR AS new_marked FROM marks"
            )
            return _record_change(db, db.sql(query).to_arrow_table(), "clear")

    def revert(self, number: int) -> Change | None:
        """Give a sample the mark that it had before a line of the log.

        Returns None if there is no such line, or the mark has changed since.
        """
        if not self.path.is_file():
            return None
        with open_database(self.path) as db:
            query = (
                "SELECT uid, new AS old, new_marked AS old_marked, old AS new, "
                f"old_marked AS new_marked FROM ({_LOG}) WHERE rowid = ? AND is_current"
            )
            changes = db.sql(query, params=[number]).to_arrow_table()
            return _record_change(db, changes, "revert")

    def undo(self) -> Change | None:
        """Undo the last change that is not undone yet. Returns None if there is none."""
        return self._undo_or_redo("undo", "max(change) FROM mark_changes WHERE NOT undone")

    def redo(self) -> Change | None:
        """Redo the change that was undone last. Returns None if there is none.

        A new change discards what was undone before it.
        """
        return self._undo_or_redo("redo", "min(change) FROM mark_changes WHERE undone")

    def can_undo_redo(self) -> tuple[bool, bool]:
        """Whether there is a change to undo, and one to redo."""
        states = self._rows("SELECT DISTINCT undone FROM mark_changes")
        return (False,) in states, (True,) in states

    def all(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The uids to keep and the uids to drop, each sorted, as a recipe takes them."""
        rows = self._rows("SELECT uid, mark FROM marks ORDER BY uid")
        keep, drop = (tuple(uid for uid, mark in rows if mark == kind) for kind in KINDS)
        return keep, drop

    def status(self, uids: Sequence[str]) -> MarkStatus:
        """The marks of these samples, and the totals of all, in one query."""
        query = (
            "SELECT map_from_entries((SELECT list((uid, mark)) FROM marks "
            "WHERE uid IN (SELECT unnest(?::VARCHAR[])))), "
            "(SELECT count(*) FROM marks WHERE mark = 'keep'), "
            "(SELECT count(*) FROM marks WHERE mark = 'drop'), (SELECT count(*) FROM mark_log)"
        )
        rows = self._rows(query, list(uids))
        if not rows:
            return MarkStatus({}, 0, 0, 0)
        marks, *counts = rows[0]
        return MarkStatus(marks or {}, *counts)

    def among(self, uids: Sequence[str]) -> dict[str, Kind]:
        """The marks of those of these samples that have one, by uid."""
        return self.status(uids).marks

    def counts(self) -> dict[Kind, int]:
        """The number of samples with each mark."""
        status = self.status(())
        return {"keep": status.keep, "drop": status.drop}

    def newest(self, limit: int = _NO_LIMIT, start: int = 0) -> list[Mark]:
        """Up to ``limit`` marks, newest first, without the first ``start`` of them."""
        query = "FROM marks ORDER BY marked DESC, rowid DESC LIMIT ? OFFSET ?"
        return [Mark(*row) for row in self._rows(query, limit, start)]

    def log(self, limit: int = _NO_LIMIT, start: int = 0) -> list[LogEntry]:
        """Up to ``limit`` lines of the log, newest first, without the first ``start`` of them."""
        query = (
            f"SELECT rowid, logged, action, uid, old, new, is_current FROM ({_LOG}) "
            "ORDER BY rowid DESC LIMIT ? OFFSET ?"
        )
        return [LogEntry(*row) for row in self._rows(query, limit, start)]

    def _rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        if not self.path.is_file():
            return []
        with open_database(self.path) as db:
            try:
                return db.execute(query, parameters).fetchall()
            except duckdb.CatalogException:
                # A read-only file from a version without marks.
                return []

    def _undo_or_redo(self, action: Literal["undo", "redo"], which: str) -> Change | None:
        """Undo or redo the change that the query ``which`` selects, by its lines in the log."""
        if not self.path.is_file():
            return None
        with open_database(self.path) as db:
            change = db.execute(f"SELECT {which}").fetchall()[0][0]
            if change is None:
                return None
            query = (
                "SELECT uid, old, old_marked, new, new_marked FROM mark_log "
                "WHERE change = ? AND action NOT IN ('undo', 'redo')"
            )
            changes = db.sql(query, params=[change]).to_arrow_table()
            if action == "undo":
                changes = changes.select(["uid", "new", "new_marked", "old", "old_marked"])
            db.begin()
            query = "UPDATE mark_changes SET undone = NOT undone WHERE change = ? RETURNING action"
            original = db.execute(query, [change]).fetchall()[0][0]
            _write(db, changes, change, action)
            db.commit()
        return Change(original, tuple(changes.column("uid").to_pylist()))


def describe_counts(keep: int, drop: int) -> str:
    """3 kept and 5 dropped by hand"""
    counts = ((keep, "kept"), (drop, "dropped"))
    parts = [f"{count(number)} {verb}" for number, verb in counts if number]
    return f"{' and '.join(parts)} by hand" if parts else "nothing marked by hand"


def _record_change(
    db: duckdb.DuckDBPyConnection, changes: pa.Table, action: Action
) -> Change | None:
    """Write a new change and discard the undone ones. Returns None if nothing changes."""
    if not len(changes):
        return None
    db.begin()
    last = db.execute("SELECT coalesce(max(change), 0) FROM mark_log").fetchall()[0][0]
    db.execute("DELETE FROM mark_changes WHERE undone")
    db.execute("INSERT INTO mark_changes VALUES (?, ?, false)", [last + 1, action])
    _write(db, changes, last + 1, action)
    db.commit()
    return Change(action, tuple(changes.column("uid").to_pylist()))


def _write(db: duckdb.DuckDBPyConnection, changes: pa.Table, change: int, action: str) -> None:
    """Set and log marks. The columns are, in this order: uid, mark and time before, and after."""
    changes = changes.rename_columns(["uid", "old", "old_marked", "new", "new_marked"])
    db.register("changes", changes)
    db.execute("DELETE FROM marks WHERE uid IN (SELECT uid FROM changes)")
    db.execute("INSERT INTO marks SELECT uid, new, new_marked FROM changes WHERE new IS NOT NULL")
    db.execute("INSERT INTO mark_log SELECT ?, ?, ?, * FROM changes", [change, now(), action])
