"""How many samples lie where over two scores: what the chart shows, and what its lines count by.

A grid is fine enough for a line to move by a pixel or two and coarse enough to be sent to a
browser whole. Its edges are round numbers, or round percentiles, and every sample lies in its cell
exactly: a count taken from the grid at an edge is the count of the samples themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from curation.analysis import quadrants
from curation.analysis.quadrants import Cut
from curation.catalog.catalog import Catalog

Scale = Literal["value", "percentile"]
SCALES: tuple[Scale, ...] = ("value", "percentile")

# At most this many cells along an axis: 0.4 MB a grid.
_FINE = 300
# Percentiles are stated to a tenth.
_FINEST_PERCENT = 0.1
# Rows a task: what it works on stays in a core's cache.
_ROWS = 1 << 17


@dataclass(frozen=True)
class Axis:
    """A score along one side of a grid, in ``bins`` equal steps of what people read there.

    Attributes:
        score: the column.
        scale: whether people read values or percentiles.
        start, step: edge k is read ``start + k · step``.
        edges: the same edges as values of the score, (bins + 1,) float32, ascending.
        zoomed: the axis shows a part of the values; else what is beyond it is far from the rest.
    """

    score: str
    scale: Scale
    start: float
    step: float
    edges: NDArray[np.float32]
    zoomed: bool

    @property
    def bins(self) -> int:
        return len(self.edges) - 1

    @property
    def end(self) -> float:
        return self.start + self.bins * self.step

    def cells(self, values: NDArray[np.float32]) -> NDArray[np.int16]:
        """How many edges lie at or below each value: 0 and ``bins + 1`` are beyond the ends."""
        if not self._blur < 0.5:
            return np.asarray(np.searchsorted(self.edges, values, side="right"), np.int16)
        # Equal steps: by arithmetic, then mended near the edges by the edges themselves.
        place = (values - self.edges[0]) * np.float32(self._scale)
        np.clip(place, -0.5, self.bins + 0.5, out=place)
        place += 1
        found: NDArray[np.int16] = place.astype(np.int16)
        place -= found
        unsure = np.flatnonzero((place <= self._blur) | (place >= 1 - self._blur))
        found[unsure] = np.searchsorted(self.edges, values[unsure], side="right")
        return found

    @property
    def _scale(self) -> float:
        span = float(self.edges[-1]) - float(self.edges[0])
        return self.bins / span if span > 0 else 0.0

    @cached_property
    def _blur(self) -> float:
        """How far from a step's ends arithmetic cannot tell on which side of an edge a value is."""
        edges = self.edges.astype(np.float64)
        if not np.isfinite(edges).all():
            return np.inf
        places = (edges - edges[0]) * self._scale
        uneven = float(np.max(np.abs(places - np.arange(self.bins + 1))))
        # A difference, two products and a sum in float32, each rounded: twice as much to be safe.
        return uneven + 8 * (self.bins + 2) * 2.0**-24


@dataclass(frozen=True)
class Grid:
    """Samples a cell over two axes.

    Attributes:
        cells: (y.bins + 2, x.bins + 2) int64; the first and last of each are beyond the ends.
        coarse: how many cells along either axis make one of the picture: fewer samples, larger.
    """

    x: Axis
    y: Axis
    cells: NDArray[np.int64]
    coarse: int

    @property
    def total(self) -> int:
        """Samples that have both scores."""
        return int(self.cells.sum())

    @property
    def beyond(self) -> int:
        """Samples that have both scores and lie outside the picture."""
        return self.total - int(self.cells[1:-1, 1:-1].sum())

    @property
    def picture(self) -> NDArray[np.int64]:
        """Samples a coarse cell, (rows, columns)."""
        return _coarse(self.cells, self.coarse).astype(np.int64)


def axis(
    catalog: Catalog,
    score: str,
    scale: Scale = "value",
    zoom: tuple[float, float] | None = None,
    multiple: int = 1,
) -> Axis:
    """An axis over all of a score, far outliers left beyond its ends, or over a part.

    Args:
        zoom: from and to, as people read the axis.
        multiple: the number of bins is a multiple of this.
    """
    whole = (0.0, 100.0) if scale == "percentile" else _inner_range(catalog, score)
    low, high = whole if zoom is None else (min(zoom), max(zoom))
    if scale == "percentile":
        low, high = max(low, 0.0), min(high, 100.0)
    if not low < high:
        low, high = whole
    step = _round_step((high - low) / (_FINE - 2 * multiple))
    if scale == "percentile":
        step = max(step, _FINEST_PERCENT)
    first, last = _whole(low / step, np.floor), _whole(high / step, np.ceil)
    last = first + max(1, -(-(last - first) // multiple)) * multiple
    if scale == "percentile":
        beyond = max(0, last - round(100 / step))
        first, last = first - beyond, last - beyond
    digits = _digits(step)
    ticks = np.round(np.arange(first, last + 1) * step, digits)
    if scale == "percentile":
        cuts = [quadrants.line(catalog, score, Cut("percentile", tick)) for tick in ticks]
        edges = np.array(cuts, dtype=np.float32)
    else:
        edges = ticks.astype(np.float32)
    return Axis(score, scale, float(ticks[0]), step, edges, zoom is not None)


def grid(
    catalog: Catalog,
    x: str,
    y: str,
    scale: Scale = "value",
    zoom: tuple[float, float, float, float] | None = None,
) -> Grid:
    """All samples that have both scores; ``zoom`` is (x from, x to, y from, y to)."""
    scored = min(_between(catalog, score, scale, ends) for score, ends in _ends(x, y, zoom))
    cells = int(np.clip(round(1.5 * np.sqrt(scored)), 20, _FINE))
    coarse = max(1, _FINE // cells)
    if scale == "percentile":
        # All hundred are two hundred bins.
        coarse = next(c for c in range(coarse, 201) if 200 % c == 0)
    x_axis, y_axis = (axis(catalog, s, scale, e, coarse) for s, e in _ends(x, y, zoom))
    across, up = x_axis.bins + 2, y_axis.bins + 2
    size = across * up
    counts = np.zeros(size, dtype=np.int64)
    for part in _each(catalog, x_axis, y_axis, lambda _, flat: np.bincount(flat, minlength=size)):
        counts += part
    return Grid(x_axis, y_axis, counts.reshape(up, across), coarse)


def mean(catalog: Catalog, over: Grid, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of some values (N,), NaN where missing, in each cell of the grid's picture."""
    across, up = over.x.bins + 2, over.y.bins + 2
    sums, known = np.zeros(across * up), np.zeros(across * up)
    there = ~np.isnan(values)
    for rows, flat in _each(catalog, over.x, over.y, lambda *found: found, there):
        sums += np.bincount(flat, weights=values[rows], minlength=across * up)
        known += np.bincount(flat, minlength=across * up)
    total, many = (_coarse(part.reshape(up, across), over.coarse) for part in (sums, known))
    return (total / np.where(many, many, np.nan)).astype(np.float32)


def cut_row(catalog: Catalog, over: Grid, at: Literal["x", "y"], line: float) -> NDArray[np.int64]:
    """Where a line lies between two edges: the samples from it up to the next edge.

    They are counted along the other axis: (bins + 2,) of it.
    """
    along, other = (over.x, over.y) if at == "x" else (over.y, over.x)
    values = catalog.array(along.score)
    row = int(along.cells(np.array([line], dtype=np.float32))[0])
    inside = values >= np.float32(line)
    if row <= along.bins:
        inside &= values < along.edges[row]
    found = catalog.array(other.score)[inside]
    return np.bincount(other.cells(found[~np.isnan(found)]), minlength=other.bins + 2)


def _each(
    catalog: Catalog,
    x: Axis,
    y: Axis,
    work: Callable[[NDArray[np.int64], NDArray[np.int32]], Any],
    among: NDArray[np.bool_] | None = None,
) -> Iterator[Any]:
    """What some work makes of samples' rowids and the flat cell of each, a part at a time."""
    both = [catalog.array(a.score) for a in (x, y)]

    def part(start: int) -> Any:
        across, up = (values[start : start + _ROWS] for values in both)
        known = ~(np.isnan(across) | np.isnan(up))
        if among is not None:
            known &= among[start : start + _ROWS]
        rows = np.flatnonzero(known)
        if len(rows) < len(across):
            across, up = across[rows], up[rows]
        flat = y.cells(up).astype(np.int32) * (x.bins + 2) + x.cells(across)
        return work(rows + start, flat)

    with ThreadPoolExecutor() as pool:
        yield from pool.map(part, range(0, len(catalog), _ROWS))


def _ends(
    x: str, y: str, zoom: tuple[float, float, float, float] | None
) -> tuple[tuple[str, tuple[float, float] | None], ...]:
    return (x, zoom and zoom[:2]), (y, zoom and zoom[2:])


def _between(catalog: Catalog, score: str, scale: Scale, ends: tuple[float, float] | None) -> int:
    """How many samples an axis shows."""
    ranks = catalog.ranks(score)
    if ends is None:
        return len(ranks)
    if scale == "percentile":
        return round(abs(ends[1] - ends[0]) / 100 * len(ranks))
    return abs(ranks.count_below(ends[1]) - ranks.count_below(ends[0]))


def _coarse(cells: NDArray[Any], by: int) -> NDArray[np.float64]:
    inner = cells[1:-1, 1:-1]
    rows, columns = inner.shape
    summed = inner.reshape(rows // by, by, columns // by, by).sum((1, 3))
    return np.asarray(summed, dtype=np.float64)


def _inner_range(catalog: Catalog, score: str) -> tuple[float, float]:
    edges = catalog.ranks(score).bin_edges(1)
    return float(edges[0]), float(edges[-1])


def _round_step(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is not less."""
    power = 10.0 ** np.floor(np.log10(least))
    return float(next(m * power for m in (1, 2, 5, 10) if m * power >= least * (1 - 1e-9)))


def _digits(step: float) -> int:
    return max(0, int(np.ceil(-np.log10(step) - 1e-9)))


def _whole(steps: float, to: np.ufunc) -> int:
    # What is a hair beyond a whole number of steps is that number.
    return round(steps) if abs(steps - round(steps)) < 1e-6 else int(to(steps))
