"""Random pools of |B| pairs from the whole dataset, independent of its order and its shards.

The pools are consecutive sections of a random permutation, and of further permutations when one is
used up. So each pool is a uniform draw, and no pair is drawn twice before every pair was drawn
once. The permutation sorts the uids by a hash of uid, seed and permutation number: its keys.
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
    """A pool of |B| pairs: those whose keys are above ``after`` and at most ``last``.

    Attributes:
        image, text: unit rows, shape (|B|, d), float32, in the order of the keys.
        after: the last key of the section before; None in the first section of a permutation.
        last: the largest key of the pool.
        permutation, seed: which permutation the keys belong to.
        is_whole_dataset: whether it holds every usable pair.
    """

    image: Floats
    text: Floats
    after: np.uint64 | None
    last: np.uint64
    permutation: int
    seed: int
    is_whole_dataset: bool = False

    def contains(self, words: uids.Words) -> NDArray[np.bool_]:
        """Which of these uids (N, 2) are in the pool: (N,)."""
        keys = uids.draw_keys(words, self.seed, self.permutation)
        up_to_last = keys <= self.last
        return up_to_last if self.after is None else up_to_last & (keys > self.after)


@dataclass(frozen=True)
class _Draw:
    """The first n usable pairs of a permutation: unit rows (n, d) and ascending keys (n,)."""

    image: Floats
    text: Floats
    keys: NDArray[np.uint64]


def draw_pools(shards: Sequence[Shard], size: int, batches: int, seed: int) -> list[Pool]:
    """K pools of ``size`` pairs, or one pool of all pairs if the dataset is no larger than that.

    Pairs with an embedding that is zero or not finite are left out.

    Args:
        shards: the whole dataset.
        size: |B| ≥ 2.
        batches: K ≥ 1.
        seed: of the permutations.

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
            return [_section(drawn, slice(0, size), permutation, seed, is_whole_dataset=True)]
        starts = range(0, len(drawn.keys) - size + 1, size)
        pools += [_section(drawn, slice(k, k + size), permutation, seed) for k in starts]
        permutation += 1
    return pools


def _section(
    drawn: _Draw, part: slice, permutation: int, seed: int, is_whole_dataset: bool = False
) -> Pool:
    after = drawn.keys[part.start - 1] if part.start else None
    keys = drawn.keys[part]
    return Pool(
        drawn.image[part], drawn.text[part], after, keys[-1], permutation, seed, is_whole_dataset
    )


def _first_usable(shards: Sequence[Shard], wanted: int, permutation: int, seed: int) -> _Draw:
    """The first ``wanted`` usable pairs of a permutation, or all if there are fewer."""
    total = sum(len(shard) for shard in shards)
    spare = wanted // 8 + 64
    drawn = _first_usable_of(shards, wanted, spare, permutation, seed)
    while len(drawn.keys) < wanted and wanted + spare < total:
        spare *= 8
        drawn = _first_usable_of(shards, wanted, spare, permutation, seed)
    return drawn


def _first_usable_of(
    shards: Sequence[Shard], wanted: int, spare: int, permutation: int, seed: int
) -> _Draw:
    """The first ``wanted`` usable pairs among those with the ``wanted + spare`` smallest keys."""
    candidates = wanted + spare
    keys = np.empty(0, dtype=np.uint64)
    # Of each candidate: the position of its shard in ``shards``, and its row in the shard.
    sources = np.empty((0, 2), dtype=np.int64)
    for position, shard in enumerate(shards):
        shard_keys = uids.draw_keys(shard.uids(), seed, permutation)
        rows = np.arange(len(shard_keys))
        if len(keys) == candidates:
            # In a large dataset, few samples of the later shards are among the smallest.
            rows = np.flatnonzero(shard_keys < keys[-1])
        shard_sources = np.stack([np.full(len(rows), position), rows], axis=1)
        merged = np.concatenate([keys, shard_keys[rows]])
        smallest = np.argsort(merged, kind="stable")[:candidates]
        keys = merged[smallest]
        sources = np.concatenate([sources, shard_sources])[smallest]
        # Equal keys mean equal uids, of which the first row counts.
        is_first = np.append(True, keys[1:] != keys[:-1])[: len(keys)]
        keys, sources = keys[is_first], sources[is_first]
    dim = shards[0].image.shape[1]
    image = np.zeros((len(sources), dim), dtype=np.float32)
    text = np.zeros_like(image)
    bad = np.zeros(len(sources), dtype=bool)
    for position in np.unique(sources[:, 0]):
        mine = np.flatnonzero(sources[:, 0] == position)
        mine = mine[np.argsort(sources[mine, 1])]
        rows = sources[mine, 1]
        shard = shards[int(position)]
        image[mine], no_image = unit(shard.image[rows])
        text[mine], no_text = unit(shard.text[rows])
        bad[mine] = no_image | no_text
    if not bad.any():
        return _Draw(image[:wanted], text[:wanted], keys[:wanted])
    usable = np.flatnonzero(~bad)[:wanted]
    return _Draw(image[usable], text[usable], keys[usable])
