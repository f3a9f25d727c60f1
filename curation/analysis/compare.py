"""Two selections over one catalog, or two scores: what they share, and where they part.

Everything here is NumPy on columns in memory. At ten million samples the counts of two selections
take milliseconds and the ranks by two scores a few seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from curation import uids
from curation.catalog.catalog import Catalog, Mask
from curation.selection.decisions import Decisions
from curation.selection.recipe import Recipe, SetStep
from curation.selection.select import select, top

Part = Literal["only_a", "both", "only_b", "neither"]
PARTS: tuple[Part, ...] = ("only_a", "both", "only_b", "neither")
# The parts that one of the selections has.
SELECTED = PARTS[:3]

TOPS = (10, 20, 30)


@dataclass(frozen=True)
class Sets:
    """Two sets of a catalog's samples, each (N,) by rowid; a sample is in a set once."""

    a: Mask
    b: Mask

    def mask(self, part: Part) -> Mask:
        """The samples of a part (N,)."""
        match part:
            case "both":
                return self.a & self.b
            case "only_a":
                return self.a & ~self.b
            case "only_b":
                return self.b & ~self.a
            case "neither":
                return ~(self.a | self.b)

    @cached_property
    def counts(self) -> dict[Part, int]:
        """How many samples each part has."""
        both = int(np.count_nonzero(self.a & self.b))
        only_a = int(np.count_nonzero(self.a)) - both
        only_b = int(np.count_nonzero(self.b)) - both
        neither = len(self.a) - both - only_a - only_b
        return {"only_a": only_a, "both": both, "only_b": only_b, "neither": neither}

    @property
    def in_a(self) -> int:
        return self.counts["both"] + self.counts["only_a"]

    @property
    def in_b(self) -> int:
        return self.counts["both"] + self.counts["only_b"]

    @property
    def jaccard(self) -> float:
        """What both have, of what either has; NaN where both are empty."""
        return _ratio(self.counts["both"], self.in_a + self.in_b - self.counts["both"])

    @property
    def overlap(self) -> float:
        """What both have, of the smaller one (Szymkiewicz and Simpson); NaN where that is empty."""
        return _ratio(self.counts["both"], min(self.in_a, self.in_b))


@dataclass(frozen=True)
class Members:
    """The samples that a name stands for.

    Attributes:
        mask: (N,); a sample that a list repeats is in it once.
        absent: how many distinct uids of a list the catalog does not have.
    """

    mask: Mask
    absent: int = 0


def whole_pool(catalog: Catalog) -> Members:
    """The whole pool."""
    return Members(np.ones(len(catalog), dtype=bool))


def load_members(catalog: Catalog, decisions: Decisions, name: str) -> Members:
    """The samples of a saved selection or an imported uid list.

    Raises:
        CurationError: there is none of that name, or its recipe does not fit the catalog.
    """
    words = decisions.uid_list(name)
    if words is not None:
        return members_of_list(catalog, words)
    recipe = Recipe(name, (SetStep("intersect", name),))
    return Members(select(recipe, catalog, decisions).mask)


def members_of_list(catalog: Catalog, words: uids.Words) -> Members:
    """The samples of a list of uids (M, 2)."""
    distinct = words.take(uids.first_occurrences(words), axis=0)
    # A sorted list in the sorted catalog: one search follows another in memory.
    order = uids.order(catalog.uids.words)
    place = uids.find(distinct, catalog.uids.words.take(order, axis=0))
    known = place >= 0
    mask = np.zeros(len(catalog), dtype=bool)
    mask[order[place[known]]] = True
    return Members(mask, int(np.count_nonzero(~known)))


def sorted_rows(
    catalog: Catalog, score: str, among: Mask, best: bool, wanted: int
) -> NDArray[np.int64]:
    """The ``wanted`` best (or worst) of some samples, in order; those without the score last."""
    rows = np.flatnonzero(among)
    # NumPy puts NaN last.
    keys = catalog.array(score)[rows]
    return _first(rows, -keys if best else keys, wanted)


@dataclass(frozen=True)
class ScoreHistograms:
    """How a score is spread in each part.

    Attributes:
        edges: (bins + 1,), the same for all.
        counts: (bins,) each; those beyond the edges are in the outermost bins.
        missing: how many samples of each part have no such score.
    """

    edges: NDArray[np.float64]
    counts: Mapping[Part, NDArray[np.int64]]
    missing: Mapping[Part, int]


def score_histograms(catalog: Catalog, sets: Sets, score: str, bins: int) -> ScoreHistograms:
    """The distribution of a score in what both have and what only one has."""
    edges = catalog.ranks(score).bin_edges(bins)
    values = catalog.array(score)
    counts: dict[Part, NDArray[np.int64]] = {}
    missing: dict[Part, int] = {}
    for part in SELECTED:
        own = values[sets.mask(part)]
        known = own[~np.isnan(own)]
        place = np.searchsorted(edges[1:-1].astype(np.float32), known, side="right")
        counts[part] = np.bincount(place, minlength=bins)
        missing[part] = len(own) - len(known)
    return ScoreHistograms(edges, counts, missing)


@dataclass(frozen=True)
class RankComparison:
    """The samples that have two scores, ranked by each.

    Attributes:
        twice_a, twice_b: twice a sample's rank (N,), by rowid; 1 is the lowest, equal values
            share the mean of their ranks, and those without both scores have 0. Twice, since a
            mean may end in a half and whole numbers compare exactly.
        count: how many samples have both scores.
        spearman: the correlation of the ranks; NaN where one score has one value only.
        shared: for each of ``TOPS``, the share of the best so many percent by the one score that
            are also among those by the other; ties break by uid, as in a recipe.
    """

    twice_a: NDArray[np.int32]
    twice_b: NDArray[np.int32]
    count: int
    spearman: float
    shared: Mapping[int, float]

    def percentiles(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], ...]:
        """What percentage of the samples each of these is above, by a and by b; ties half."""
        # (rank − ½) / count
        return tuple(
            np.where(twice[rows] > 0, 50 * (twice[rows] - 1.0) / self.count, np.nan)
            for twice in (self.twice_a, self.twice_b)
        )

    def moved(self, up: bool, wanted: int) -> NDArray[np.int64]:
        """The samples that rise (or fall) most from a to b, the furthest first; ties by rowid."""
        change = self.twice_a - self.twice_b if up else self.twice_b - self.twice_a
        rows = np.flatnonzero(change < 0)
        return _first(rows, change[rows], wanted)

    @cached_property
    def moves(self) -> tuple[int, int]:
        """How many samples rise from a to b, and how many fall."""
        return (
            int(np.count_nonzero(self.twice_b > self.twice_a)),
            int(np.count_nonzero(self.twice_b < self.twice_a)),
        )

    def density(self, bins: int) -> NDArray[np.int64]:
        """Samples a cell of a grid over both percentiles, (bins, bins): row = b, column = a."""
        known = self.twice_a > 0
        flat = _cell(self.twice_b[known], self.count, bins) * bins
        flat += _cell(self.twice_a[known], self.count, bins)
        return np.bincount(flat, minlength=bins * bins).reshape(bins, bins)


def compare_ranks(catalog: Catalog, a: str, b: str) -> RankComparison:
    """The samples that have both scores, ranked by each."""
    known = ~(np.isnan(catalog.array(a)) | np.isnan(catalog.array(b)))
    count = int(np.count_nonzero(known))
    twice_a, twice_b = (_twice_ranks(catalog.array(name), known) for name in (a, b))
    shared = {}
    for percent in TOPS:
        wanted = round(percent / 100 * count)
        best = top(catalog, a, known, wanted) & top(catalog, b, known, wanted)
        shared[percent] = _ratio(int(np.count_nonzero(best)), wanted)
    spearman = _correlation(twice_a[known], twice_b[known])
    return RankComparison(twice_a, twice_b, count, spearman, shared)


def _twice_ranks(values: NDArray[np.float32], known: Mask) -> NDArray[np.int32]:
    own = values[known]
    order = np.argsort(own)
    ascending = own[order]
    new = np.ones(len(own), dtype=bool)
    new[1:] = ascending[1:] != ascending[:-1]
    starts = np.flatnonzero(new)
    ends = np.append(starts[1:], len(own))
    ranked = np.empty(len(own), dtype=np.int32)
    ranked[order] = np.repeat(starts + ends[: len(starts)] + 1, ends[: len(starts)] - starts)
    twice = np.zeros(len(values), dtype=np.int32)
    twice[known] = ranked
    return twice


def _correlation(twice_a: NDArray[np.int32], twice_b: NDArray[np.int32]) -> float:
    # The mean of 1 … n, twice, is n + 1 whatever is tied.
    mean = len(twice_a) + 1.0
    x, y = twice_a - mean, twice_b - mean
    spread = np.sqrt(x @ x) * np.sqrt(y @ y)
    return float(x @ y / spread) if spread else float("nan")


def _cell(twice: NDArray[np.int32], count: int, bins: int) -> NDArray[np.int64]:
    cells: NDArray[np.int64] = (twice.astype(np.int64) - 1) * bins // (2 * count)
    return cells


def _first(
    rows: NDArray[np.int64], keys: NDArray[np.float32] | NDArray[np.int32], wanted: int
) -> NDArray[np.int64]:
    """The rows with the ``wanted`` lowest keys, in order; ties by rowid."""
    if len(rows) > wanted:
        # Of those as low as the last one the first rows, which argpartition would not mind.
        last = np.partition(keys, wanted)[wanted]
        near = np.flatnonzero(~(keys > last))
        rows, keys = rows[near], keys[near]
    return rows[np.lexsort((rows, keys))][:wanted]


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
