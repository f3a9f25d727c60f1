"""Shared pools compared with the paper's partitions: how near each is to the mean of many batches.

    python -m benchmarks.pool_or_partition [--workspace data/workspaces/sample --batch 256]

The limit is the mean over many partitions with other seeds, which favors partitions. Each line is
the mean over several seeds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from curation.scores import neg_clip_loss
from curation.scores.base import Floats
from curation.storage.workspace import Workspace

LIMIT = 500
SEEDS = 20
TOP = 0.30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workspace", type=Path, default=Path("data/workspaces/sample"))
    parser.add_argument("--batch", type=int, default=256)
    chosen = parser.parse_args()
    image, text, tau = embeddings(Workspace.open(chosen.workspace))
    settings = {"temperature": tau, "batch_size": chosen.batch, "device": "cpu"}
    limit = neg_clip_loss(
        image, text, batches=LIMIT, seed=10_000, negatives="partition", **settings
    ).score
    print(f"{len(image)} pairs, |B| = {chosen.batch}, temperature {tau:.4g}; limit: K = {LIMIT}")
    print(f"{'K':>4}  {'rank correlation':^23}  {'same top 30 %':^23}  {'rms difference':^23}")
    print(f"{'':4}  " + "  ".join(f"{'pool':>11} {'partition':>11}" for _ in range(3)))
    for batches in (1, 2, 5, 10, 20):
        results = {
            mode: np.mean(
                [
                    agreement(
                        neg_clip_loss(
                            image, text, batches=batches, seed=seed, negatives=mode, **settings
                        ).score,
                        limit,
                    )
                    for seed in range(SEEDS)
                ],
                axis=0,
            )
            for mode in ("pool", "partition")
        }
        pool, partition = results["pool"], results["partition"]
        cells = [
            f"{a:>11.{digits}f} {b:>11.{digits}f}"
            for a, b, digits in zip(pool, partition, (5, 4, 5), strict=True)
        ]
        print(f"{batches:>4}  " + "  ".join(cells))


def embeddings(workspace: Workspace) -> tuple[Floats, Floats, float]:
    """The usable pairs of a workspace and the temperature of their model."""
    import tomllib

    folder = workspace.embeddings(workspace.info().model).path
    sides = [
        np.concatenate([np.load(f) for f in sorted(folder.glob(f"*.{side}.npy"))])
        for side in ("image", "text")
    ]
    good = np.isfinite(sides[0]).all(axis=1) & np.isfinite(sides[1]).all(axis=1)
    model = tomllib.loads((folder / "model.toml").read_text())
    return sides[0][good], sides[1][good], float(model["temperature"])


def agreement(score: Floats, limit: Floats) -> tuple[float, float, float]:
    """Spearman's rank correlation, the overlap of the top 30 %, and the RMS difference."""
    ranks = [np.argsort(np.argsort(values)) for values in (score, limit)]
    count = int(TOP * len(limit))
    tops = [set(np.argsort(-values)[:count].tolist()) for values in (score, limit)]
    return (
        float(np.corrcoef(ranks)[0, 1]),
        len(tops[0] & tops[1]) / count,
        float(np.sqrt(np.mean((score.astype(float) - limit) ** 2))),
    )


if __name__ == "__main__":
    main()
