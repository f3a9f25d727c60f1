"""What a curator decided, in ``curation.duckdb``: saved selections and imported uid lists.

Marks on single samples lie in the same file; they are ``marks.py``'s.

DuckDB lets one process hold a file open for writing and shuts every other out, so the file is
opened for the moment of a call only; the app and the command line can take turns.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from curation import uids
from curation.errors import CurationError
from curation.selection.recipe import Recipe, SetStep
from curation.storage.workspace import Workspace, check_name, now

_TABLES = """
CREATE TABLE IF NOT EXISTS selections (name VARCHAR PRIMARY KEY, recipe VARCHAR, saved VARCHAR);
CREATE TABLE IF NOT EXISTS uid_lists (name VARCHAR PRIMARY KEY, source VARCHAR, saved VARCHAR);
CREATE TABLE IF NOT EXISTS uid_list_members (name VARCHAR, hi UBIGINT, lo UBIGINT);
CREATE TABLE IF NOT EXISTS log (logged VARCHAR, action VARCHAR, name VARCHAR);
"""

# Threads share the file, so DuckDB does not make them wait for one another: it fails the second.
_TURN = threading.RLock()


@dataclass(frozen=True)
class Saved:
    """A saved selection, and when it was saved (ISO 8601, UTC)."""

    name: str
    recipe: Recipe
    saved: str


class Decisions:
    """The decisions that belong to one workspace."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, workspace: Workspace) -> Decisions:
        return cls(workspace.curation)

    def selections(self) -> list[str]:
        """The saved selections."""
        if not self.path.is_file():
            return []
        with self._open() as db:
            return [r[0] for r in db.execute("SELECT name FROM selections ORDER BY 1").fetchall()]

    def listing(self) -> list[Saved]:
        """The saved selections with their recipes, by name."""
        if not self.path.is_file():
            return []
        with self._open() as db:
            rows = db.execute("SELECT name, recipe, saved FROM selections ORDER BY 1").fetchall()
        return [Saved(name, _parsed(name, text), saved) for name, text, saved in rows]

    def names(self) -> list[str]:
        """The saved selections and uid lists."""
        if not self.path.is_file():
            return []
        with self._open() as db:
            query = "SELECT name FROM selections UNION ALL SELECT name FROM uid_lists ORDER BY name"
            return [row[0] for row in db.execute(query).fetchall()]

    def recipe(self, name: str) -> Recipe | None:
        """A saved selection's recipe; None where there is none of that name."""
        if not self.path.is_file():
            return None
        with self._open() as db:
            query = "SELECT recipe FROM selections WHERE name = ?"
            found = db.execute(query, [name]).fetchone()
        return None if found is None else _parsed(name, found[0])

    def uid_list(self, name: str) -> uids.Words | None:
        """An imported list, shape (M, 2), repeats kept; None where there is none."""
        if not self.path.is_file():
            return None
        with self._open() as db:
            known = db.execute("SELECT 1 FROM uid_lists WHERE name = ?", [name]).fetchone()
            if known is None:
                return None
            columns = db.execute(
                "SELECT hi, lo FROM uid_list_members WHERE name = ?", [name]
            ).fetchnumpy()
        return np.stack([columns["hi"], columns["lo"]], axis=1)

    def save_recipe(self, name: str, recipe: Recipe) -> None:
        """Save a selection under a name, in place of an older one.

        Raises:
            CurationError: the name cannot be one, is a uid list's, or is one the recipe refers to.
        """
        check_name(name, "selection")
        if _refers(recipe, name):
            raise CurationError(f"the recipe refers to {name!r}; save it under another name")
        with self._open() as db:
            if db.execute("SELECT 1 FROM uid_lists WHERE name = ?", [name]).fetchone():
                raise CurationError(f"{name!r} names a uid list; give the selection another name")
            values = [name, recipe.to_yaml(), now()]
            db.execute("INSERT OR REPLACE INTO selections VALUES (?, ?, ?)", values)
            db.execute("INSERT INTO log VALUES (?, 'save selection', ?)", [now(), name])

    def rename(self, name: str, new: str) -> None:
        """Give a saved selection another name.

        Raises:
            CurationError: there is none of that name, another one refers to it, or the new name
                cannot be one or is taken.
        """
        check_name(new, "selection")
        with self._open() as db:
            recipe = _free(db, name, "renamed")
            query = "SELECT name FROM selections UNION ALL SELECT name FROM uid_lists"
            if (new,) in db.execute(query).fetchall():
                raise CurationError(f"there is already a selection or uid list {new!r}")
            if recipe.name == name:
                recipe = replace(recipe, name=new)
            db.begin()
            query = "UPDATE selections SET name = ?, recipe = ? WHERE name = ?"
            db.execute(query, [new, recipe.to_yaml(), name])
            values = [now(), f"rename selection to {new}", name]
            db.execute("INSERT INTO log VALUES (?, ?, ?)", values)
            db.commit()

    def delete(self, name: str) -> None:
        """Delete a saved selection.

        Raises:
            CurationError: there is none of that name, or another one refers to it.
        """
        with self._open() as db:
            _free(db, name, "deleted")
            db.begin()
            db.execute("DELETE FROM selections WHERE name = ?", [name])
            db.execute("INSERT INTO log VALUES (?, 'delete selection', ?)", [now(), name])
            db.commit()

    def save_uid_list(self, name: str, words: uids.Words, source: str) -> None:
        """Keep a list of uids (M, 2) under a name, in place of an older one.

        Raises:
            CurationError: the name cannot be one, or is a selection's.
        """
        check_name(name, "uid list")
        batch = pa.table({"hi": words[:, 0], "lo": words[:, 1]})
        with self._open() as db:
            if db.execute("SELECT 1 FROM selections WHERE name = ?", [name]).fetchone():
                raise CurationError(f"{name!r} names a selection; give the list another name")
            db.begin()
            db.execute("DELETE FROM uid_list_members WHERE name = ?", [name])
            db.register("batch", batch)
            db.execute("INSERT INTO uid_list_members SELECT ?, hi, lo FROM batch", [name])
            db.execute("INSERT OR REPLACE INTO uid_lists VALUES (?, ?, ?)", [name, source, now()])
            db.execute("INSERT INTO log VALUES (?, 'import uids', ?)", [now(), name])
            db.commit()

    def _open(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        return opened(self.path)


def _free(db: duckdb.DuckDBPyConnection, name: str, done: str) -> Recipe:
    """The recipe of a saved selection that no other one refers to."""
    rows = db.execute("SELECT name, recipe FROM selections ORDER BY 1").fetchall()
    recipes = {saved: _parsed(saved, text) for saved, text in rows}
    if name not in recipes:
        raise CurationError(f"there is no saved selection {name!r}")
    users = [other for other, recipe in recipes.items() if _refers(recipe, name)]
    if users:
        raise CurationError(
            f"the selection {name!r} cannot be {done}: {', '.join(users)} "
            f"{'refers' if len(users) == 1 else 'refer'} to it"
        )
    return recipes[name]


def _refers(recipe: Recipe, name: str) -> bool:
    return any(isinstance(step, SetStep) and step.name == name for step in recipe.steps)


def _parsed(name: str, text: str) -> Recipe:
    return Recipe.parse(text, f"the selection {name}")


@contextmanager
def opened(path: Path, tables: str = "") -> Iterator[duckdb.DuckDBPyConnection]:
    """The file, made with the tables of decisions and these, until the end of the ``with``.

    A file that may not be written is opened for reading, and may then lack a table.

    Raises:
        CurationError: it is no database, another process has held it for five seconds, or what
            was to be written could not be.
    """
    try:
        with _TURN, _connected(path) as connection:
            is_read_only = connection.execute(
                "SELECT readonly FROM duckdb_databases() WHERE database_name = current_database()"
            ).fetchall()
            if not is_read_only[0][0]:
                connection.execute(_TABLES + tables)
            yield connection
    except duckdb.CatalogException:
        raise
    except duckdb.Error as error:
        told = "it is read-only" if "read-only mode" in str(error) else error
        raise CurationError(f"{path} cannot be written: {told}") from None


def _connected(path: Path) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + 5
    while True:
        try:
            return duckdb.connect(str(path))
        except duckdb.IOException as error:
            if "Could not set lock" in str(error) and time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            if path.is_file() and not os.access(path, os.W_OK):
                return duckdb.connect(str(path), read_only=True)
            raise CurationError(f"{path} cannot be opened: {error}") from None
