"""2-D histogram of two scores, shared by the chart and its counters.

A grid is fine enough for a line to move by a pixel or two, and small enough to be sent to a browser
whole. Its edges are round numbers or round percentiles, and every sample is in exactly its cell: a
count that the grid gives at an edge is the count of the samples themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from curation.analysis import quadrants
from curation.analysis.quadrants import AxisName, Cut
from curation.catalog.catalog import Catalog, Mask

Scale = Literal["value", "percentile"]
SCALES: tuple[Scale, ...] = ("value", "percentile")

# At most this many bins along an axis: 0.4 MB a grid.
_MOST_BINS = 300
# Percentiles are stated to a tenth.
_FINEST_PERCENT = 0.1
# Rows per task, so that intermediate arrays fit into a core's cache.
_CHUNK_ROWS = 1 << 17

T = TypeVar("T")
Zoom = tuple[float, float, float, float]


@dataclass(frozen=True)
class Axis:
    """A score along one side of a grid, in bins that are equally wide as the axis is read.

    Attributes:
        score: name of the column.
        scale: whether the axis shows values of the score, or their percentiles.
        start, step: edge k is at ``start + k · step`` on the axis.
        edges: the same edges in values of the score, (bins + 1,) float32, ascending. Bin k holds
            the samples from edge k up to, but not including, edge k + 1.
        zoomed: whether the axis shows a chosen part. If not, only extreme outliers are beyond it.
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
        """The number of edges at or below each value: 0 and ``bins + 1`` are beyond the axis."""
        if not self._uncertainty < 0.5:
            return np.asarray(np.searchsorted(self.edges, values, side="right"), np.int16)
        # Equal steps: computed, then corrected near the edges by comparing with the edges.
        position = (values - self.edges[0]) * np.float32(self._bins_per_unit)
        np.clip(position, -0.5, self.bins + 0.5, out=position)
        position += 1
        cells: NDArray[np.int16] = position.astype(np.int16)
        position -= cells
        unsure = np.flatnonzero(
            (position <= self._uncertainty) | (position >= 1 - self._uncertainty)
        )
        cells[unsure] = np.searchsorted(self.edges, values[unsure], side="right")
        return cells

    @property
    def _bins_per_unit(self) -> float:
        span = float(self.edges[-1]) - float(self.edges[0])
        return self.bins / span if span > 0 else 0.0

    @cached_property
    def _uncertainty(self) -> float:
        """Upper bound, in bins, on the error of a position computed in float32."""
        edges = self.edges.astype(np.float64)
        if not np.isfinite(edges).all():
            return np.inf
        positions = (edges - edges[0]) * self._bins_per_unit
        uneven = float(np.max(np.abs(positions - np.arange(self.bins + 1))))
        # A difference, two products and a sum, each rounded to float32; doubled as a margin.
        return uneven + 8 * (self.bins + 2) * 2.0**-24


@dataclass(frozen=True)
class Grid:
    """The number of samples in each cell of two axes.

    Attributes:
        cells: (y.bins + 2, x.bins + 2) int64; the first and the last of either axis hold the
            samples beyond it.
        coarse: cells along either axis that make one cell of the picture; the fewer samples there
            are, the more.
    """

    x: Axis
    y: Axis
    cells: NDArray[np.int64]
    coarse: int

    @property
    def total(self) -> int:
        """The number of samples that have both scores."""
        return int(self.cells.sum())

    @property
    def outside(self) -> int:
        """The number of samples that have both scores and are beyond an axis."""
        return self.total - int(self.cells[1:-1, 1:-1].sum())

    @property
    def picture(self) -> NDArray[np.int64]:
        """The number of samples in each cell of the picture, (rows, columns)."""
        return _merge(self.cells, self.coarse).astype(np.int64)


def axis(
    catalog: Catalog,
    score: str,
    scale: Scale = "value",
    zoom: tuple[float, float] | None = None,
    multiple: int = 1,
) -> Axis:
    """An axis over a score, leaving extreme outliers beyond its ends, or over a part of it.

    Args:
        zoom: from and to, as the axis is read.
        multiple: the number of bins is a multiple of this.
    """
    whole = (0.0, 100.0) if scale == "percentile" else _inner_range(catalog, score)
    low, high = whole if zoom is None else (min(zoom), max(zoom))
    if scale == "percentile":
        low, high = max(low, 0.0), min(high, 100.0)
    if not low < high:
        low, high = whole
    step = _round_step((high - low) / (_MOST_BINS - 2 * multiple))
    if scale == "percentile":
        step = max(step, _FINEST_PERCENT)
    first, last = _whole_steps(low / step, np.floor), _whole_steps(high / step, np.ceil)
    last = first + max(1, -(-(last - first) // multiple)) * multiple
    if scale == "percentile":
        excess = max(0, last - round(100 / step))
        first, last = first - excess, last - excess
    ticks = np.round(np.arange(first, last + 1) * step, _digits(step))
    if scale == "percentile":
        cuts = [quadrants.line(catalog, score, Cut("percentile", tick)) for tick in ticks]
        edges = np.array(cuts, dtype=np.float32)
    else:
        edges = ticks.astype(np.float32)
    return Axis(score, scale, float(ticks[0]), step, edges, zoom is not None)


def grid(
    catalog: Catalog, x: str, y: str, scale: Scale = "value", zoom: Zoom | None = None
) -> Grid:
    """Count all samples that have both scores.

    Args:
        zoom: x from and to, y from and to, as the axes are read.
    """
    x_zoom, y_zoom = (None, None) if zoom is None else (zoom[:2], zoom[2:])
    samples = min(_samples_on(catalog, x, scale, x_zoom), _samples_on(catalog, y, scale, y_zoom))
    picture_cells = int(np.clip(round(1.5 * np.sqrt(samples)), 20, _MOST_BINS))
    coarse = max(1, _MOST_BINS // picture_cells)
    if scale == "percentile":
        # All percentiles together have 200 bins.
        coarse = next(c for c in range(coarse, 201) if 200 % c == 0)
    x_axis = axis(catalog, x, scale, x_zoom, coarse)
    y_axis = axis(catalog, y, scale, y_zoom, coarse)
    shape = y_axis.bins + 2, x_axis.bins + 2
    size = shape[0] * shape[1]
    counts = np.zeros(size, dtype=np.int64)
    for part in _map_chunks(
        catalog, x_axis, y_axis, lambda _, flat: np.bincount(flat, minlength=size)
    ):
        counts += part
    return Grid(x_axis, y_axis, counts.reshape(shape), coarse)


def mean(catalog: Catalog, over: Grid, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of some values in each cell of the grid's picture; NaN where there is none.

    Args:
        values: (N,), NaN where missing.
    """
    size = over.cells.size
    sums, counts = np.zeros(size), np.zeros(size)
    has_value = ~np.isnan(values)
    for rows, flat in _map_chunks(
        catalog, over.x, over.y, lambda rows, flat: (rows, flat), has_value
    ):
        sums += np.bincount(flat, weights=values[rows], minlength=size)
        counts += np.bincount(flat, minlength=size)
    total, known = (_merge(part.reshape(over.cells.shape), over.coarse) for part in (sums, counts))
    return (total / np.where(known, known, np.nan)).astype(np.float32)


def strip_above_line(catalog: Catalog, over: Grid, at: AxisName, line: float) -> NDArray[np.int64]:
    """The samples from a line up to the next edge, counted along the other axis: (bins + 2,)."""
    along, other = (over.x, over.y) if at == "x" else (over.y, over.x)
    values = catalog.array(along.score)
    next_edge = int(along.cells(np.array([line], dtype=np.float32))[0])
    is_inside = values >= np.float32(line)
    if next_edge <= along.bins:
        is_inside &= values < along.edges[next_edge]
    others = catalog.array(other.score)[is_inside]
    return np.bincount(other.cells(others[~np.isnan(others)]), minlength=other.bins + 2)


def _map_chunks(
    catalog: Catalog,
    x: Axis,
    y: Axis,
    work: Callable[[NDArray[np.int64], NDArray[np.int32]], T],
    among: Mask | None = None,
) -> Iterator[T]:
    """Call ``work`` on the rowids and the flat cells of all samples, a chunk at a time."""
    x_values, y_values = catalog.array(x.score), catalog.array(y.score)

    def chunk(start: int) -> T:
        xs, ys = x_values[start : start + _CHUNK_ROWS], y_values[start : start + _CHUNK_ROWS]
        known = ~(np.isnan(xs) | np.isnan(ys))
        if among is not None:
            known &= among[start : start + _CHUNK_ROWS]
        rows = np.flatnonzero(known)
        if len(rows) < len(xs):
            xs, ys = xs[rows], ys[rows]
        flat = y.cells(ys).astype(np.int32) * (x.bins + 2) + x.cells(xs)
        return work(rows + start, flat)

    with ThreadPoolExecutor() as pool:
        yield from pool.map(chunk, range(0, len(catalog), _CHUNK_ROWS))


def _samples_on(
    catalog: Catalog, score: str, scale: Scale, zoom: tuple[float, float] | None
) -> int:
    """The number of samples that an axis shows, about."""
    ranks = catalog.ranks(score)
    if zoom is None:
        return len(ranks)
    if scale == "percentile":
        return round(abs(zoom[1] - zoom[0]) / 100 * len(ranks))
    return abs(ranks.count_below(zoom[1]) - ranks.count_below(zoom[0]))


def _merge(cells: NDArray[Any], coarse: int) -> NDArray[np.float64]:
    """Sums of ``coarse`` by ``coarse`` cells, without those beyond the axes."""
    inner = cells[1:-1, 1:-1]
    rows, columns = inner.shape
    summed = inner.reshape(rows // coarse, coarse, columns // coarse, coarse).sum((1, 3))
    return np.asarray(summed, dtype=np.float64)


def _inner_range(catalog: Catalog, score: str) -> tuple[float, float]:
    edges = catalog.ranks(score).bin_edges(1)
    return float(edges[0]), float(edges[-1])


def _round_step(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is at least ``least``."""
    power = 10.0 ** np.floor(np.log10(least))
    return float(next(m * power for m in (1, 2, 5, 10) if m * power >= least * (1 - 1e-9)))


def _digits(step: float) -> int:
    return max(0, int(np.ceil(-np.log10(step) - 1e-9)))


def _whole_steps(steps: float, to_whole: np.ufunc) -> int:
    # Floating point may miss a whole number by a hair.
    return round(steps) if abs(steps - round(steps)) < 1e-6 else int(to_whole(steps))
