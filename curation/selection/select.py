"""Evaluates a recipe over a catalog: which samples it selects, and which step left a sample out."""

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

Copies = NDArray[np.uint16]


@dataclass(frozen=True)
class NamedSet:
    """A saved selection or uid list that a recipe refers to, as it was at the evaluation.

    Attributes:
        recipe: the recipe of a saved selection; None for a uid list.
        load_uids: returns the uids, (M, 2) uint64, in any order.
    """

    name: str
    recipe: Recipe | None
    load_uids: Callable[[], uids.Words]

    @cached_property
    def sorted_uids(self) -> uids.Words:
        """The sorted uids, (M, 2) uint64, repeats kept."""
        words = self.load_uids()
        return words.take(uids.order(words), axis=0)


@dataclass(frozen=True)
class Selection:
    """The samples that a recipe selects from a catalog.

    Attributes:
        copies: how many times each sample is selected, (N,) uint16, by rowid. It is 0 or 1, or
            more where a uid list repeats the sample.
        remaining: how many samples are selected after each step, repeats counted.
        unknown: the uids in the recipe's keep and drop that the catalog does not contain.
        sets: the saved selections and uid lists that the recipe refers to, and those that they
            refer to in turn.
    """

    recipe: Recipe
    copies: Copies
    remaining: tuple[int, ...]
    unknown: tuple[str, ...]
    catalog: Catalog
    sets: tuple[NamedSet, ...] = ()

    @cached_property
    def mask(self) -> Mask:
        """Which samples are selected, (N,) bool, by rowid."""
        return self.copies > 0

    @cached_property
    def count(self) -> int:
        """How many samples are selected, repeats counted."""
        return int(self.copies.sum())

    @property
    def fraction(self) -> float:
        """``count`` as a fraction of the pool."""
        return self.count / len(self.copies) if len(self.copies) else 0.0

    @cached_property
    def sorted_uids(self) -> uids.Words:
        """The sorted uids, (M, 2) uint64, repeats kept."""
        words = self.catalog.uids.words.take(np.flatnonzero(self.mask), axis=0)
        if self.count > len(words):
            words = np.repeat(words, self.copies[self.mask], axis=0)
        return words.take(uids.order(words), axis=0)

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the sorted uids, one a line."""
        return uids.digest(self.sorted_uids)


@dataclass(frozen=True)
class Walk:
    """A recipe evaluated step by step, up to the first step with an error.

    Attributes:
        selection: the result of the steps before the error, with the recipe's keep and drop.
        left_out_by: which step left a sample out, (N,) uint16, by rowid. Steps count from 1; the
            number of steps plus one stands for the recipe's ``drop``; 0 is a selected sample.
        problem: the error; None if there is none.
    """

    selection: Selection
    left_out_by: NDArray[np.uint16]
    problem: CurationError | None = None


def select(recipe: Recipe, catalog: Catalog, decisions: Decisions | None = None) -> Selection:
    """Evaluate a recipe.

    Equal scores are ordered by uid, smaller first. A sample without a score is never selected by
    that score. ``top: 0`` selects nothing.

    Args:
        decisions: the saved selections and uid lists that set steps can name.

    Raises:
        CurationError: a step names a score, column, selection or list that does not exist.
    """
    return _Evaluation(catalog, decisions).select(recipe)


def walk(recipe: Recipe, catalog: Catalog, decisions: Decisions | None = None) -> Walk:
    """Evaluate a recipe like ``select``, but record which step left each sample out.

    It stops before the first step with an error. A sample that a later ``union`` adds again does
    not count as left out.
    """
    evaluation = _Evaluation(catalog, decisions)
    copies = evaluation.whole_pool()
    left_out_by = np.zeros(len(catalog), dtype=np.uint16)
    remaining: list[int] = []
    problem = None
    for number, step in enumerate(recipe.steps, 1):
        try:
            after = evaluation.apply(step, copies)
        except CurationError as error:
            problem = error
            break
        _note_left_out(left_out_by, copies, after, number)
        copies = after
        remaining.append(int(copies.sum()))
    evaluated = replace(recipe, steps=recipe.steps[: len(remaining)])
    selection = evaluation.finish(evaluated, copies.copy(), remaining)
    _note_left_out(left_out_by, copies, selection.copies, len(recipe.steps) + 1)
    return Walk(selection, left_out_by, problem)


def top(catalog: Catalog, score: str, candidates: Mask, count: int) -> Mask:
    """The ``count`` candidates with the highest score, (N,) bool; ties go to the smaller uid."""
    return top_by_value(catalog, catalog.array(score), candidates, count)


def top_by_value(
    catalog: Catalog, values: NDArray[np.float32], candidates: Mask, count: int
) -> Mask:
    """The ``count`` candidates with the highest values, (N,) bool; ties go to the smaller uid.

    Args:
        values: one value a sample, (N,) float32, by rowid. NaN is never selected.
        candidates: the samples to choose from, (N,) bool, by rowid.
    """
    usable = candidates & ~np.isnan(values)
    if count <= 0:
        return np.zeros(len(values), dtype=bool)
    usable_values = values[usable]
    if count >= len(usable_values):
        return usable
    cutoff = np.partition(usable_values, len(usable_values) - count)[len(usable_values) - count]
    mask: Mask = usable & (values > cutoff)
    tied = np.flatnonzero(usable & (values == cutoff))
    missing = count - int(np.count_nonzero(mask))
    if missing < len(tied):
        tied = tied[uids.order(catalog.uids.words_of(tied))][:missing]
    mask[tied] = True
    return mask


class _Evaluation:
    """Evaluates recipes over one catalog, and collects the named sets that they refer to."""

    def __init__(self, catalog: Catalog, decisions: Decisions | None) -> None:
        self.catalog = catalog
        self.decisions = decisions
        self.sets: dict[str, NamedSet] = {}

    def whole_pool(self) -> Copies:
        return np.ones(len(self.catalog), dtype=np.uint16)

    def select(self, recipe: Recipe, enclosing: tuple[str, ...] = ()) -> Selection:
        """Evaluate a recipe. ``enclosing`` names the selections that refer to it."""
        copies = self.whole_pool()
        remaining: list[int] = []
        for step in recipe.steps:
            copies = self.apply(step, copies, enclosing)
            remaining.append(int(copies.sum()))
        return self.finish(recipe, copies, remaining)

    def apply(self, step: Step, copies: Copies, enclosing: tuple[str, ...] = ()) -> Copies:
        """The result of a step on the result of the steps before it."""
        if isinstance(step, SetStep):
            return _combine(step.operation, copies, self._named_set(step.name, enclosing))
        return copies * self._filter(step, copies > 0)

    def finish(self, recipe: Recipe, copies: Copies, remaining: list[int]) -> Selection:
        """Apply the recipe's keep and drop to the result of its steps; modifies ``copies``."""
        keep, unknown_keep = self._rows_of(recipe.keep)
        drop, unknown_drop = self._rows_of(recipe.drop)
        copies[keep] = np.maximum(copies[keep], 1)
        copies[drop] = 0
        unknown = (*unknown_keep, *unknown_drop)
        sets = tuple(self.sets.values())
        return Selection(recipe, copies, tuple(remaining), unknown, self.catalog, sets)

    def _filter(self, step: ScoreStep | WhereStep, mask: Mask) -> Mask:
        """Which of the samples in ``mask`` a step keeps."""
        catalog = self.catalog
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

    def _named_set(self, name: str, enclosing: tuple[str, ...]) -> Copies:
        """How many times each sample is in a saved selection or uid list."""
        if self.decisions is None:
            raise CurationError(f"there is no selection or uid list {name!r} here")
        if name in enclosing:
            raise CurationError(f"the selection {name!r} refers to itself")
        recipe = self.decisions.recipe(name)
        if recipe is not None:
            selection = self.select(recipe, (*enclosing, name))
            self.sets[name] = NamedSet(name, recipe, lambda: selection.sorted_uids)
            return selection.copies
        words = self.decisions.uid_list(name)
        if words is None:
            known = ", ".join(self.decisions.names()) or "none yet"
            raise CurationError(f"there is no selection or uid list {name!r}; there are: {known}")
        self.sets[name] = NamedSet(name, None, lambda: words)
        first, counts = uids.first_and_counts(words)
        position = uids.find(self.catalog.uids.words, words[first])
        in_list = position >= 0
        copies = np.zeros(len(self.catalog), dtype=np.uint16)
        copies[in_list] = np.minimum(counts[position[in_list]], np.iinfo(np.uint16).max)
        return copies

    def _rows_of(self, marked: tuple[str, ...]) -> tuple[NDArray[np.int64], list[str]]:
        """The rowids of some uids, and the distinct uids that the catalog does not contain."""
        located = self.catalog.uids.find_rows(marked)
        distinct = [marked[first] for first in uids.first_occurrences(uids.to_words(marked))]
        rows = np.array(list(located.values()), dtype=np.int64)
        return rows, [uid for uid in distinct if uid not in located]


def _combine(operation: str, copies: Copies, other: Copies) -> Copies:
    """The union or intersection of two multisets; ``except`` removes all copies of a sample."""
    match operation:
        case "union":
            return np.maximum(copies, other)
        case "intersect":
            return np.minimum(copies, other)
        case _:
            return np.where(other == 0, copies, np.uint16(0))


def _note_left_out(
    left_out_by: NDArray[np.uint16], before: Copies, after: Copies, number: int
) -> None:
    """Record which samples step ``number`` left out, and clear those that it added again."""
    left_out_by[(before > 0) & (after == 0)] = number
    left_out_by[(before == 0) & (after > 0)] = 0
