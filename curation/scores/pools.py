"""Draws of |B| pairs from the whole dataset, the same however it is ordered or sharded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation import uids
from curation.errors import CurationError
from curation.scores.arrays import unit
from curation.scores.base import Floats, Shard


@dataclass(frozen=True)
class Pool:
    """A reference pool.

    Attributes:
        image, text: unit rows (|B|, d), float32.
        cutoff: a sample is a member if its draw key is at most this.
        draw, seed: which draw it is.
    """

    image: Floats
    text: Floats
    cutoff: np.uint64
    draw: int
    seed: int

    def has(self, words: uids.Words) -> NDArray[np.bool_]:
        """Which of these samples (N, 2) are members: (N,)."""
        return uids.draw_keys(words, self.seed, self.draw) <= self.cutoff


def draw_pools(shards: Sequence[Shard], size: int, batches: int, seed: int) -> list[Pool]:
    """K pools of ``size`` pairs; one pool of everything where the dataset is no larger.

    Pairs with an embedding that is zero or not finite are passed over.

    Raises:
        CurationError: fewer than two pairs are usable.
    """
    total = sum(len(shard) for shard in shards)
    if total <= size:
        batches = 1
    wanted = min(size, total)
    spare = wanted // 8 + 64
    pools = _draw(shards, wanted, spare, batches, seed)
    while any(len(pool.image) < wanted for pool in pools) and wanted + spare < total:
        spare *= 8
        pools = _draw(shards, wanted, spare, batches, seed)
    if len(pools[0].image) < 2:
        raise CurationError("negCLIPLoss needs at least two samples with usable embeddings")
    return pools


def _draw(shards: Sequence[Shard], wanted: int, spare: int, batches: int, seed: int) -> list[Pool]:
    candidates = wanted + spare
    keys = [np.empty(0, dtype=np.uint64) for _ in range(batches)]
    places = [np.empty((0, 2), dtype=np.int64) for _ in range(batches)]
    for position, shard in enumerate(shards):
        words = shard.uids()
        here = np.stack([np.full(len(words), position), np.arange(len(words))], axis=1)
        for draw in range(batches):
            merged = np.concatenate([keys[draw], uids.draw_keys(words, seed, draw)])
            smallest = np.argsort(merged, kind="stable")[:candidates]
            keys[draw] = merged[smallest]
            places[draw] = np.concatenate([places[draw], here])[smallest]
    return [
        _gather(shards, places[draw], keys[draw], wanted, draw, seed) for draw in range(batches)
    ]


def _gather(
    shards: Sequence[Shard],
    places: NDArray[np.int64],
    keys: NDArray[np.uint64],
    wanted: int,
    draw: int,
    seed: int,
) -> Pool:
    dim = shards[0].image.shape[1]
    image = np.zeros((len(places), dim), dtype=np.float32)
    text = np.zeros_like(image)
    bad = np.zeros(len(places), dtype=bool)
    for position in np.unique(places[:, 0]):
        mine = np.flatnonzero(places[:, 0] == position)
        mine = mine[np.argsort(places[mine, 1])]
        rows = places[mine, 1]
        shard = shards[int(position)]
        image[mine], no_image = unit(shard.image[rows])
        text[mine], no_text = unit(shard.text[rows])
        bad[mine] = no_image | no_text
    kept = np.flatnonzero(~bad)[:wanted]
    cutoff = keys[kept[-1]] if len(kept) else np.uint64(0)
    return Pool(image[kept], text[kept], cutoff, draw, seed)
