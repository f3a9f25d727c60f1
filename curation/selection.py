"""Selections: recipes evaluated over a catalog, in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from curation import uids, where
from curation.catalog import Catalog, Mask
from curation.errors import CurationError
from curation.recipe import Recipe, ScoreStep, SetStep, Step, WhereStep

if TYPE_CHECKING:
    from curation.decisions import Decisions

__all__ = ["Recipe", "Selection", "select", "top"]


@dataclass(frozen=True)
class Selection:
    """What a recipe keeps of a catalog.

    Attributes:
        mask: (N,) by rowid.
        left: how many samples were left after each step.
        unknown: uids of keep and drop that the catalog does not have.
    """

    recipe: Recipe
    mask: Mask
    left: tuple[int, ...]
    unknown: tuple[str, ...]
    words: uids.Words

    @property
    def count(self) -> int:
        return int(self.mask.sum())

    @property
    def fraction(self) -> float:
        return self.count / len(self.mask) if len(self.mask) else 0.0

    def digest(self) -> str:
        """The SHA-256 of the sorted uids, one a line."""
        return uids.digest(self.words[self.mask])


def select(recipe: Recipe, catalog: Catalog, decisions: Decisions | None = None) -> Selection:
    """Evaluate a recipe.

    Ties break by uid, a missing score is never selected by that score, and ``top: 0`` keeps
    nothing. ``decisions`` holds the saved selections and uid lists that set steps name.

    Raises:
        CurationError: a step names a score, column or list that is not there.
    """
    return _select(recipe, catalog, decisions, ())


def top(catalog: Catalog, score: str, among: Mask, wanted: int) -> Mask:
    """The ``wanted`` best of ``among`` by a score; ties go to the smaller uid."""
    values = catalog.array(score)
    candidates = np.flatnonzero(among & ~np.isnan(values))
    mask = np.zeros(len(catalog), dtype=bool)
    if wanted <= 0:
        return mask
    if wanted >= len(candidates):
        mask[candidates] = True
        return mask
    own = values[candidates]
    cut = np.partition(own, len(own) - wanted)[len(own) - wanted]
    mask[candidates[own > cut]] = True
    tied = candidates[own == cut]
    spare = wanted - int((own > cut).sum())
    mask[tied[uids.order(catalog.words[tied])][:spare]] = True
    return mask


def _select(
    recipe: Recipe, catalog: Catalog, decisions: Decisions | None, inside: tuple[str, ...]
) -> Selection:
    mask = np.ones(len(catalog), dtype=bool)
    left = []
    for step in recipe.steps:
        mask = _apply(step, mask, catalog, decisions, inside)
        left.append(int(mask.sum()))
    unknown: list[str] = []
    for marked, value in ((recipe.keep, True), (recipe.drop, False)):
        found, missing = _rows_of(catalog, marked)
        mask[found] = value
        unknown += missing
    return Selection(recipe, mask, tuple(left), tuple(unknown), catalog.words)


def _rows_of(catalog: Catalog, marked: tuple[str, ...]) -> tuple[NDArray[np.int64], list[str]]:
    """The rowids of some uids, and those the catalog does not have."""
    words = uids.to_words(marked)
    first = uids.first_of_each(words)
    place = uids.find(catalog.words, words[first])
    rows = np.flatnonzero(place >= 0)
    known = {int(first[p]) for p in place[rows]}
    return rows, [marked[int(position)] for position in first if int(position) not in known]


def _apply(
    step: Step, mask: Mask, catalog: Catalog, decisions: Decisions | None, inside: tuple[str, ...]
) -> Mask:
    match step:
        case ScoreStep(score, "at_least", value):
            return mask & (catalog.array(score) >= np.float32(value))
        case ScoreStep(score, "at_most", value):
            return mask & (catalog.array(score) <= np.float32(value))
        case ScoreStep(score, "count", value):
            return top(catalog, score, mask, int(value))
        case ScoreStep(score, "top", value, of):
            whole = len(catalog) if of == "pool" else int(mask.sum())
            return top(catalog, score, mask, round(value * whole))
        case WhereStep(text):
            condition = where.parse(text, catalog.columns)
            return mask & catalog.where(condition.sql, condition.parameters)
        case SetStep(operation, name):
            other = _named(name, catalog, decisions, inside)
            if operation == "union":
                return mask | other
            return mask & (other if operation == "intersect" else ~other)
    raise CurationError(f"{step!r} is not a step")


def _named(
    name: str, catalog: Catalog, decisions: Decisions | None, inside: tuple[str, ...]
) -> Mask:
    """The samples of a saved selection or an imported uid list."""
    if decisions is None:
        raise CurationError(f"there is no selection or uid list {name!r} here")
    if name in inside:
        raise CurationError(f"the selection {name!r} refers to itself")
    saved = decisions.recipe(name)
    if saved is not None:
        return _select(saved, catalog, decisions, (*inside, name)).mask
    listed = decisions.uid_list(name)
    if listed is not None:
        ranked = listed[uids.first_of_each(listed)]
        return uids.find(catalog.words, ranked) >= 0
    known = ", ".join(decisions.names()) or "none yet"
    raise CurationError(f"there is no selection or uid list {name!r}; there are: {known}")
