"""A curator's own marks: samples to keep and to drop whatever their scores say.

They lie in ``curation.duckdb`` beside the selections, by uid, so that they outlive a threshold and
a new scoring. Every change is logged, and the last one can be taken back.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa

from curation import uids as uids_
from curation.errors import CurationError
from curation.formatting import count
from curation.selection.decisions import opened
from curation.storage.workspace import Workspace, now

Kind = Literal["keep", "drop"]
KINDS: tuple[Kind, ...] = ("keep", "drop")

# A change is one call's: what is undone at once. Its rows in the log say what it did to each uid.
_TABLES = """
CREATE TABLE IF NOT EXISTS marks (uid VARCHAR, mark VARCHAR, marked VARCHAR);
CREATE TABLE IF NOT EXISTS mark_changes (change BIGINT, action VARCHAR, undone BOOLEAN);
CREATE TABLE IF NOT EXISTS mark_log (
    change BIGINT, logged VARCHAR, action VARCHAR, uid VARCHAR,
    old VARCHAR, old_marked VARCHAR, new VARCHAR, new_marked VARCHAR
);
"""
_DONE = {
    "keep": "kept",
    "drop": "dropped",
    "unmark": "unmarked",
    "clear": "cleared",
    "revert": "reverted",
}
Action = Literal["keep", "drop", "unmark", "clear", "revert"]


# The log, and of each line whether the mark is still as it left it.
_STANDING = (
    "SELECT log.rowid, log.*, marks.mark IS NOT DISTINCT FROM log.new AS stands "
    "FROM mark_log AS log LEFT JOIN marks USING (uid)"
)


@dataclass(frozen=True)
class Mark:
    """A sample's mark, and when it got it."""

    uid: str
    mark: Kind
    marked: str


@dataclass(frozen=True)
class Change:
    """What one call did, and to which samples."""

    action: Action
    uids: tuple[str, ...]

    def __str__(self) -> str:
        """dropped 1"""
        return f"{_DONE[self.action]} {count(len(self.uids))}"


@dataclass(frozen=True)
class Logged:
    """A line of the log: what became of one sample's mark.

    Attributes:
        number: by which the line can be reverted.
        stands: whether the sample's mark is still what this line made it.
    """

    number: int
    logged: str
    action: str
    uid: str
    old: Kind | None
    new: Kind | None
    stands: bool


@dataclass(frozen=True)
class Seen:
    """What is to be shown beside some samples.

    Attributes:
        marks: of those of these samples that have one.
        keep, drop: how many have each mark in all.
        lines: how long the log is; another number says that marks have changed.
    """

    marks: dict[str, Kind]
    keep: int
    drop: int
    lines: int


class Marks:
    """The marks that belong to one workspace; a sample has at most one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, workspace: Workspace) -> Marks:
        return cls(workspace.curation)

    def mark(self, uids: Sequence[str], mark: Kind | None) -> Change | None:
        """Mark samples, or take their marks away; None where they all are so already.

        A uid need not be in the catalog: the dataset may get it back.

        Raises:
            CurationError: there is no such mark, or an entry is not a uid.
        """
        if mark not in (*KINDS, None):
            raise CurationError(f"{mark!r} is not a mark: samples are marked keep or drop")
        wanted = list(dict.fromkeys(uid.lower() for uid in uids))
        wrong = next((uid for uid in wanted if not uids_.is_uid(uid)), None)
        if wrong is not None:
            raise CurationError(f"{wrong!r} is not a uid (32 hex digits)")
        if not wanted or (mark is None and not self.path.is_file()):
            return None
        with self._open() as db:
            db.register("wanted", pa.table({"uid": pa.array(wanted, pa.string())}))
            query = (
                "SELECT uid, mark AS old, marked AS old_marked, $mark::VARCHAR AS new, "
                "if($mark IS NULL, NULL, $now) AS new_marked FROM wanted LEFT JOIN marks "
                "USING (uid) WHERE mark IS DISTINCT FROM $mark"
            )
            found = db.sql(query, params={"mark": mark, "now": now()}).to_arrow_table()
            return _do(db, found, mark or "unmark")

    def clear(self) -> Change | None:
        """Take every mark away; None where there is none."""
        if not self.path.is_file():
            return None
        with self._open() as db:
            query = (
                "SELECT uid, mark AS old, marked AS old_marked, "
                "NULL::VARCHAR AS new, NULL::VARCHAR AS new_marked FROM marks"
            )
            found = db.sql(query).to_arrow_table()
            return _do(db, found, "clear")

    def revert(self, number: int) -> Change | None:
        """Give a sample the mark that it had before a line of the log.

        None where there is no such line, or the mark was changed since.
        """
        if not self.path.is_file():
            return None
        with self._open() as db:
            query = (
                "SELECT uid, new AS old, new_marked AS old_marked, old AS new, "
                f"old_marked AS new_marked FROM ({_STANDING}) WHERE rowid = ? AND stands"
            )
            return _do(db, db.sql(query, params=[number]).to_arrow_table(), "revert")

    def undo(self) -> Change | None:
        """Take back the last change that was not; None where there is none."""
        return self._again("undo", "max(change) FROM mark_changes WHERE NOT undone")

    def redo(self) -> Change | None:
        """Do again what was taken back last; None where nothing was, or a change came since."""
        return self._again("redo", "min(change) FROM mark_changes WHERE undone")

    def steps(self) -> tuple[bool, bool]:
        """Whether there is something to undo, and to redo."""
        found = self._rows("SELECT DISTINCT undone FROM mark_changes")
        return (False,) in found, (True,) in found

    def all(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The uids to keep and those to drop, sorted: a recipe's own."""
        rows = self._rows("SELECT uid, mark FROM marks ORDER BY uid")
        keep, drop = (tuple(uid for uid, mark in rows if mark == kind) for kind in KINDS)
        return keep, drop

    def seen(self, uids: Sequence[str]) -> Seen:
        """The marks among these samples, and how many there are in all."""
        query = (
            "SELECT map_from_entries((SELECT list((uid, mark)) FROM marks "
            "WHERE uid IN (SELECT unnest(?::VARCHAR[])))), "
            "(SELECT count(*) FROM marks WHERE mark = 'keep'), "
            "(SELECT count(*) FROM marks WHERE mark = 'drop'), (SELECT count(*) FROM mark_log)"
        )
        found = self._rows(query, list(uids))
        if not found:
            return Seen({}, 0, 0, 0)
        marks, *counts = found[0]
        return Seen(marks or {}, *counts)

    def among(self, uids: Sequence[str]) -> dict[str, Kind]:
        """The marks of those of these samples that have one."""
        return self.seen(uids).marks

    def counts(self) -> dict[Kind, int]:
        """How many samples have each mark."""
        seen = self.seen(())
        return {"keep": seen.keep, "drop": seen.drop}

    def newest(self, limit: int = 1 << 40, start: int = 0) -> list[Mark]:
        """The marks with the time of each, newest first, from the ``start``-th on."""
        query = "FROM marks ORDER BY marked DESC, rowid DESC LIMIT ? OFFSET ?"
        return [Mark(*row) for row in self._rows(query, limit, start)]

    def log(self, limit: int = 1 << 40, start: int = 0) -> list[Logged]:
        """What became of marks, newest first, from the ``start``-th line on."""
        query = (
            f"SELECT rowid, logged, action, uid, old, new, stands FROM ({_STANDING}) "
            "ORDER BY rowid DESC LIMIT ? OFFSET ?"
        )
        return [Logged(*row) for row in self._rows(query, limit, start)]

    def _rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        # A workspace in which nothing was marked gets no file for being looked at.
        if not self.path.is_file():
            return []
        with self._open() as db:
            try:
                return db.execute(query, parameters).fetchall()
            except duckdb.CatalogException:
                # A file from before there were marks, and it may not be written.
                return []

    def _again(self, action: str, which: str) -> Change | None:
        """Undo or redo a change by its rows in the log."""
        if not self.path.is_file():
            return None
        with self._open() as db:
            change = db.execute(f"SELECT {which}").fetchall()[0][0]
            if change is None:
                return None
            query = (
                "SELECT uid, old, old_marked, new, new_marked FROM mark_log "
                "WHERE change = ? AND action NOT IN ('undo', 'redo')"
            )
            moved = db.sql(query, params=[change]).to_arrow_table()
            back = ["uid", "new", "new_marked", "old", "old_marked"]
            db.begin()
            query = "UPDATE mark_changes SET undone = NOT undone WHERE change = ? RETURNING action"
            done = db.execute(query, [change]).fetchall()[0][0]
            _move(db, moved.select(back) if action == "undo" else moved, change, action)
            db.commit()
        return Change(done, tuple(moved.column("uid").to_pylist()))

    def _open(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        return opened(self.path, _TABLES)


def in_words(keep: int, drop: int) -> str:
    """3 kept and 5 dropped by hand"""
    parts = [f"{count(n)} {said}" for n, said in ((keep, "kept"), (drop, "dropped")) if n]
    return f"{' and '.join(parts)} by hand" if parts else "nothing marked by hand"


def _do(
    db: duckdb.DuckDBPyConnection,
    moved: pa.Table,
    action: Action,
) -> Change | None:
    """Make a new change; after it nothing that was undone can be done again."""
    if not len(moved):
        return None
    db.begin()
    last = db.execute("SELECT coalesce(max(change), 0) FROM mark_log").fetchall()[0][0]
    db.execute("DELETE FROM mark_changes WHERE undone")
    db.execute("INSERT INTO mark_changes VALUES (?, ?, false)", [last + 1, action])
    _move(db, moved, last + 1, action)
    db.commit()
    return Change(action, tuple(moved.column("uid").to_pylist()))


def _move(db: duckdb.DuckDBPyConnection, moved: pa.Table, change: int, action: str) -> None:
    """Write what becomes of marks, by (uid, from, since, to, since); and log it."""
    moved = moved.rename_columns(["uid", "old", "old_marked", "new", "new_marked"])
    db.register("moved", moved)
    db.execute("DELETE FROM marks WHERE uid IN (SELECT uid FROM moved)")
    db.execute("INSERT INTO marks SELECT uid, new, new_marked FROM moved WHERE new IS NOT NULL")
    db.execute("INSERT INTO mark_log SELECT ?, ?, ?, * FROM moved", [change, now(), action])
