"""Errors of negCLIPLoss in each precision against float64, on real embeddings.

    python -m benchmarks.accuracy [--workspace data/workspaces/sample]

All usable pairs are one batch, so that the formula has one value per pair; ``formula`` computes it
in float64 on the whole matrix. float16 on a CPU is the arithmetic of CUDA: rounded operands, sums
in float32.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.pool_or_partition import agreement, embeddings
from curation.scores import neg_clip_loss
from curation.scores.base import Rows
from curation.storage.workspace import Workspace


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workspace", type=Path, default=Path("data/workspaces/sample"))
    arguments = parser.parse_args()
    image, text, temperature = embeddings(Workspace.open(arguments.workspace))
    names = f"{'τ':>7}  {'precision':<9}  {'negatives':<9}"
    print(f"{names}  {'largest':>8}  {'rank corr.':>10}  top 30 %")
    for tau in (temperature, 0.01):
        expected = formula(image, text, tau)
        for precision in ("float32", "float16", "bfloat16"):
            for negatives in ("pool", "partition"):
                score = neg_clip_loss(
                    image,
                    text,
                    temperature=tau,
                    batch_size=len(image),
                    precision=precision,
                    negatives=negatives,
                    device="cpu",
                ).score
                rank, top, _ = agreement(score, expected)
                largest = np.abs(score - expected).max()
                print(
                    f"{tau:>7.4f}  {precision:<9}  {negatives:<9}  {largest:>8.1e}  {rank:>10.7f}  "
                    f"{top:.4f}"
                )


def formula(image: Rows, text: Rows, tau: float) -> NDArray[np.float64]:
    """−τ times the CLIP loss of each pair of one batch, (N,)."""
    sides = [side.astype(np.float64) for side in (image, text)]
    images, texts = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in sides)
    logits = images @ texts.T / tau
    top = logits.max()
    sums = [top + np.log(np.exp(logits - top).sum(axis=axis)) for axis in (0, 1)]
    result: NDArray[np.float64] = tau * (np.diag(logits) - (sums[0] + sums[1]) / 2)
    return result


if __name__ == "__main__":
    main()
