"""The formulas of arXiv 2405.19547 in float64, whole matrices at once."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from curation import uids

TOLERANCE = 2e-6

Matrix = NDArray[np.float64]


def unit(rows: np.ndarray) -> Matrix:
    wide = np.asarray(rows, dtype=np.float64)
    return wide / np.linalg.norm(wide, axis=1, keepdims=True)


def log_sum_exp(x: Matrix, axis: int) -> Matrix:
    top = x.max(axis=axis, keepdims=True)
    return (np.log(np.exp(x - top).sum(axis=axis, keepdims=True)) + top).squeeze(axis)


def loss_of_batch(image: np.ndarray, text: np.ndarray, tau: float) -> Matrix:
    """negCLIPLoss of every pair of one batch."""
    cosines = unit(image) @ unit(text).T
    both = log_sum_exp(cosines / tau, 1) + log_sum_exp(cosines / tau, 0)
    return np.diag(cosines) - tau / 2 * both


def row_number_uids(count: int) -> uids.Words:
    numbers = np.arange(count, dtype=np.uint64)
    return np.stack([np.zeros_like(numbers), numbers], axis=1)


def loss_by_pool(
    image: np.ndarray,
    text: np.ndarray,
    tau: float,
    batch_size: int,
    batches: int,
    seed: int,
    words: uids.Words | None = None,
) -> tuple[Matrix, Matrix]:
    """Mean and standard error over pools: the |B| smallest draw keys, and the pair itself."""
    words = row_number_uids(len(image)) if words is None else words
    each = np.empty((batches, len(image)))
    for draw in range(batches):
        pool = np.argsort(uids.draw_keys(words, seed, draw))[:batch_size]
        for i in range(len(image)):
            members = np.union1d(pool, [i])
            loss = loss_of_batch(image[members], text[members], tau)
            each[draw, i] = loss[np.searchsorted(members, i)]
    return each.mean(axis=0), each.std(axis=0, ddof=1) / math.sqrt(batches)


def norm_sim(image: np.ndarray, target: np.ndarray, p: float) -> Matrix:
    cosines = np.abs(unit(image) @ unit(target).T)
    if math.isinf(p):
        return cosines.max(axis=1)
    top = cosines.max(axis=1, keepdims=True)
    return (((cosines / top) ** p).sum(axis=1, keepdims=True) ** (1 / p) * top).squeeze(1)


def clustered(count: int, dim: int = 16, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Pairs as CLIP makes them: images and captions in clusters, and alike in a pair."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((5, dim))[rng.integers(0, 5, count)]
    image = centres + 0.6 * rng.standard_normal((count, dim))
    text = centres + 0.6 * rng.standard_normal((count, dim))
    return image.astype(np.float32), text.astype(np.float32)
