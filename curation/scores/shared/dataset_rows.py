"""Rows of the whole dataset, wherever their shards lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from curation import uids
from curation.scores.base import Floats, Shard
from curation.scores.shared.normalize import chunks, unit


def first_rows(shards: Sequence[Shard]) -> NDArray[np.int64]:
    """The row of the whole dataset that each shard begins at, and at last how many there are."""
    return np.cumsum([0, *map(len, shards)], dtype=np.int64)


def all_uids(shards: Sequence[Shard]) -> uids.Words:
    """Every sample's uid, (N, 2), in the order of the shards."""
    return np.concatenate([np.empty((0, 2), dtype=np.uint64), *(s.uids() for s in shards)])


def repeats(shards: Sequence[Shard]) -> NDArray[np.bool_]:
    """Which rows of the whole dataset have the uid of an earlier one: they count for nothing."""
    # By a 64-bit hash, half the size: two uids of a billion are taken for one in 3 % of cases.
    keys = np.concatenate(
        [np.empty(0, np.uint64), *(uids.draw_keys(s.uids(), 0, 0) for s in shards)]
    )
    ranked = np.argsort(keys, kind="stable")
    keys = keys[ranked]
    again = np.zeros(len(keys), dtype=bool)
    again[ranked[1:][keys[1:] == keys[:-1]]] = True
    return again


def unit_rows(
    shards: Sequence[Shard], rows: NDArray[np.int64], side: Literal["image", "text"]
) -> tuple[Floats, NDArray[np.bool_]]:
    """The embeddings at these rows of the whole dataset, in any order.

    Each shard is opened once, and only its own rows are read.

    Returns:
        Unit rows (len(rows), d), float32, and which of them cannot be (zero, NaN or infinite).
    """
    first = first_rows(shards)
    ranked = np.argsort(rows, kind="stable")
    cuts = np.searchsorted(rows[ranked], first)
    result = np.zeros((len(rows), _dim(shards, side)), dtype=np.float32)
    bad = np.zeros(len(rows), dtype=bool)
    for position, shard in enumerate(shards):
        mine = ranked[cuts[position] : cuts[position + 1]]
        if len(mine):
            embeddings = shard.image if side == "image" else shard.text
            for part in chunks(len(mine)):
                to = mine[part]
                result[to], bad[to] = unit(embeddings[rows[to] - first[position]])
    return result, bad


def _dim(shards: Sequence[Shard], side: str) -> int:
    if not shards:
        return 0
    first = shards[0]
    return int((first.image if side == "image" else first.text).shape[1])
