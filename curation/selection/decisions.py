"""Saved selections and imported uid lists of a workspace, in ``curation.duckdb``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from curation import uids
from curation.errors import CurationError
from curation.selection.database import open_database
from curation.selection.recipe import Recipe, SetStep
from curation.storage.workspace import Workspace, check_name, now

_ALL_NAMES = "SELECT name FROM selections UNION ALL SELECT name FROM uid_lists ORDER BY name"


@dataclass(frozen=True)
class SavedSelection:
    """A saved selection. ``saved`` is the time of saving (ISO 8601, UTC)."""

    name: str
    recipe: Recipe
    saved: str


class Decisions:
    """The saved selections and uid lists of one workspace. They share one set of names."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, workspace: Workspace) -> Decisions:
        return cls(workspace.curation)

    def selection_names(self) -> list[str]:
        """The names of the saved selections, sorted."""
        if not self.path.is_file():
            return []
        with open_database(self.path) as db:
            rows = db.execute("SELECT name FROM selections ORDER BY 1").fetchall()
        return [name for (name,) in rows]

    def saved_selections(self) -> list[SavedSelection]:
        """The saved selections with their recipes, sorted by name."""
        if not self.path.is_file():
            return []
        with open_database(self.path) as db:
            rows = db.execute("SELECT name, recipe, saved FROM selections ORDER BY 1").fetchall()
        return [SavedSelection(name, _parse(name, text), saved) for name, text, saved in rows]

    def names(self) -> list[str]:
        """The names of the saved selections and the uid lists together, sorted."""
        if not self.path.is_file():
            return []
        with open_database(self.path) as db:
            return [name for (name,) in db.execute(_ALL_NAMES).fetchall()]

    def recipe(self, name: str) -> Recipe | None:
        """The recipe of a saved selection; None if no selection has that name."""
        if not self.path.is_file():
            return None
        with open_database(self.path) as db:
            query = "SELECT recipe FROM selections WHERE name = ?"
            row = db.execute(query, [name]).fetchone()
        return None if row is None else _parse(name, row[0])

    def uid_list(self, name: str) -> uids.Words | None:
        """The uids of an imported list, (M, 2) uint64, repeats kept; None if it does not exist."""
        if not self.path.is_file():
            return None
        with open_database(self.path) as db:
            if not db.execute("SELECT 1 FROM uid_lists WHERE name = ?", [name]).fetchone():
                return None
            query = "SELECT hi, lo FROM uid_list_members WHERE name = ?"
            columns = db.execute(query, [name]).fetchnumpy()
        return np.stack([columns["hi"], columns["lo"]], axis=1)

    def save_recipe(self, name: str, recipe: Recipe) -> None:
        """Save a selection; replaces a selection of that name.

        Raises:
            CurationError: the name is invalid or belongs to a uid list, or the recipe refers to it.
        """
        check_name(name, "selection")
        if _refers_to(recipe, name):
            raise CurationError(f"the recipe refers to {name!r}; save it under another name")
        with open_database(self.path) as db:
            if db.execute("SELECT 1 FROM uid_lists WHERE name = ?", [name]).fetchone():
                raise CurationError(f"{name!r} is a uid list; give the selection another name")
            values = [name, recipe.to_yaml(), now()]
            db.execute("INSERT OR REPLACE INTO selections VALUES (?, ?, ?)", values)
            db.execute("INSERT INTO log VALUES (?, 'save selection', ?)", [now(), name])

    def rename(self, name: str, new: str) -> None:
        """Rename a saved selection. A recipe called like the selection is renamed with it.

        Raises:
            CurationError: no selection has that name, another selection refers to it, or the new
                name is invalid or taken.
        """
        check_name(new, "selection")
        with open_database(self.path) as db:
            recipe = _unreferenced_recipe(db, name, "renamed")
            if (new,) in db.execute(_ALL_NAMES).fetchall():
                raise CurationError(
                    f"there is already a selection or uid list {new!r}; choose another name"
                )
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
            CurationError: no selection has that name, or another selection refers to it.
        """
        with open_database(self.path) as db:
            _unreferenced_recipe(db, name, "deleted")
            db.begin()
            db.execute("DELETE FROM selections WHERE name = ?", [name])
            db.execute("INSERT INTO log VALUES (?, 'delete selection', ?)", [now(), name])
            db.commit()

    def save_uid_list(self, name: str, words: uids.Words, source: str) -> None:
        """Save a list of uids, (M, 2) uint64; replaces a list of that name.

        Args:
            source: where the list comes from; kept for the record.

        Raises:
            CurationError: the name is invalid or belongs to a selection.
        """
        check_name(name, "uid list")
        batch = pa.table({"hi": words[:, 0], "lo": words[:, 1]})
        with open_database(self.path) as db:
            if db.execute("SELECT 1 FROM selections WHERE name = ?", [name]).fetchone():
                raise CurationError(f"{name!r} is a selection; give the list another name")
            db.begin()
            db.execute("DELETE FROM uid_list_members WHERE name = ?", [name])
            db.register("batch", batch)
            db.execute("INSERT INTO uid_list_members SELECT ?, hi, lo FROM batch", [name])
            db.execute("INSERT OR REPLACE INTO uid_lists VALUES (?, ?, ?)", [name, source, now()])
            db.execute("INSERT INTO log VALUES (?, 'import uids', ?)", [now(), name])
            db.commit()


def _unreferenced_recipe(db: duckdb.DuckDBPyConnection, name: str, change: str) -> Recipe:
    """The recipe of a saved selection to be ``change`` (renamed, deleted).

    Raises:
        CurationError: no selection has that name, or another selection refers to it.
    """
    rows = db.execute("SELECT name, recipe FROM selections ORDER BY 1").fetchall()
    recipes = {saved: _parse(saved, text) for saved, text in rows}
    if name not in recipes:
        raise CurationError(f"there is no saved selection {name!r}")
    users = [other for other, recipe in recipes.items() if _refers_to(recipe, name)]
    if users:
        raise CurationError(
            f"the selection {name!r} cannot be {change}: {', '.join(users)} "
            f"{'refers' if len(users) == 1 else 'refer'} to it"
        )
    return recipes[name]


def _refers_to(recipe: Recipe, name: str) -> bool:
    return any(isinstance(step, SetStep) and step.name == name for step in recipe.steps)


def _parse(name: str, text: str) -> Recipe:
    return Recipe.parse(text, f"the selection {name}")
