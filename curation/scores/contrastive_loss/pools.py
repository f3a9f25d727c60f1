"""Draws of |B| pairs from the whole dataset, the same however it is ordered or sharded.

The pools are consecutive stretches of a random permutation (and of another when that one is used
up), so each is a uniform draw, and no pair is drawn twice before every pair has been drawn once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation import uids
from curation.errors import CurationError
from curation.scores.base import Floats, Shard
from curation.scores.shared.normalize import unit


@dataclass(frozen=True)
class Pool:
    """A reference pool.

    Attributes:
        image, text: unit rows (|B|, d), float32.
        after, last: a sample is a member if its key is above the one and at most the other;
            None means from the first key on.
        permutation, seed: what the keys are of.
        is_all: every usable pair of the dataset is in it.
    """

    image: Floats
    text: Floats
    after: np.uint64 | None
    last: np.uint64
    permutation: int
    seed: int
    is_all: bool = False

    def has(self, words: uids.Words) -> NDArray[np.bool_]:
        """Which of these samples (N, 2) are members: (N,)."""
        keys = uids.draw_keys(words, self.seed, self.permutation)
        inside = keys <= self.last
        return inside if self.after is None else inside & (keys > self.after)


@dataclass(frozen=True)
class _Drawn:
    """The first usable pairs of a permutation, in its order."""

    image: Floats
    text: Floats
    keys: NDArray[np.uint64]


def draw_pools(shards: Sequence[Shard], size: int, batches: int, seed: int) -> list[Pool]:
    """K pools of ``size`` pairs; one pool of everything where the dataset is no larger.

    Pairs with an embedding that is zero or not finite are passed over.

    Raises:
        CurationError: fewer than two pairs are usable.
    """
    total = sum(len(shard) for shard in shards)
    pools: list[Pool] = []
    permutation = 0
    while len(pools) < batches:
        count = min(batches - len(pools), max(1, total // size))
        drawn = _first_usable(shards, min(count * size, total), permutation, seed)
        if len(drawn.keys) < 2:
            raise CurationError("negCLIPLoss needs at least two samples with usable embeddings")
        if len(drawn.keys) < size or total <= size:
            return [_pool(drawn, slice(0, size), permutation, seed, is_all=True)]
        starts = range(0, len(drawn.keys) - size + 1, size)
        pools += [_pool(drawn, slice(k, k + size), permutation, seed) for k in starts]
        permutation += 1
    return pools


def _pool(drawn: _Drawn, part: slice, permutation: int, seed: int, is_all: bool = False) -> Pool:
    after = drawn.keys[part.start - 1] if part.start else None
    keys = drawn.keys[part]
    return Pool(drawn.image[part], drawn.text[part], after, keys[-1], permutation, seed, is_all)


def _first_usable(shards: Sequence[Shard], wanted: int, permutation: int, seed: int) -> _Drawn:
    total = sum(len(shard) for shard in shards)
    spare = wanted // 8 + 64
    drawn = _first(shards, wanted, spare, permutation, seed)
    while len(drawn.keys) < wanted and wanted + spare < total:
        spare *= 8
        drawn = _first(shards, wanted, spare, permutation, seed)
    return drawn


def _first(shards: Sequence[Shard], wanted: int, spare: int, permutation: int, seed: int) -> _Drawn:
    """The first ``wanted`` usable pairs among the ``wanted + spare`` smallest keys."""
    candidates = wanted + spare
    keys = np.empty(0, dtype=np.uint64)
    places = np.empty((0, 2), dtype=np.int64)
    for position, shard in enumerate(shards):
        new = uids.draw_keys(shard.uids(), seed, permutation)
        rows = np.arange(len(new))
        if len(keys) == candidates:
            # Of a large dataset's later shards few samples are among the smallest.
            rows = np.flatnonzero(new < keys[-1])
        here = np.stack([np.full(len(rows), position), rows], axis=1)
        merged = np.concatenate([keys, new[rows]])
        smallest = np.argsort(merged, kind="stable")[:candidates]
        keys, places = merged[smallest], np.concatenate([places, here])[smallest]
        # A uid that comes again has its key again; the first row of it counts.
        first = np.append(True, keys[1:] != keys[:-1])[: len(keys)]
        keys, places = keys[first], places[first]
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
    if not bad.any():
        return _Drawn(image[:wanted], text[:wanted], keys[:wanted])
    kept = np.flatnonzero(~bad)[:wanted]
    return _Drawn(image[kept], text[kept], keys[kept])
