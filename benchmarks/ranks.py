"""Order statistics and the area under the ROC curve of ten million scores, by sorting.

    python -m benchmarks.ranks [--rows 10000000]

Each figure is CPU time, so that other work on the machine counts less, and stands beside one pass
over the same column (``np.isnan``). The last lines are memory.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from benchmarks.memory import resident
from curation.analysis.label_auc import auc
from curation.catalog.ranks import Ranks

T = TypeVar("T")

# The fractions of samples that a label marks.
MARKED = (0.02, 0.1, 0.3, 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    rows = parser.parse_args().rows
    rng = np.random.default_rng(0)
    values = rng.standard_normal(rows, dtype=np.float32)
    timed("one pass (isnan)", lambda: np.isnan(values))
    before = resident()
    ranks = timed("first use of a column's ranks", lambda: Ranks(values))
    held = resident() - before
    timed("value at a share", lambda: ranks.value_at(7 * rows // 10))
    timed("rank of a value", lambda: ranks.count_below(0.3))
    shares = np.linspace(0, rows - 1, 501).astype(int)
    timed("percentile axis, 501 edges", lambda: [ranks.value_at(int(k)) for k in shares])
    timed("histogram, 60 bins", lambda: histogram(ranks))
    print("area under the ROC curve")
    for share in MARKED:
        marked = rng.random(rows) < share
        higher, lower = values[~marked], values[marked]
        timed(f"  {share:.0%} marked", lambda h=higher, low=lower: auc(h, low))
    print(f"memory of the ranks: {held:.0f} MB, of the column: {values.nbytes / 1e6:.0f} MB")


def histogram(ranks: Ranks) -> list[int]:
    return [ranks.count_below(float(edge)) for edge in ranks.bin_edges(60)]


def timed(name: str, work: Callable[[], T]) -> T:
    began = time.process_time()
    result = work()
    print(f"{name:<34}{1000 * (time.process_time() - began):>10.3f} ms", flush=True)
    return result


if __name__ == "__main__":
    main()
