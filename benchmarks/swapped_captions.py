"""How well CLIPScore and negCLIPLoss detect swapped captions, for several batch sizes.

    python -m benchmarks.swapped_captions [WORKSPACE]      (default data/workspaces/sample)

For the embeddings of a scored workspace: the AUC of detecting captions that were swapped on
purpose, and their share in the top 30 %.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from curation.analysis.label_auc import auc
from curation.scores import clip_score, neg_clip_loss
from curation.storage.workspace import Workspace, read_toml

ROOT = Path(__file__).resolve().parent.parent
KEEP = 0.3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = ROOT / "data" / "workspaces" / "sample"
    parser.add_argument("workspace", nargs="?", type=Path, default=default)
    workspace = Workspace.open(parser.parse_args().workspace)
    folder = workspace.embeddings(workspace.info().model)
    tau = float(read_toml(folder.path / "model.toml")["temperature"])
    shards = range(workspace.shard_count())
    image, text = (
        np.concatenate([np.load(folder.file(shard, f"{side}.npy")) for shard in shards])
        for side in ("image", "text")
    )
    swapped = np.concatenate(
        [np.asarray(pq.read_table(workspace.samples.file(s, "parquet"))["swapped"]) for s in shards]
    )
    print(f"{len(image):,} pairs, {swapped.mean():.1%} swapped, temperature {tau:.4f}")
    print(f"{'score':<26}{'AUC':>7}{'swapped in the top':>20}")
    show("CLIPScore", clip_score(image, text), swapped)
    for size in (64, 256, len(image)):
        result = neg_clip_loss(image, text, temperature=tau, batch_size=size)
        show(f"negCLIPLoss, |B| = {size:,}", result.score, swapped)


def show(name: str, score: np.ndarray, swapped: np.ndarray) -> None:
    best = np.argsort(-score, kind="stable")[: round(KEEP * len(score))]
    print(f"{name:<26}{auc(score[~swapped], score[swapped]):>7.3f}{swapped[best].mean():>20.1%}")


if __name__ == "__main__":
    main()
