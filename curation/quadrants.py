"""Two scores against each other: threshold lines, the four quadrants, the density of all samples.

Everything here is NumPy on columns in memory: tens of milliseconds at ten million samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from curation.catalog import Catalog, Mask
from curation.errors import CurationError
from curation.recipe import Recipe, ScoreStep

By = Literal["top", "percentile", "value"]
BYS: tuple[By, ...] = ("top", "percentile", "value")

# A quadrant is named by its side of the x line, then of the y line.
Quadrant = Literal["high_high", "low_high", "high_low", "low_low"]
QUADRANTS: tuple[Quadrant, ...] = ("high_high", "low_high", "high_low", "low_low")


@dataclass(frozen=True)
class Cut:
    """A threshold as a person states it.

    ``top`` keeps that many percent of the scored samples, ``percentile`` lies above that many
    percent of them, ``value`` is in the score's own units.
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
        x_high, y_high = self.side("x", True), self.side("y", True)
        both = int(np.count_nonzero(x_high & y_high))
        x_scored, y_scored = (self._scored(name) for name in (self.x, self.y))
        x_only = int(np.count_nonzero(x_high & y_scored)) - both
        y_only = int(np.count_nonzero(y_high & x_scored)) - both
        scored = int(np.count_nonzero(x_scored & y_scored))
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


def line(catalog: Catalog, score: str, cut: Cut) -> float:
    """Where a cut lies, in the score's units; NaN where no sample has the score."""
    if cut.by == "value":
        return float(cut.at)
    ranked = catalog.ranked(score)
    if not len(ranked):
        return float("nan")
    below = cut.at / 100 if cut.by == "percentile" else 1 - cut.at / 100
    position = round(below * len(ranked))
    if position >= len(ranked):
        return float(np.nextafter(ranked[-1], np.float32(np.inf)))
    return float(ranked[max(position, 0)])


def restate(catalog: Catalog, score: str, at_line: float, by: By) -> float:
    """A line in the score's units as a cut of another kind."""
    if by == "value":
        return at_line
    ranked = catalog.ranked(score)
    if not len(ranked):
        return 0.0
    below = float(np.searchsorted(ranked, np.float32(at_line), side="left")) / len(ranked)
    return 100 * below if by == "percentile" else 100 * (1 - below)


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
        known = view.catalog.ranked(name)
        low, middle, high = known[len(known) // 4], known[len(known) // 2], known[-len(known) // 4]
        total += (view.catalog.array(name)[rows] - middle) / max(high - low, np.float32(1e-6))
    keys = -total if best else total
    if len(rows) > wanted:
        first = np.argpartition(keys, wanted)[:wanted]
        rows, keys = rows[first], keys[first]
    return rows[np.argsort(keys, kind="stable")]


@dataclass(frozen=True)
class Density:
    """How many samples lie in each cell of a grid over two scores.

    Attributes:
        cells: (bins, bins), row = y, column = x.
        x_edges, y_edges: (bins + 1,).
        clipped: samples beyond the edges, counted in the outermost cells.
    """

    cells: NDArray[np.int64]
    x_edges: NDArray[np.float64]
    y_edges: NDArray[np.float64]
    clipped: int


def density(catalog: Catalog, x: str, y: str) -> Density:
    """The density of all samples that have both scores; finer where there are more samples."""
    scored = int(min(len(catalog.ranked(x)), len(catalog.ranked(y))))
    bins = int(np.clip(round(1.5 * np.sqrt(scored)), 20, 200))
    x_edges, y_edges = edges(catalog, x, bins), edges(catalog, y, bins)
    x_values, y_values = catalog.array(x), catalog.array(y)
    known = ~(np.isnan(x_values) | np.isnan(y_values))
    if not known.all():
        x_values, y_values = x_values[known], y_values[known]
    flat = _cell(y_values, y_edges).astype(np.int32) * bins + _cell(x_values, x_edges)
    cells = np.bincount(flat, minlength=bins * bins).reshape(bins, bins)
    beyond = np.zeros(len(x_values), dtype=bool)
    for values, bounds in ((x_values, x_edges), (y_values, y_edges)):
        beyond |= (values < bounds[0]) | (values > bounds[-1])
    return Density(cells, x_edges, y_edges, int(np.count_nonzero(beyond)))


def edges(catalog: Catalog, score: str, bins: int) -> NDArray[np.float64]:
    """Equal bins over a score's range; far outliers do not stretch it."""
    ranked = catalog.ranked(score)
    ranked = ranked[np.isfinite(ranked)]
    if not len(ranked):
        return np.linspace(0, 1, bins + 1)
    low, high = float(ranked[0]), float(ranked[-1])
    # A thousandth at either end, but at least one, may be far away.
    ends = max(1, len(ranked) // 1000) if len(ranked) > 20 else 0
    inner_low, inner_high = float(ranked[ends]), float(ranked[-1 - ends])
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


def _cell(values: NDArray[np.float32], bounds: NDArray[np.float64]) -> NDArray[np.int16]:
    bins = len(bounds) - 1
    scale = np.float32(bins / (bounds[-1] - bounds[0]))
    position = (values - np.float32(bounds[0])) * scale
    cells: NDArray[np.int16] = np.clip(position, 0, bins - 1).astype(np.int16)
    return cells


def _step(score: str, at_line: float, high: bool) -> ScoreStep:
    edge = np.float32(at_line)
    if not high:
        edge = np.nextafter(edge, np.float32(-np.inf))
    # The shortest decimal that is this float32, so that the recipe reads well and is exact.
    return ScoreStep(score, "at_least" if high else "at_most", float(str(edge)))
