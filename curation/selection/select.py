"""Selections: recipes evaluated over a catalog, in milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from curation import uids
from curation.catalog.catalog import Catalog, Mask
from curation.errors import CurationError
from curation.selection import where
from curation.selection.recipe import Recipe, ScoreStep, SetStep, Step, WhereStep

if TYPE_CHECKING:
    from curation.selection.decisions import Decisions

__all__ = ["Recipe", "Selection", "Times", "Walk", "select", "top", "walk"]

Times = NDArray[np.uint16]


@dataclass(frozen=True)
class NamedSet:
    """A saved selection or a uid list that a recipe refers to, as it was when it was evaluated.

    Attributes:
        recipe: of a saved selection.
    """

    name: str
    recipe: Recipe | None
    words_of: Callable[[], uids.Words]

    @cached_property
    def ranked(self) -> uids.Words:
        """Its sorted uids, shape (M, 2), repeats kept."""
        words = self.words_of()
        return words.take(uids.order(words), axis=0)


@dataclass(frozen=True)
class Selection:
    """What a recipe keeps of a catalog.

    Attributes:
        times: how often each sample is in it, (N,) uint16, by rowid: 0 or 1, more where a list of
            uids repeats it.
        left: how many samples were left after each step.
        unknown: uids of keep and drop that the catalog does not have.
        sets: the selections and lists that the recipe refers to, and those that they do.
    """

    recipe: Recipe
    times: Times
    left: tuple[int, ...]
    unknown: tuple[str, ...]
    catalog: Catalog
    sets: tuple[NamedSet, ...] = ()

    @cached_property
    def mask(self) -> Mask:
        """Which samples are in it, (N,) by rowid."""
        return self.times > 0

    @cached_property
    def count(self) -> int:
        """How many samples are in it, repeats counted."""
        return int(self.times.sum())

    @property
    def fraction(self) -> float:
        return self.count / len(self.times) if len(self.times) else 0.0

    @cached_property
    def ranked(self) -> uids.Words:
        """The sorted uids, shape (M, 2), repeats kept."""
        words = self.catalog.words.take(np.flatnonzero(self.mask), axis=0)
        if self.count > len(words):
            words = np.repeat(words, self.times[self.mask], axis=0)
        return words.take(uids.order(words), axis=0)

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the sorted uids, one a line."""
        return uids.digest(self.ranked)


@dataclass(frozen=True)
class Walk:
    """A recipe followed step by step, as far as that goes.

    Attributes:
        selection: what the steps that could be followed keep, and then the recipe's own uids.
        left_out_by: (N,) uint16, by rowid: the number of the step that left a sample out, from 1;
            one more than there are steps for the recipe's ``drop``; 0 for what is selected.
        problem: what is wrong with the first step that could not be followed, if one could not.
    """

    selection: Selection
    left_out_by: Times
    problem: CurationError | None = None


def select(recipe: Recipe, catalog: Catalog, decisions: Decisions | None = None) -> Selection:
    """Evaluate a recipe.

    Ties break by uid, a missing score is never selected by that score, and ``top: 0`` keeps
    nothing. ``decisions`` holds the saved selections and uid lists that set steps name.

    Raises:
        CurationError: a step names a score, column or list that is not there.
    """
    return _select(recipe, catalog, decisions, (), {})


def walk(recipe: Recipe, catalog: Catalog, decisions: Decisions | None = None) -> Walk:
    """Evaluate a recipe as ``select`` does, up to a step that is wrong, and tell the steps apart.

    What a later ``union`` brings back was not left out.
    """
    times = np.ones(len(catalog), dtype=np.uint16)
    left_out_by = np.zeros(len(catalog), dtype=np.uint16)
    left: list[int] = []
    sets: dict[str, NamedSet] = {}
    problem = None
    for number, step in enumerate(recipe.steps, 1):
        try:
            after = _after(step, times, catalog, decisions, (), sets)
        except CurationError as error:
            problem = error
            break
        _tell_apart(left_out_by, times, after, number)
        times = after
        left.append(int(times.sum()))
    followed = replace(recipe, steps=recipe.steps[: len(left)])
    selection = _marked(followed, times.copy(), tuple(left), catalog, sets)
    _tell_apart(left_out_by, times, selection.times, len(recipe.steps) + 1)
    return Walk(selection, left_out_by, problem)


def top(catalog: Catalog, score: str, among: Mask, wanted: int) -> Mask:
    """The ``wanted`` best of ``among`` by a score; ties go to the smaller uid."""
    return best(catalog, catalog.array(score), among, wanted)


def best(catalog: Catalog, values: NDArray[np.float32], among: Mask, wanted: int) -> Mask:
    """The ``wanted`` best of ``among`` by their values, (N,); ties go to the smaller uid."""
    usable = among & ~np.isnan(values)
    if wanted <= 0:
        return np.zeros(len(values), dtype=bool)
    own = values[usable]
    if wanted >= len(own):
        return usable
    cut = np.partition(own, len(own) - wanted)[len(own) - wanted]
    mask: Mask = usable & (values > cut)
    tied = np.flatnonzero(usable & (values == cut))
    spare = wanted - int(np.count_nonzero(mask))
    if spare < len(tied):
        tied = tied[uids.order(catalog.words_of(tied))][:spare]
    mask[tied] = True
    return mask


def _select(
    recipe: Recipe,
    catalog: Catalog,
    decisions: Decisions | None,
    inside: tuple[str, ...],
    sets: dict[str, NamedSet],
) -> Selection:
    """As ``select``. ``inside`` are the selections this one is part of; ``sets`` collects."""
    times = np.ones(len(catalog), dtype=np.uint16)
    left = []
    for step in recipe.steps:
        times = _after(step, times, catalog, decisions, inside, sets)
        left.append(int(times.sum()))
    return _marked(recipe, times, tuple(left), catalog, sets)


def _after(
    step: Step,
    times: Times,
    catalog: Catalog,
    decisions: Decisions | None,
    inside: tuple[str, ...],
    sets: dict[str, NamedSet],
) -> Times:
    """What a step makes of what the steps before it left."""
    if isinstance(step, SetStep):
        other = _named(step.name, catalog, decisions, inside, sets)
        return _combine(step.operation, times, other)
    return times * _kept(step, times > 0, catalog)


def _tell_apart(left_out_by: Times, before: Times, after: Times, number: int) -> None:
    """Note which samples a step left out, and forget those that it brought back."""
    left_out_by[(before > 0) & (after == 0)] = number
    left_out_by[(before == 0) & (after > 0)] = 0


def _marked(
    recipe: Recipe, times: Times, left: tuple[int, ...], catalog: Catalog, sets: dict[str, NamedSet]
) -> Selection:
    """What the steps left, with the recipe's own uids in it and out of it; changes ``times``."""
    unknown: list[str] = []
    for marked, value in ((recipe.keep, True), (recipe.drop, False)):
        found, missing = _rows_of(catalog, marked)
        times[found] = np.maximum(times[found], 1) if value else 0
        unknown += missing
    return Selection(recipe, times, left, tuple(unknown), catalog, tuple(sets.values()))


def _rows_of(catalog: Catalog, marked: tuple[str, ...]) -> tuple[NDArray[np.int64], list[str]]:
    """The rowids of some uids, and those the catalog does not have."""
    found = catalog.located(marked)
    distinct = [marked[first] for first in uids.first_of_each(uids.to_words(marked))]
    rows = np.array(list(found.values()), dtype=np.int64)
    return rows, [uid for uid in distinct if uid not in found]


def _kept(step: ScoreStep | WhereStep, mask: Mask, catalog: Catalog) -> Mask:
    """Which of the samples in ``mask`` a step keeps."""
    match step:
        case ScoreStep(score, "at_least", value):
            return mask & (catalog.array(score) >= np.float32(value))
        case ScoreStep(score, "at_most", value):
            return mask & (catalog.array(score) <= np.float32(value))
        case ScoreStep(score, "count", value):
            return top(catalog, score, mask, int(value))
        case ScoreStep(score, _, value, of):
            whole = len(catalog) if of == "pool" else int(mask.sum())
            return top(catalog, score, mask, round(value * whole))
        case WhereStep(text):
            condition = where.parse(text, catalog.columns)
            return mask & catalog.where(condition.sql, condition.parameters)


def _combine(operation: str, times: Times, other: Times) -> Times:
    """Two selections as multisets: what either has, what both have, what the other lacks."""
    if operation == "union":
        return np.maximum(times, other)
    return np.minimum(times, other) if operation == "intersect" else times * (other == 0)


def _named(
    name: str,
    catalog: Catalog,
    decisions: Decisions | None,
    inside: tuple[str, ...],
    sets: dict[str, NamedSet],
) -> Times:
    """How often each sample is in a saved selection or an imported uid list."""
    if decisions is None:
        raise CurationError(f"there is no selection or uid list {name!r} here")
    if name in inside:
        raise CurationError(f"the selection {name!r} refers to itself")
    saved = decisions.recipe(name)
    if saved is not None:
        found = _select(saved, catalog, decisions, (*inside, name), sets)
        sets[name] = NamedSet(name, saved, lambda: found.ranked)
        return found.times
    listed = decisions.uid_list(name)
    if listed is not None:
        sets[name] = NamedSet(name, None, lambda: listed)
        first, counts = uids.counted(listed)
        place = uids.find(catalog.words, listed[first])
        times = np.zeros(len(catalog), dtype=np.uint16)
        there = place >= 0
        times[there] = np.minimum(counts[place[there]], np.iinfo(np.uint16).max)
        return times
    known = ", ".join(decisions.names()) or "none yet"
    raise CurationError(f"there is no selection or uid list {name!r}; there are: {known}")
