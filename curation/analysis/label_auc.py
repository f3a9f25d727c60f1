"""How well a score tells a known truth: AUC, and what of it ends up in the kept top."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.catalog.catalog import Catalog
from curation.selection.select import top_by_value

# Values that are compared each with each.
_EXACT = 1_000_000
# Sign, exponent, and eleven bits of the fraction.
_BITS = 20
_ROWS = 1 << 20


@dataclass(frozen=True)
class LabelResult:
    """A score against a true-or-false column that marks bad samples.

    Attributes:
        auc: the chance that a random unmarked sample scores above a random marked one.
        kept: the share of marked samples in the top ``keep`` of the pool.
        base: their share in the whole pool.
    """

    score: str
    auc: float
    kept: float
    base: float


def judge(catalog: Catalog, label: str, keep: float = 0.3) -> list[LabelResult]:
    """Every score against one label."""
    told = catalog.once(label)
    marked, known = told == 1, ~np.isnan(told)
    results = []
    for column in catalog.scores:
        values = catalog.once(column.name)
        usable = known & ~np.isnan(values)
        if not (marked & usable).any() or not (~marked & usable).any():
            continue
        kept = top_by_value(catalog, values, usable, round(keep * len(catalog)))
        results.append(
            LabelResult(
                column.name,
                auc(values[usable & ~marked], values[usable & marked]),
                float(marked[kept].mean()) if kept.any() else float("nan"),
                float(marked[usable].mean()),
            )
        )
    return results


def auc(higher: NDArray[np.float32], lower: NDArray[np.float32]) -> float:
    """P(h > l) + P(h = l)/2 for random members h and l (Mann and Whitney).

    Of more than a million, values whose distances to the middle differ by less than one part in
    2,000 count as equal.
    """
    if len(higher) + len(lower) > _EXACT:
        few = [values[:: len(values) // 1000 + 1] for values in (higher, lower)]
        middle = np.median(np.concatenate(few)).astype(np.float32)
        own, other = _counts(higher, middle), _counts(lower, middle)
        twice = (own * (2 * np.cumsum(other) - other)).sum(dtype=np.float64)
    else:
        ranked = np.sort(lower)
        below = np.searchsorted(ranked, higher, side="left")
        up_to = np.searchsorted(ranked, higher, side="right")
        twice = (below + up_to).sum(dtype=np.float64)
    return float(twice / 2 / len(higher) / len(lower))


def _counts(values: NDArray[np.float32], middle: np.float32) -> NDArray[np.float64]:
    """How many distances to the middle begin with each of a float32's upper bits, in order."""
    counts = np.zeros(1 << _BITS)
    for start in range(0, len(values), _ROWS):
        # No −0; negative floats come in reverse.
        bits = (values[start : start + _ROWS] - middle + np.float32(0)).view(np.int32)
        ordered = np.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits) >> (32 - _BITS)
        counts += np.bincount(ordered + (1 << (_BITS - 1)), minlength=1 << _BITS)
    return counts
