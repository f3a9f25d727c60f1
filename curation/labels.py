"""How well a score tells a known truth: AUC, and what of it ends up in the kept top."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.catalog import Catalog
from curation.selection import top


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
    marked = catalog.array(label) == 1
    known = ~np.isnan(catalog.array(label))
    results = []
    for column in catalog.scores:
        values = catalog.array(column.name)
        usable = known & ~np.isnan(values)
        if not (marked & usable).any() or not (~marked & usable).any():
            continue
        best = top(catalog, column.name, usable, round(keep * len(catalog)))
        results.append(
            LabelResult(
                column.name,
                auc(values[usable & ~marked], values[usable & marked]),
                float(marked[best].mean()) if best.any() else float("nan"),
                float(marked[usable].mean()),
            )
        )
    return results


def auc(higher: NDArray[np.float32], lower: NDArray[np.float32]) -> float:
    """P(h > l) + P(h = l)/2 for random members h and l (Mann and Whitney)."""
    ranked = np.sort(lower)
    below = np.searchsorted(ranked, higher, side="left")
    up_to = np.searchsorted(ranked, higher, side="right")
    return float((below + up_to).sum(dtype=np.float64) / 2 / len(higher) / len(lower))
