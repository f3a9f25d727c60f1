"""How far each precision of negCLIPLoss is from float64, on real embeddings.

    python -m benchmarks.accuracy [--workspace data/workspaces/sample]

All usable pairs are one batch, so that the formula has one value a pair; it is written out below in
float64 on the whole matrix. float16 on a CPU is what CUDA computes: operands rounded, summed in
float32.
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
    chosen = parser.parse_args()
    image, text, own = embeddings(Workspace.open(chosen.workspace))
    names = f"{'τ':>7}  {'precision':<9}  {'negatives':<9}"
    print(f"{names}  {'largest':>8}  {'rank corr.':>10}  top 30 %")
    for tau in (own, 0.01):
        expected = formula(image, text, tau)
        for precision in ("float32", "float16", "bfloat16"):
            for negatives in ("pool", "partition"):
                found = neg_clip_loss(
                    image,
                    text,
                    temperature=tau,
                    batch_size=len(image),
                    precision=precision,
                    negatives=negatives,
                    device="cpu",
                ).score
                rank, top, _ = agreement(found, expected)
                largest = np.abs(found - expected).max()
                print(
                    f"{tau:>7.4f}  {precision:<9}  {negatives:<9}  {largest:>8.1e}  {rank:>10.7f}  "
                    f"{top:.4f}"
                )


def formula(image: Rows, text: Rows, tau: float) -> NDArray[np.float64]:
    """−τ times the CLIP loss of each pair of one batch."""
    sides = [side.astype(np.float64) for side in (image, text)]
    images, texts = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in sides)
    logits = images @ texts.T / tau
    top = logits.max()
    halves = [top + np.log(np.exp(logits - top).sum(axis=axis)) for axis in (0, 1)]
    result: NDArray[np.float64] = tau * (np.diag(logits) - (halves[0] + halves[1]) / 2)
    return result


if __name__ == "__main__":
    main()
