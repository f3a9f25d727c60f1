"""Choose samples to inspect: in a quadrant, near a cutoff, the best, the most uncertain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from curation.analysis.quadrants import Quadrant, View
from curation.catalog.catalog import Catalog, Mask


def quadrant_rows(view: View, quadrant: Quadrant) -> NDArray[np.int64]:
    """The rowids of a quadrant's samples, ascending."""
    return np.concatenate([np.empty(0, np.int64), *_inside(view, quadrant)])


def random_rows(view: View, quadrant: Quadrant, wanted: int, seed: int) -> NDArray[np.int64]:
    """Rowids of up to ``wanted`` random samples of a quadrant, in random order.

    Equals a draw from ``quadrant_rows``, without holding millions of rowids in memory.
    """
    count = view.counts()[quadrant]
    drawn = np.random.default_rng(seed).choice(count, min(wanted, count), replace=False)
    order = np.argsort(drawn)
    ascending, result, before = drawn[order], np.empty(len(drawn), np.int64), 0
    for rows in _inside(view, quadrant):
        first, last = np.searchsorted(ascending, (before, before + len(rows)))
        result[order[first:last]] = rows[ascending[first:last] - before]
        before += len(rows)
    return result


def rows_near_cutoff(
    catalog: Catalog, score: str, at_line: float, among: Mask, inside: bool, wanted: int
) -> NDArray[np.int64]:
    """Rowids of the samples of ``among`` nearest to a cutoff on one side, nearest first.

    Ties break by rowid.

    Args:
        inside: True for samples at or above the cutoff, False for those below it.
    """
    values = catalog.array(score)
    edge = np.float32(at_line)
    candidates = np.flatnonzero(among & (values >= edge if inside else values < edge))
    distance = np.abs(values[candidates] - edge)
    if len(candidates) > wanted:
        closest = np.argpartition(distance, wanted)[:wanted]
        candidates, distance = candidates[closest], distance[closest]
    return candidates[np.lexsort((candidates, distance))]


def best_rows(view: View, rows: NDArray[np.int64], best: bool, wanted: int) -> NDArray[np.int64]:
    """The ``wanted`` best (or worst) of some rowids by the sum of both scores, in order.

    Each score is centered on its median and divided by its interquartile range.
    """
    if not len(rows):
        return rows
    total = np.zeros(len(rows), dtype=np.float32)
    for name in (view.x, view.y):
        known = view.catalog.ranks(name)
        low, middle, high = (known.value_at(part * len(known) // 4) for part in (1, 2, 3))
        total += (view.catalog.array(name)[rows] - np.float32(middle)) / max(high - low, 1e-6)
    keys = -total if best else total
    if len(rows) > wanted:
        first = np.argpartition(keys, wanted)[:wanted]
        rows, keys = rows[first], keys[first]
    return rows[np.argsort(keys, kind="stable")]


def standard_errors(catalog: Catalog, score: str) -> NDArray[np.float32] | None:
    """The standard errors of a score, (N,) float32; None if it has none."""
    name = f"{score}_se"
    known = name in catalog.columns and catalog.column(name).of == score
    return catalog.array(name) if known else None


def uncertain_rows(
    view: View, axis: Literal["x", "y"], wanted: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The samples most likely to cross a cutoff if the score were measured again.

    Returns:
        Rowids of samples on the high side of the other cutoff, most likely first, and the distance
        z of each from the cutoff in standard errors: the flip probability is Φ(−z). Both are empty
        if the score has no standard errors or all are 0.
    """
    name, at_line = (view.x, view.x_line) if axis == "x" else (view.y, view.y_line)
    spread = standard_errors(view.catalog, name)
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


def _inside(view: View, quadrant: Quadrant) -> Iterator[NDArray[np.int64]]:
    """The rowids of a quadrant, ascending, one part of the catalog at a time."""
    x_line, y_line = np.float32(view.x_line), np.float32(view.y_line)
    x_side, y_side = quadrant.split("_")
    for start, x, y in view.chunks():
        inside = x >= x_line if x_side == "high" else x < x_line
        inside &= y >= y_line if y_side == "high" else y < y_line
        yield np.flatnonzero(inside) + start
