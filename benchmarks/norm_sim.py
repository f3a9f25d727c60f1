"""NormSim, compared with its float32 matrix product alone.

    python -m benchmarks.norm_sim [--samples 65536 --target 50000 --dim 512]

p = ∞ includes the index of the nearest item, as in the pipeline. Product and score are timed in
turn, so that other load affects both.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import numpy as np
import torch

from curation.scores import norm_sim
from curation.scores.base import Rows

# The fastest tile for the product alone, of 256–2,048 rows by 2,048–16,384 columns.
TILE = (512, 2048)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("samples", 65536), ("target", 50000), ("dim", 512), ("repeat", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--p", type=float, nargs="+", default=[math.inf, 2.0, 1.0])
    chosen = parser.parse_args()
    rng = np.random.default_rng(0)
    image = unit_rows(rng, chosen.samples, chosen.dim).astype(np.float16)
    target = unit_rows(rng, chosen.target, chosen.dim)
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}; {vars(chosen)}")
    for p in chosen.p:
        floors, scores = [], []
        for _ in range(chosen.repeat):
            floors.append(timed(lambda: bare(chosen)))
            scores.append(timed(lambda p=p: norm_sim(image, target, p=p, device="cpu")))
        floor, spent = min(floors), min(scores)
        print(
            f"p = {p:<5g} floor {floor:6.2f} s  score {spent:6.2f} s  ratio {spent / floor:.3f}",
            flush=True,
        )


def unit_rows(rng: np.random.Generator, rows: int, dim: int) -> Rows:
    made = rng.normal(size=(rows, dim)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def bare(chosen: argparse.Namespace) -> None:
    """The product alone, into one buffer."""
    rows, columns = TILE
    left, right = torch.randn(rows, chosen.dim), torch.randn(columns, chosen.dim)
    out = torch.empty(TILE)
    for _ in range(round(chosen.samples * chosen.target / (rows * columns))):
        torch.mm(left, right.T, out=out)


def timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
