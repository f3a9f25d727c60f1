"""How well each score separates samples that a label marks as bad."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.catalog.catalog import Catalog
from curation.selection.select import top_by_value


@dataclass(frozen=True)
class LabelResult:
    """A score, judged by a boolean column that marks bad samples.

    Attributes:
        score: the name of the score's column.
        auc: the probability that a random unmarked sample scores above a random marked one, 0 to 1;
            0.5 is chance.
        kept: the fraction of marked samples in the top ``keep`` of the pool.
        base: the fraction of marked samples among all that have the score and the label.
    """

    score: str
    auc: float
    kept: float
    base: float


def judge_scores(catalog: Catalog, label: str, keep: float = 0.3) -> list[LabelResult]:
    """Judge every score by one label.

    Scores without both marked and unmarked samples are left out.

    Args:
        label: a boolean column, true for bad samples.
        keep: the fraction of the pool that a selection by the score would keep.
    """
    labels = catalog.cache.read_uncached(label)
    marked, labeled = labels == 1, ~np.isnan(labels)
    results = []
    for column in catalog.scores:
        values = catalog.cache.read_uncached(column.name)
        usable = labeled & ~np.isnan(values)
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
    """P(h > l) + P(h = l)/2 for random members h and l: Mann and Whitney's U / (n·m). Exact.

    Args:
        higher, lower: shapes (n,) and (m,), neither empty, without NaN.
    """
    if len(higher) < len(lower):
        # Searching for the fewer in the many is quicker.
        return 1 - auc(lower, higher)
    # Sorted searches walk through memory in order.
    many, few = np.sort(higher), np.sort(lower)
    below = np.searchsorted(many, few, side="left").sum(dtype=np.float64)
    up_to = np.searchsorted(many, few, side="right").sum(dtype=np.float64)
    return float(1 - (below + up_to) / 2 / len(many) / len(few))
