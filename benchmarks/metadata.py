"""Time per stage when DataComp's metadata are scored.

    python -m benchmarks.metadata [--rows 200000] [--batch-size 8192] [--batches 2] [--device auto]

Reads, checks, scores and publishes a synthetic pair of .parquet and .npz files in DataComp's format
(float16, d = 768), as `clip-curation score` does. The result is the share of the scores; the
lower bound of their time is in benchmarks/neg_clip_loss.py.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation import uids
from curation.pipeline.run import Job, score_dataset
from curation.progress import Progress

DIM = 768
WORDS = ["a", "dog", "photo", "red", "on", "the", "beach", "of", "old", "house", "with", "and"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--batch-size", type=int, default=8192)
    parser.add_argument("--batches", type=int, default=2)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder) / "metadata", arguments.rows)
        job = Job(
            source=Path(folder) / "metadata",
            workspace=Path(folder) / "workspace",
            parameters={"batch_size": arguments.batch_size, "batches": arguments.batches},
            device=arguments.device,
        )
        seconds = dict(score_dataset(job, Progress(quiet=True)).seconds)
    whole = seconds.pop("in all")
    seconds["the rest"] = whole - sum(seconds.values())
    for stage, spent in seconds.items():
        print(f"{stage:<16}{spent:>8.1f} s{100 * spent / whole:>8.1f} %")
    print(f"{'in all':<16}{whole:>8.1f} s")


def make(folder: Path, rows: int) -> None:
    """Write a pair of files with all columns of DataComp's."""
    folder.mkdir()
    draw = np.random.default_rng(0)
    image, noise = (draw.standard_normal((rows, DIM), dtype=np.float32) for _ in range(2))
    sides = {"l14_img": image, "l14_txt": image + 3 * noise}
    for name, side in sides.items():
        sides[name] = (side / np.linalg.norm(side, axis=1, keepdims=True)).astype(np.float16)
    np.savez(folder / f"{0:032x}.npz", **sides)
    words = draw.integers(0, len(WORDS), (rows, 10))
    table = {
        "uid": uids.to_hex(draw.integers(0, 2**64, (rows, 2), dtype=np.uint64)),
        "url": [f"https://example.org/images/{n}.jpg" for n in range(rows)],
        "text": [" ".join(WORDS[w] for w in row) for row in words],
        "original_width": draw.integers(100, 2000, rows),
        "original_height": draw.integers(100, 2000, rows),
        "clip_b32_similarity_score": draw.random(rows, dtype=np.float32),
        "clip_l14_similarity_score": draw.random(rows, dtype=np.float32),
        "face_bboxes": [[[0.1, 0.2, 0.3, 0.4]]] * rows,
        "sha256": [f"{n:064x}" for n in range(rows)],
    }
    pq.write_table(pa.table(table), folder / f"{0:032x}.parquet")


if __name__ == "__main__":
    main()
