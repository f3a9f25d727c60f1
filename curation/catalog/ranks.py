"""Order statistics of a column: percentiles, and how many values are below a threshold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Ranks:
    """A sorted copy of the known values of a column, 4 bytes each.

    NumPy sorts ten million float32 values in 0.1 to 0.2 s (AVX-512 or AVX2); every query after
    that takes microseconds.

    Args:
        values: (N,) float32, NaN where missing; not changed.
    """

    def __init__(self, values: Floats) -> None:
        self._ascending = values[~np.isnan(values)]
        self._ascending.sort()

    def __len__(self) -> int:
        """The number of known values."""
        return len(self._ascending)

    def value_at(self, position: int) -> float:
        """The value at a position in ascending order: 0 is the least, ``len − 1`` the greatest."""
        return float(self._ascending[position])

    def count_below(self, value: float) -> int:
        """The number of known values less than ``value``, rounded to float32; all if it is NaN."""
        return int(np.searchsorted(self._ascending, np.float32(value)))

    def finite_range(self) -> tuple[float, float] | None:
        """The least and the greatest finite value; None if there is none."""
        first = int(np.searchsorted(self._ascending, np.float32(-np.inf), side="right"))
        last = self.count_below(np.inf) - 1
        return (self.value_at(first), self.value_at(last)) if first <= last else None

    def bin_edges(self, bins: int) -> NDArray[np.float64]:
        """Edges of equal bins over the finite values, shape (bins + 1,).

        The edges reach at most half a spread beyond the inner 99.8 % of the values, so that a few
        outliers do not stretch the bins. Without finite values they run from 0 to 1.
        """
        finite = self.finite_range()
        if finite is None:
            return np.linspace(0, 1, bins + 1)
        low, high = finite
        # A thousandth at either end, but at least one value, may be an outlier.
        outliers = max(1, len(self) // 1000) if len(self) > 20 else 0
        inner_low, inner_high = self.value_at(outliers), self.value_at(len(self) - 1 - outliers)
        spread = inner_high - inner_low
        if spread > 0:
            low, high = max(low, inner_low - spread / 2), min(high, inner_high + spread / 2)
        if low == high:
            margin = max(0.5, abs(low) * 1e-5)
            low, high = low - margin, high + margin
        return np.linspace(low, high, bins + 1)
