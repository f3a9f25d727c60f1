"""How a column is spread: its ends, its median, and a histogram."""

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
        least, median, greatest: NaN where there are none; infinity counts for the median only.
        bounds: (bins + 1,) of equal bins; far outliers do not stretch them.
        heights: (bins,) samples a bin, to a two-thousandth of all; what lies beyond the bounds is
            in the outermost bins.
    """

    known: int
    least: float
    median: float
    greatest: float
    bounds: NDArray[np.float64]
    heights: NDArray[np.int64]


def distribution(catalog: Catalog, name: str, bins: int = 60) -> Distribution:
    """One look at a column, of which nothing is kept.

    Raises:
        CurationError: there is no such column, or it does not hold numbers.
    """
    ranks = Ranks(catalog.once(name))
    bounds = ranks.edges(bins)
    below = [ranks.near(float(bound)) for bound in bounds[1:-1]]
    least, greatest = ranks.ends() or (float("nan"), float("nan"))
    # Of two in the middle, what lies between them.
    middle = [ranks.at(place) for place in ((len(ranks) - 1) // 2, len(ranks) // 2) if len(ranks)]
    return Distribution(
        known=len(ranks),
        least=least,
        median=sum(middle) / 2 if middle else float("nan"),
        greatest=greatest,
        bounds=bounds,
        heights=np.diff([0, *below, len(ranks)]),
    )
