"""negCLIPLoss, compared with its matrix products alone and with the plain formula.

    python -m benchmarks.neg_clip_loss [--samples 65536 --batch 8192 --batches 2 --dim 512]
    python -m benchmarks.neg_clip_loss --device cuda --samples 262144 --batch 32768 --batches 10 \
        --dim 768

Pools need two products per batch (both sides against the pool), partitions one for both sides. All
are timed in turn, so that other load affects all of them:

- torch.mm: the products in float32 with ``torch.mm``;
- products: the same with this project's functions (oneDNN on a CPU, 16 bits on CUDA);
- plain: the published formula in torch, with whole |B|×|B| float32 matrices.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from curation.scores import neg_clip_loss
from curation.scores.base import Rows
from curation.scores.contrastive_loss.log_sum_exp import ROWS
from curation.scores.shared import products

TILE = 1024
TAU = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("samples", 65536), ("batch", 8192), ("batches", 2), ("dim", 512)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="auto")
    chosen = parser.parse_args()
    image, text = pairs(chosen.samples, chosen.dim)
    precision = products.precision(chosen.precision, chosen.device)
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}; {vars(chosen)}")
    print(f"{'':<10}{'torch.mm':>12}{precision:>12}{'plain':>12}{'score':>12}   ratios")
    for negatives, count in (("pool", 2), ("partition", 1)):
        works: tuple[Callable[[], None], ...] = (
            lambda n=count: bare(chosen, n, "torch.mm"),
            lambda n=count: bare(chosen, n, precision),
            lambda n=count: plain(image, text, chosen, n),
            lambda mode=negatives: score(image, text, chosen, mode),
        )
        times = [[timed(work, chosen.device) for work in works] for _ in range(chosen.repeat)]
        mm, ours, formula, spent = (min(column) for column in zip(*times, strict=True))
        print(
            f"{negatives:<10}{mm:>10.2f} s{ours:>10.2f} s{formula:>10.2f} s{spent:>10.2f} s   "
            f"{spent / mm:.2f} of torch.mm, {spent / ours:.2f} of the products, "
            f"{formula / spent:.2f} × faster than plain"
        )


def pairs(samples: int, dim: int) -> tuple[Rows, Rows]:
    """Unit rows, float16, as in shards."""
    rng = np.random.default_rng(0)
    image = unit_rows(rng, samples, dim)
    text = (0.5 * image + unit_rows(rng, samples, dim)).astype(np.float32)
    text /= np.linalg.norm(text, axis=1, keepdims=True)
    return image.astype(np.float16), text.astype(np.float16)


def unit_rows(rng: np.random.Generator, rows: int, dim: int) -> Rows:
    made = rng.standard_normal((rows, dim), dtype=np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def bare(chosen: argparse.Namespace, count: int, how: str) -> None:
    """The products alone, tile by tile."""
    rows = chosen.batch if chosen.device != "cpu" else TILE if how == "torch.mm" else ROWS
    left = torch.randn(rows, chosen.dim, device=chosen.device)
    right = torch.randn(chosen.batch, chosen.dim, device=chosen.device)
    out = torch.empty(rows, chosen.batch, device=chosen.device)
    multiply = products.by(right, how) if how != "torch.mm" else None
    for _ in range(count * chosen.batches * chosen.samples // rows):
        if multiply is None:
            torch.mm(left, right.T, out=out)
        else:
            multiply(left)


def plain(image: Rows, text: Rows, chosen: argparse.Namespace, count: int) -> None:
    """−τ · CLIP loss of each pair of each batch, by the published formula."""
    images = torch.from_numpy(image[: chosen.batch]).float().to(chosen.device)
    texts = torch.from_numpy(text[: chosen.batch]).float().to(chosen.device)
    for _ in range(chosen.batches * chosen.samples // chosen.batch):
        by_image = by_text = images @ texts.T / TAU
        if count == 2:
            # Against a pool, the two sides are two products.
            by_text = texts @ images.T / TAU
        sums = torch.logsumexp(by_image, 1), torch.logsumexp(by_text, 0 if count == 1 else 1)
        (images * texts).sum(dim=1) - TAU / 2 * (sums[0] + sums[1])


def score(image: Rows, text: Rows, chosen: argparse.Namespace, negatives: str) -> None:
    neg_clip_loss(
        image,
        text,
        temperature=TAU,
        batch_size=chosen.batch,
        batches=chosen.batches,
        negatives=negatives,
        precision=chosen.precision,
        device=chosen.device,
    )


def timed(work: Callable[[], None], device: str) -> float:
    began = time.perf_counter()
    work()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
