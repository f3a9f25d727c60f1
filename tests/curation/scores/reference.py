"""The formulas of arXiv 2405.19547 in float64 on whole matrices, and data for tests of scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation import uids
from curation.scores import SCORES
from curation.scores.base import Data, Shard, Target, check_parameters

TOLERANCE = 2e-6

Matrix = NDArray[np.float64]


def unit(rows: np.ndarray) -> Matrix:
    wide = np.asarray(rows, dtype=np.float64)
    return wide / np.linalg.norm(wide, axis=1, keepdims=True)


def log_sum_exp(x: Matrix, axis: int) -> Matrix:
    top = x.max(axis=axis, keepdims=True)
    return (np.log(np.exp(x - top).sum(axis=axis, keepdims=True)) + top).squeeze(axis)


def loss_of_batch(image: np.ndarray, text: np.ndarray, tau: float) -> Matrix:
    """negCLIPLoss of every pair of one batch, (N,)."""
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
    """negCLIPLoss against K pools and its standard error, (N,) each.

    A pool is a section of a permutation; the pair itself is added.
    """
    words = row_number_uids(len(image)) if words is None else words
    each = np.empty((batches, len(image)))
    for draw in range(batches):
        permutation, section = divmod(draw, len(image) // batch_size)
        order = np.argsort(uids.draw_keys(words, seed, permutation))
        pool = order[section * batch_size :][:batch_size]
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


def norm_sim_d(image: np.ndarray, kept: int, rounds: int) -> Matrix:
    """Survivors have their RMS cosine; rows dropped in round t have that round's − (T − t + 1)."""
    rows, alive = unit(image), np.arange(len(image))
    result = np.empty(len(rows))
    per_round = math.ceil((len(rows) - kept) / rounds)
    for number in range(rounds):
        scores = mean_squares(rows[alive], rows[alive]) ** 0.5
        lowest = np.argsort(scores, kind="stable")[: min(per_round, len(alive) - kept)]
        result[alive[lowest]] = scores[lowest] - (rounds - number)
        alive = np.delete(alive, lowest)
    result[alive] = mean_squares(rows[alive], rows[alive]) ** 0.5
    return result


def mean_squares(image: np.ndarray, target: np.ndarray) -> Matrix:
    """VAS: v (GᵀG/M) vᵀ of each image v, (N,)."""
    v, g = unit(image), unit(target)
    return np.einsum("id,de,ie->i", v, g.T @ g / len(g), v)


def best_ranks(image: np.ndarray, target: np.ndarray) -> Matrix:
    """The best rank of each image by its cosine to an item of the target; 1 is the nearest."""
    order = np.argsort(-(unit(target) @ unit(image).T), axis=1, kind="stable")
    return (np.argsort(order, axis=1) + 1).min(axis=0)


def in_shards(
    image: np.ndarray,
    words: uids.Words,
    cuts: Sequence[int] = (),
    **targets: Target,
) -> Data:
    """Images with these uids, split into shards at the cuts."""
    edges = [0, *sorted(cuts), len(image)]
    shards = [
        Shard(
            number, stop - start, partial(words.__getitem__, slice(start, stop)), image[start:stop]
        )
        for number, (start, stop) in enumerate(pairwise(edges))
    ]
    return Data(shards, targets)


def watched(data: Data, advance: Callable[[int], object]) -> Data:
    """The same data, which reports progress."""
    return replace(data, advance=advance)


def score(name: str, data: Data, **parameters: object) -> dict[str, list[object]]:
    """The columns of a registered score over all shards, None where a value is missing."""
    chosen = SCORES[name]
    checked = check_parameters(chosen, parameters)
    scorer = chosen.prepare(data, checked)
    parts = [scorer(shard, data.devices[0]) for shard in data.shards]
    declared = {c.name: c.type for c in chosen.columns(checked, list(data.targets))}
    assert declared.keys() == parts[0].keys()
    return {
        name: [
            None if value != value else value
            for part in parts
            for value in pa.array(part[name], pa.type_for_alias(type_)).to_pylist()
        ]
        for name, type_ in declared.items()
    }


def clustered(count: int, dim: int = 16, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """N pairs like CLIP's: in clusters, and similar within a pair; (N, dim) each, float32."""
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((5, dim))[rng.integers(0, 5, count)]
    image = centers + 0.6 * rng.standard_normal((count, dim))
    text = centers + 0.6 * rng.standard_normal((count, dim))
    return image.astype(np.float32), text.astype(np.float32)
