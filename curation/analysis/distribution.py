"""How the values of a column are distributed: range, median and histogram."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.catalog.catalog import Catalog
from curation.catalog.ranks import Ranks


@dataclass(frozen=True)
class Distribution:
    """The known values of a numeric column.

    Attributes:
        known: how many there are.
        least, greatest: of the finite values; NaN if there are none.
        median: of all known values, infinite ones included; NaN if there are none.
        edges: the edges of equal bins, (bins + 1,); outliers do not stretch them.
        heights: samples in each bin, (bins,); those beyond the edges are in the outermost bins.
    """

    known: int
    least: float
    median: float
    greatest: float
    edges: NDArray[np.float64]
    heights: NDArray[np.int64]


def distribution(catalog: Catalog, name: str, bins: int = 60) -> Distribution:
    """The distribution of a column, which is not kept in memory.

    Raises:
        CurationError: there is no such column, or it does not hold numbers.
    """
    ranks = Ranks(catalog.cache.read_uncached(name))
    edges = ranks.bin_edges(bins)
    below = [ranks.count_below(float(edge)) for edge in edges[1:-1]]
    least, greatest = ranks.finite_range() or (float("nan"), float("nan"))
    median = float("nan")
    if len(ranks):
        # An even number of values has two in the middle.
        lower, upper = (ranks.value_at(k) for k in ((len(ranks) - 1) // 2, len(ranks) // 2))
        median = (lower + upper) / 2
    return Distribution(
        known=len(ranks),
        least=least,
        median=median,
        greatest=greatest,
        edges=edges,
        heights=np.diff([0, *below, len(ranks)]),
    )
