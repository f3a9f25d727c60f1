"""Where values stand among all: order statistics of a column without sorting it.

One pass counts the values in many equal bins. What is asked for then lies in one bin, and only that
one's values are looked at: exact, and at ten million rows several times quicker than a sort.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_BINS = 1 << 16
# Rows a task: what it works on stays in a core's cache.
_ROWS = 1 << 17
# Bins whose values are kept.
_KEPT = 64


class Ranks:
    """The known values of a column (N,), NaN where missing.

    Attributes:
        least, greatest: of the values that are not infinite; the least is the greater where there
            are none.
    """

    def __init__(self, values: Floats) -> None:
        self._values = values
        ends = [_ends(part) for part in _parts(values)]
        low = self.least = min((least for least, _ in ends), default=np.inf)
        high = self.greatest = max((most for _, most in ends), default=-np.inf)
        # No value, or all the same: one bin.
        self._low = np.float32(low if low < high else 0)
        with np.errstate(over="ignore"):
            spread = np.float32(high) - self._low
            self._scale = np.float32(_BINS - 1) / spread if low < high else np.float32(0)
        counts = np.zeros(_BINS, dtype=np.int64)
        for part in self._each(lambda bins, _: np.bincount(bins, minlength=_BINS)):
            counts += part
        self._below = np.concatenate([[0], np.cumsum(counts)])
        self._members: dict[int, Floats] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many values are known."""
        return int(self._below[-1])

    def at(self, position: int) -> float:
        """The value at a position, from 0, the least, to len − 1."""
        k = int(np.searchsorted(self._below, position, side="right")) - 1
        return float(self._in_bin(k)[position - self._below[k]])

    def about(self, position: int) -> float:
        """The value at a position, or another one of its bin; rarely with another pass."""
        k = int(np.searchsorted(self._below, position, side="right")) - 1
        inside = self._below[k + 1] - self._below[k]
        # A bin may be wide: where one value is far from all others it holds nearly all.
        if inside > len(self) // 1000 or not self._scale or np.isinf(self._scale):
            return self.at(position)
        return float(self._low) + (k + 0.5) / float(self._scale)

    def ends(self) -> tuple[float, float] | None:
        """The least and the greatest value but infinity; None where there is none."""
        return (self.least, self.greatest) if self.least <= self.greatest else None

    def edges(self, bins: int) -> NDArray[np.float64]:
        """Equal bins over the values, shape (bins + 1,); far outliers do not stretch them."""
        whole = self.ends()
        if whole is None:
            return np.linspace(0, 1, bins + 1)
        low, high = whole
        # A thousandth at either end, but at least one, may be far away.
        out = max(1, len(self) // 1000) if len(self) > 20 else 0
        inner_low, inner_high = self.about(out), self.about(len(self) - 1 - out)
        spread = inner_high - inner_low
        if spread > 0:
            low, high = max(low, inner_low - spread / 2), min(high, inner_high + spread / 2)
        if low == high:
            wide = max(0.5, abs(low) * 1e-5)
            low, high = low - wide, high + wide
        return np.linspace(low, high, bins + 1)

    def below(self, value: float) -> int:
        """How many values are less."""
        if np.isnan(value) or not len(self):
            return len(self)
        limit = np.float32(value)
        k = self._bin(limit)
        if k in self._members:
            return self._below_in(k, limit)
        # To compare all is quicker than to find out which are in a bin.
        return sum(int(np.count_nonzero(part < limit)) for part in _parts(self._values))

    def near(self, value: float) -> int:
        """How many values are less, to a two-thousandth of all; rarely with another pass."""
        if np.isnan(value) or not len(self):
            return len(self)
        place = np.float32(value)
        k = self._bin(place)
        inside = self._below[k + 1] - self._below[k]
        if k in self._members or inside > len(self) // 2000:
            return self._below_in(k, place)
        part = float((place - self._low) * self._scale) - k
        return int(self._below[k] + round(min(max(part, 0.0), 1.0) * int(inside)))

    def _below_in(self, k: int, limit: np.float32) -> int:
        """How many values are less than one that is in a bin, by that bin's values."""
        return int(self._below[k] + np.searchsorted(self._in_bin(k), limit, side="left"))

    def _bin(self, value: np.float32) -> int:
        return int(self._bins(np.array([value]))[0])

    def _in_bin(self, k: int) -> Floats:
        """A bin's values, ascending."""
        with self._lock:
            if k not in self._members:
                found = list(self._each(lambda bins, part: part[bins == k]))
                if len(self._members) >= _KEPT:
                    self._members.pop(next(iter(self._members)))
                self._members[k] = np.sort(np.concatenate([np.empty(0, np.float32), *found]))
            return self._members[k]

    def _bins(self, values: Floats) -> NDArray[np.intp]:
        # Each step keeps the order, and so does their result.
        with np.errstate(invalid="ignore", over="ignore"):
            place = (values - self._low) * self._scale
        if not self._scale or np.isinf(self._scale):
            # Infinity times a scale of 0 is no number.
            place = np.where(np.isnan(place), values, place)
        np.clip(place, 0, _BINS - 1, out=place)
        return place.astype(np.intp)

    def _each(self, work: Callable[[NDArray[np.intp], Floats], Any]) -> Iterator[Any]:
        def one(part: Floats) -> Any:
            missing = np.isnan(part)
            known = part[~missing] if missing.any() else part
            return work(self._bins(known), known)

        with ThreadPoolExecutor() as pool:
            yield from pool.map(one, _parts(self._values))


def _parts(values: Floats) -> Iterator[Floats]:
    return (values[start : start + _ROWS] for start in range(0, len(values), _ROWS))


def _ends(part: Floats) -> tuple[float, float]:
    """The least and the greatest value that is finite."""
    least, greatest = np.min(part), np.max(part)
    if not (np.isfinite(least) and np.isfinite(greatest)):
        finite = np.isfinite(part)
        least = np.min(part, initial=np.inf, where=finite)
        greatest = np.max(part, initial=-np.inf, where=finite)
    return float(least), float(greatest)
