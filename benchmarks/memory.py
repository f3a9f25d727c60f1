"""Peak memory of negCLIPLoss: it grows neither with the number of samples nor with |B|².

    python -m benchmarks.memory [--samples 100000 2000000] [--dim 512]

Each measurement is a new process that scores embeddings from memory-mapped files, shard by shard.
It reports its peak resident memory, mapped pages included: above that after its imports, and in
total. The plain formula is −τ · CLIP loss on whole |B|×|B| float32 matrices.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

SHARD = 50_000
TAU = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, nargs="+", default=[100_000, 2_000_000])
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.work:
        name, folder, size = chosen.work
        print(*measure(name, Path(folder), int(size)))
        return
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), max(chosen.samples), chosen.dim)
        print("negCLIPLoss, K = 2: memory above that of the imports, MB")
        for mode, batch in (("pool", 2048), ("partition", 2048)):
            peaks = [measure_in_process(f"{mode}:{batch}", folder, n) for n in chosen.samples]
            numbers = ", ".join(
                f"{n:,} samples {above:,.0f} ({total:,.0f} in total)"
                for n, (above, total) in zip(chosen.samples, peaks, strict=True)
            )
            ratio = peaks[-1][1] / peaks[0][1]
            print(f"  {mode:<10} |B| {batch:>6,}: {numbers}, ratio {ratio:.2f}", flush=True)
        formula, _ = measure_in_process("plain:32768", folder, 32768)
        for mode in ("pool", "partition"):
            above, _ = measure_in_process(f"{mode}:32768", folder, 65536)
            print(
                f"  {mode:<10} |B| 32,768: {above:,.0f}, the plain formula "
                f"{formula:,.0f}, ratio {above / formula:.3f}",
                flush=True,
            )


def write(folder: Path, samples: int, dim: int) -> None:
    """Write unit rows in shards, float16."""
    rng = np.random.default_rng(0)
    for shard in range(-(-samples // SHARD)):
        for side in ("image", "text"):
            rows = rng.standard_normal((SHARD, dim), dtype=np.float32)
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            np.save(folder / f"{shard:05d}.{side}.npy", rows.astype(np.float16))


def measure_in_process(name: str, folder: str, samples: int) -> tuple[float, float]:
    """The result of ``measure`` in a new process."""
    command = [sys.executable, "-m", "benchmarks.memory", "--work", name, folder, str(samples)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    above, total = map(float, output.split())
    return above, total


def measure(name: str, folder: Path, samples: int) -> tuple[float, float]:
    """Peak memory in MB: above that after the imports, and in total.

    Args:
        name: ``pool:2048``, ``partition:2048`` or ``plain:2048``, with |B| after the colon.
        folder: of the embeddings.
        samples: how many to score.
    """
    import torch

    from curation.scores import neg_clip_loss
    from curation.scores.contrastive_loss import log_sum_exp

    # The first product loads oneDNN's kernels; those count as imports.
    log_sum_exp.of_rows_and_columns(torch.randn(8, 8), torch.randn(8, 8), 1.0)
    assert neg_clip_loss
    mode, _, batch = name.partition(":")
    with peak_memory() as peak:
        if mode == "plain":
            plain(folder, int(batch))
        else:
            score(folder, samples, mode, int(batch))
    return peak[0], peak[1]


@contextmanager
def peak_memory() -> Iterator[list[float]]:
    """Peak memory of this process in the block, in MB: above that at its start, and in total."""
    before, peak, over = resident(), [0.0, 0.0], threading.Event()

    def watch() -> None:
        while not over.wait(0.005):
            peak[1] = max(peak[1], resident())
            peak[0] = peak[1] - before

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def resident() -> float:
    """Resident memory in MB, mapped files included."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def score(folder: Path, samples: int, mode: str, batch: int) -> None:
    from curation.scores import SCORES
    from curation.scores.base import Data, Shard, check_parameters

    shards = []
    for number, start in enumerate(range(0, samples, SHARD)):
        rows = min(SHARD, samples - start)

        def words(start: int = start, rows: int = rows) -> np.ndarray:
            numbers = np.arange(start, start + rows, dtype=np.uint64)
            return np.stack([numbers, numbers], axis=1)

        files = [folder / f"{number:05d}.{side}.npy" for side in ("image", "text")]
        shards.append(Shard(number, rows, words, *files))
    chosen = SCORES["neg_clip_loss"]
    values = {"batch_size": batch, "batches": 2, "negatives": mode, "temperature": TAU}
    scorer = chosen.prepare(Data(shards), check_parameters(chosen, values))
    for shard in shards:
        scorer(shard, "cpu")


def plain(folder: Path, batch: int) -> None:
    import torch

    image, text = (
        torch.from_numpy(np.load(folder / f"00000.{side}.npy")[:batch]).float()
        for side in ("image", "text")
    )
    logits = image @ text.T / TAU
    halves = torch.logsumexp(logits, 1) + torch.logsumexp(logits, 0)
    (image * text).sum(dim=1) - TAU / 2 * halves


if __name__ == "__main__":
    main()
