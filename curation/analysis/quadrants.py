"""Two scores against each other: threshold lines, the four quadrants, what lies beside a line.

Everything here is NumPy on columns in memory: tens of milliseconds at ten million samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from curation.catalog.catalog import Catalog, Mask
from curation.errors import CurationError
from curation.selection.recipe import Recipe, ScoreStep

By = Literal["top", "left", "count", "percentile", "value"]
BYS: tuple[By, ...] = ("top", "left", "count", "percentile", "value")
# These depend on what the other line leaves.
OF_THE_LEFT: tuple[By, ...] = ("left", "count")

# A quadrant is named by its side of the x line, then of the y line.
Quadrant = Literal["high_high", "low_high", "high_low", "low_low"]
QUADRANTS: tuple[Quadrant, ...] = ("high_high", "low_high", "high_low", "low_low")

# Rows that are looked at together: what is made of them stays in a core's cache.
_ROWS = 1 << 17


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
        x_line, y_line = np.float32(self.x_line), np.float32(self.y_line)
        # Only where a score is missing is there another look at every sample.
        ranks = [self.catalog.ranks(name) for name in (self.x, self.y)]
        whole = all(len(known) == len(self.catalog) for known in ranks)
        both = x_side = y_side = scored = 0
        for _, x, y in self.parts():
            if not whole:
                known = ~(np.isnan(x) | np.isnan(y))
                x, y = x[known], y[known]
            x_high, y_high = x >= x_line, y >= y_line
            x_side += int(np.count_nonzero(x_high))
            y_side += int(np.count_nonzero(y_high))
            both += int(np.count_nonzero(x_high & y_high))
            scored += len(x)
        return {
            "high_high": both,
            "low_high": y_side - both,
            "high_low": x_side - both,
            "low_low": scored - x_side - y_side + both,
        }

    def box(self, x_range: tuple[float, float], y_range: tuple[float, float]) -> Mask:
        """The samples in a rectangle (N,), its edges included."""
        mask = np.ones(len(self.catalog), dtype=bool)
        for name, (low, high) in ((self.x, x_range), (self.y, y_range)):
            values = self.catalog.array(name)
            mask &= (values >= np.float32(low)) & (values <= np.float32(high))
        return mask

    def parts(self) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.float32]]]:
        """Both scores, a part at a time: the first rowid, and what is small enough for a cache."""
        x, y = (self.catalog.array(name) for name in (self.x, self.y))
        for start in range(0, len(x), _ROWS):
            yield start, x[start : start + _ROWS], y[start : start + _ROWS]

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
    return (
        ranks.value_at(position) if left is None else float(np.partition(left, position)[position])
    )


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
        known, kept = len(ranks), len(ranks) - ranks.count_below(at_line)
    if by == "count":
        return float(kept)
    if not known:
        return 0.0
    return 100 * float(known - kept if by == "percentile" else kept) / known


def _above(catalog: Catalog, score: str) -> float:
    """Just above every sample."""
    ranks = catalog.ranks(score)
    return float(np.nextafter(np.float32(ranks.value_at(len(ranks) - 1)), np.float32(np.inf)))


def _step(score: str, at_line: float, high: bool) -> ScoreStep:
    edge = np.float32(at_line)
    if not high:
        edge = np.nextafter(edge, np.float32(-np.inf))
    # The shortest decimal that is this float32, so that the recipe reads well and is exact.
    return ScoreStep(score, "at_least" if high else "at_most", float(str(edge)))
