"""Two scores against each other: threshold lines, the four quadrants, what lies beside a line.

Everything here is NumPy on columns in memory: tens of milliseconds at ten million samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from curation.catalog import Catalog, Mask
from curation.errors import CurationError
from curation.recipe import Recipe, ScoreStep

By = Literal["top", "left", "count", "percentile", "value"]
BYS: tuple[By, ...] = ("top", "left", "count", "percentile", "value")
# These depend on what the other line leaves.
OF_THE_LEFT: tuple[By, ...] = ("left", "count")

# A quadrant is named by its side of the x line, then of the y line.
Quadrant = Literal["high_high", "low_high", "high_low", "low_low"]
QUADRANTS: tuple[Quadrant, ...] = ("high_high", "low_high", "high_low", "low_low")


@dataclass(frozen=True)
class Cut:
    """A threshold as a person states it.

    ``top`` keeps that many percent of the scored samples, ``percentile`` lies above that many
    percent of them, ``value`` is in the score's own units. Of the samples that the other line
    leaves, ``left`` keeps that many percent and ``count`` that many.
    """

    by: By
    at: float


@dataclass(frozen=True)
class View:
    """Two scores and a line across each: a sample on a line is on its high side."""

    catalog: Catalog
    x: str
    y: str
    x_line: float
    y_line: float

    def side(self, axis: Literal["x", "y"], high: bool) -> Mask:
        """The samples on one side of a line (N,); those without the score are on neither."""
        values = self.catalog.array(self.x if axis == "x" else self.y)
        line = np.float32(self.x_line if axis == "x" else self.y_line)
        return values >= line if high else values < line

    def mask(self, quadrant: Quadrant) -> Mask:
        """The samples of a quadrant (N,)."""
        x_side, y_side = quadrant.split("_")
        return self.side("x", x_side == "high") & self.side("y", y_side == "high")

    def counts(self) -> dict[Quadrant, int]:
        """How many samples each quadrant has; those without both scores are in none."""
        return dict(self._counts)

    @cached_property
    def _counts(self) -> dict[Quadrant, int]:
        x_high, y_high = self.side("x", True), self.side("y", True)
        both = int(np.count_nonzero(x_high & y_high))
        # Only where a score is missing does it take another look at every sample.
        if all(len(self.catalog.ranks(n)) == len(self.catalog) for n in (self.x, self.y)):
            scored = len(self.catalog)
        else:
            x_scored, y_scored = (self._scored(name) for name in (self.x, self.y))
            scored = int(np.count_nonzero(x_scored & y_scored))
            x_high &= y_scored
            y_high &= x_scored
        x_only, y_only = (int(np.count_nonzero(high)) - both for high in (x_high, y_high))
        return {
            "high_high": both,
            "low_high": y_only,
            "high_low": x_only,
            "low_low": scored - both - x_only - y_only,
        }

    def box(self, x_range: tuple[float, float], y_range: tuple[float, float]) -> Mask:
        """The samples in a rectangle (N,), its edges included."""
        mask = np.ones(len(self.catalog), dtype=bool)
        for name, (low, high) in ((self.x, x_range), (self.y, y_range)):
            values = self.catalog.array(name)
            mask &= (values >= np.float32(low)) & (values <= np.float32(high))
        return mask

    def recipe(
        self,
        quadrant: Quadrant,
        name: str,
        keep: tuple[str, ...] = (),
        drop: tuple[str, ...] = (),
    ) -> Recipe:
        """The recipe that selects exactly a quadrant's samples, but for uids to keep and to drop.

        Raises:
            CurationError: no sample has one of the scores, so there is no line.
        """
        for score, at in ((self.x, self.x_line), (self.y, self.y_line)):
            if np.isnan(at):
                raise CurationError(f"no sample has the score {score}: there is nothing to select")
        steps = [
            _step(score, line, side == "high")
            for score, line, side in zip(
                (self.x, self.y), (self.x_line, self.y_line), quadrant.split("_"), strict=True
            )
        ]
        return Recipe(name, tuple(steps), keep, drop)

    def _scored(self, name: str) -> Mask:
        return ~np.isnan(self.catalog.array(name))


def line(catalog: Catalog, score: str, cut: Cut, among: Mask | None = None) -> float:
    """Where a cut lies, in the score's units; NaN where no sample has the score.

    Args:
        among: the samples that the other line leaves, for a cut of those; without it of all.
    """
    if cut.by == "value":
        return float(cut.at)
    ranks = catalog.ranks(score)
    if not len(ranks):
        return float("nan")
    left = None
    if cut.by in OF_THE_LEFT and among is not None:
        left = catalog.array(score)[among]
        left = left[~np.isnan(left)]
    whole = len(ranks if left is None else left)
    if cut.by == "count":
        position = whole - round(cut.at)
    else:
        below = cut.at if cut.by == "percentile" else 100 - cut.at
        # Rounded twice: 30 % of the samples are as many however the 30 was come by.
        position = round(round(below / 100 * whole, 6))
    position = max(position, 0)
    if position >= whole:
        return _above(catalog, score)
    return ranks.at(position) if left is None else float(np.partition(left, position)[position])


def lines(catalog: Catalog, x: str, y: str, x_cut: Cut, y_cut: Cut) -> tuple[float, float]:
    """Both lines; a cut of what the other line leaves comes after it.

    Where both are of the kind, the first is one of all samples.
    """
    if x_cut.by in OF_THE_LEFT and y_cut.by not in OF_THE_LEFT:
        y_line, x_line = lines(catalog, y, x, y_cut, x_cut)
        return x_line, y_line
    x_line = line(catalog, x, x_cut)
    among = catalog.array(x) >= np.float32(x_line) if y_cut.by in OF_THE_LEFT else None
    return x_line, line(catalog, y, y_cut, among)


def restate(
    catalog: Catalog, score: str, at_line: float, by: By, among: Mask | None = None
) -> float:
    """A line in the score's units as a cut of another kind."""
    if by == "value":
        return at_line
    edge = np.float32(at_line)
    if by in OF_THE_LEFT and among is not None:
        values = catalog.array(score)[among]
        known = int(np.count_nonzero(~np.isnan(values)))
        kept = int(np.count_nonzero(values >= edge))
    else:
        ranks = catalog.ranks(score)
        known, kept = len(ranks), len(ranks) - ranks.below(at_line)
    if by == "count":
        return float(kept)
    if not known:
        return 0.0
    return 100 * float(known - kept if by == "percentile" else kept) / known


def nearest(
    catalog: Catalog, score: str, at_line: float, among: Mask, inside: bool, wanted: int
) -> NDArray[np.int64]:
    """The samples of ``among`` closest to a line on its high or its low side, nearest first."""
    values = catalog.array(score)
    edge = np.float32(at_line)
    candidates = np.flatnonzero(among & (values >= edge if inside else values < edge))
    distance = np.abs(values[candidates] - edge)
    if len(candidates) > wanted:
        closest = np.argpartition(distance, wanted)[:wanted]
        candidates, distance = candidates[closest], distance[closest]
    return candidates[np.lexsort((candidates, distance))]


def ranked_rows(view: View, rows: NDArray[np.int64], best: bool, wanted: int) -> NDArray[np.int64]:
    """Of these samples, the ``wanted`` best (or worst) by both scores together, in order.

    Each score counts by its distance from its median, in units of its inner half, so that
    neither score's scale decides.
    """
    if not len(rows):
        return rows
    total = np.zeros(len(rows), dtype=np.float32)
    for name in (view.x, view.y):
        known = view.catalog.ranks(name)
        low, middle, high = (known.at(part * len(known) // 4) for part in (1, 2, 3))
        total += (view.catalog.array(name)[rows] - np.float32(middle)) / max(high - low, 1e-6)
    keys = -total if best else total
    if len(rows) > wanted:
        first = np.argpartition(keys, wanted)[:wanted]
        rows, keys = rows[first], keys[first]
    return rows[np.argsort(keys, kind="stable")]


def errors(catalog: Catalog, score: str) -> NDArray[np.float32] | None:
    """The standard errors of a score, (N,); None where it has none."""
    name = f"{score}_se"
    known = name in catalog.columns and catalog.column(name).of == score
    return catalog.array(name) if known else None


def uncertain(
    view: View, axis: Literal["x", "y"], wanted: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The samples most likely to change sides of a line if the score were measured again.

    Returns:
        Rowids, most likely first, of samples on the other line's high side; and how many standard
        errors each lies from the line: the chance is Φ of minus that. None where the score has no
        standard error or every one is 0.
    """
    name, at_line = (view.x, view.x_line) if axis == "x" else (view.y, view.y_line)
    spread = errors(view.catalog, name)
    if spread is None or np.isnan(at_line):
        return np.empty(0, np.int64), np.empty(0, np.float32)
    rows = np.flatnonzero(view.side("y" if axis == "x" else "x", True) & (spread > 0))
    distance = np.abs(view.catalog.array(name)[rows] - np.float32(at_line)) / spread[rows]
    rows, distance = rows[~np.isnan(distance)], distance[~np.isnan(distance)]
    if len(rows) > wanted:
        first = np.argpartition(distance, wanted)[:wanted]
        rows, distance = rows[first], distance[first]
    order = np.lexsort((rows, distance))
    return rows[order], distance[order]


def ends(catalog: Catalog, score: str) -> tuple[float, float] | None:
    """A score's least and greatest value but infinity; None where there is none."""
    ranks = catalog.ranks(score)
    return (ranks.least, ranks.greatest) if ranks.least <= ranks.greatest else None


def edges(catalog: Catalog, score: str, bins: int) -> NDArray[np.float64]:
    """Equal bins over a score's range; far outliers do not stretch it."""
    whole = ends(catalog, score)
    if whole is None:
        return np.linspace(0, 1, bins + 1)
    low, high = whole
    ranks = catalog.ranks(score)
    # A thousandth at either end, but at least one, may be far away.
    out = max(1, len(ranks) // 1000) if len(ranks) > 20 else 0
    inner_low, inner_high = ranks.about(out), ranks.about(len(ranks) - 1 - out)
    spread = inner_high - inner_low
    if spread > 0:
        low, high = max(low, inner_low - spread / 2), min(high, inner_high + spread / 2)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, bins + 1)


def histogram(catalog: Catalog, score: str, bounds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Samples a bin; those beyond the bounds are in the outermost bins."""
    ranked = catalog.ranked(score)
    below = np.searchsorted(ranked, bounds[1:-1].astype(np.float32), side="left")
    return np.diff(np.concatenate([[0], below, [len(ranked)]]))


def _above(catalog: Catalog, score: str) -> float:
    """Just above every sample."""
    ranks = catalog.ranks(score)
    return float(np.nextafter(np.float32(ranks.at(len(ranks) - 1)), np.float32(np.inf)))


def _step(score: str, at_line: float, high: bool) -> ScoreStep:
    edge = np.float32(at_line)
    if not high:
        edge = np.nextafter(edge, np.float32(-np.inf))
    # The shortest decimal that is this float32, so that the recipe reads well and is exact.
    return ScoreStep(score, "at_least" if high else "at_most", float(str(edge)))
