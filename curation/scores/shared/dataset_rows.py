"""Rows counted across the shards of a dataset: 0 to N − 1, in the order of the shards."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from curation import uids
from curation.scores.base import Floats, Shard
from curation.scores.shared.normalize import chunks, unit


def first_rows(shards: Sequence[Shard]) -> NDArray[np.int64]:
    """The first row of each of S shards, and N at the end: shape (S + 1,)."""
    return np.cumsum([0, *map(len, shards)], dtype=np.int64)


def rows_by_index(shards: Sequence[Shard]) -> dict[int, slice]:
    """The rows of each shard, by the shard's index."""
    first = first_rows(shards).tolist()
    return {
        shard.index: slice(*edges) for shard, edges in zip(shards, pairwise(first), strict=True)
    }


def all_uids(shards: Sequence[Shard]) -> uids.Words:
    """The uid of every row, shape (N, 2)."""
    return np.concatenate([np.empty((0, 2), dtype=np.uint64), *(s.uids() for s in shards)])


def repeats(shards: Sequence[Shard]) -> NDArray[np.bool_]:
    """Which rows have the uid of an earlier row, shape (N,). Scores leave those out.

    Compares 64-bit hashes of the uids, which take half the memory. Among a billion uids, two
    different ones have the same hash with a probability of 3 %.
    """
    keys = np.concatenate(
        [np.empty(0, np.uint64), *(uids.draw_keys(s.uids(), 0, 0) for s in shards)]
    )
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    is_repeat = np.zeros(len(keys), dtype=bool)
    is_repeat[order[1:][keys[1:] == keys[:-1]]] = True
    return is_repeat


def unit_rows(
    shards: Sequence[Shard], rows: NDArray[np.int64], side: Literal["image", "text"]
) -> tuple[Floats, NDArray[np.bool_]]:
    """The embeddings of n rows at unit length. Opens each shard once and reads only these rows.

    Args:
        shards: the whole dataset.
        rows: shape (n,), in any order.
        side: of the image or of the caption.

    Returns:
        As ``normalize.unit``: unit rows, shape (n, d), float32, zeros where a row cannot be scaled;
        and whether it cannot (it is zero or not finite), shape (n,).
    """
    first = first_rows(shards)
    order = np.argsort(rows, kind="stable")
    cuts = np.searchsorted(rows[order], first)
    result = np.zeros((len(rows), _dim(shards, side)), dtype=np.float32)
    bad = np.zeros(len(rows), dtype=bool)
    for position, shard in enumerate(shards):
        in_shard = order[cuts[position] : cuts[position + 1]]
        if len(in_shard):
            embeddings = shard.image if side == "image" else shard.text
            for part in chunks(len(in_shard)):
                output = in_shard[part]
                result[output], bad[output] = unit(embeddings[rows[output] - first[position]])
    return result, bad


def _dim(shards: Sequence[Shard], side: str) -> int:
    if not shards:
        return 0
    first = shards[0]
    return int((first.image if side == "image" else first.text).shape[1])
