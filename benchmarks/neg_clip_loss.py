"""negCLIPLoss against the bare float32 products that it cannot do without.

    python -m benchmarks.neg_clip_loss [--samples 65536 --batch 8192 --batches 2 --dim 512]

Pool mode needs two products a batch (both sides against the pool), partition mode one that serves
both directions. Floor and score are timed in turn, so that a busy machine slows both.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from curation.scores import neg_clip_loss
from curation.scores.base import Rows

TILE = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("samples", 65536), ("batch", 8192), ("batches", 2), ("dim", 512)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--repeat", type=int, default=3)
    chosen = parser.parse_args()
    rng = np.random.default_rng(0)
    image = unit_rows(rng, chosen.samples, chosen.dim)
    text = (0.5 * image + unit_rows(rng, chosen.samples, chosen.dim)).astype(np.float16)
    image = image.astype(np.float16)
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}; {vars(chosen)}")
    for negatives, products in (("pool", 2), ("partition", 1)):
        floors, scores = [], []
        for _ in range(chosen.repeat):
            floors.append(timed(lambda n=products: bare(chosen, n)))
            scores.append(timed(lambda m=negatives: score(image, text, chosen, m)))
        floor, spent = min(floors), min(scores)
        print(
            f"{negatives:<10} floor {floor:6.2f} s  score {spent:6.2f} s  ratio {spent / floor:.2f}"
        )


def unit_rows(rng: np.random.Generator, rows: int, dim: int) -> Rows:
    made = rng.normal(size=(rows, dim)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def bare(chosen: argparse.Namespace, products: int) -> None:
    """The products alone, into one buffer."""
    left, right = torch.randn(TILE, chosen.dim), torch.randn(chosen.batch, chosen.dim)
    out = torch.empty(TILE, chosen.batch)
    for _ in range(products * chosen.batches * chosen.samples // TILE):
        torch.mm(left, right.T, out=out)


def score(image: Rows, text: Rows, chosen: argparse.Namespace, negatives: str) -> None:
    neg_clip_loss(
        image, text, batch_size=chosen.batch, batches=chosen.batches, negatives=negatives,
        device="cpu",
    )  # fmt: skip


def timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
