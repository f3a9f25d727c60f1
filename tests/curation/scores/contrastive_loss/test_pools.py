from itertools import pairwise

import numpy as np
import pytest

from curation import uids
from curation.scores.base import Shard
from curation.scores.contrastive_loss.pools import Pool, draw_pools
from tests.curation.scores import reference


def test_no_pair_is_drawn_twice_before_every_pair_was_drawn_once():
    words, shards = shards_of(100)
    pools = draw_pools(shards, 25, 6, seed=0)
    drawn = [members(pool, words) for pool in pools]
    assert [len(pool) for pool in drawn] == [25] * 6
    assert set().union(*drawn[:4]) == set(range(100))
    # The fifth pool starts another permutation.
    assert drawn[4] not in drawn[:4]
    assert not drawn[4] & drawn[5]


def test_a_pool_holds_the_embeddings_of_its_members():
    words, shards = shards_of(60)
    for pool in draw_pools(shards, 10, 3, seed=1):
        order = np.argsort(uids.draw_keys(words, 1, 0))
        rows = [row for row in order if row in members(pool, words)]
        np.testing.assert_allclose(pool.image, reference.unit(images(60))[rows], atol=1e-6)


def test_a_small_pool_of_many_shards_is_the_start_of_the_permutation():
    # 67 candidates are kept; from the third shard on, only smaller keys replace them.
    words, shards = shards_of(1000, cuts=range(40, 1000, 40))
    (pool,) = draw_pools(shards, 3, 1, seed=0)
    order = np.argsort(uids.draw_keys(words, 0, 0))
    assert members(pool, words) == set(order[:3].tolist())
    np.testing.assert_allclose(pool.image, reference.unit(images(1000))[order[:3]], atol=1e-6)


def test_of_a_repeated_uid_the_first_row_is_drawn_once():
    image = images(40)
    words = reference.row_number_uids(20)[np.r_[0:20, 0:20]]
    shards = [
        Shard(0, 20, lambda: words[:20], image[:20], image[:20]),
        Shard(1, 20, lambda: words[20:], image[20:], image[20:]),
    ]
    (pool,) = draw_pools(shards, 30, 2, seed=0)
    order = np.argsort(uids.draw_keys(words[:20], 0, 0))
    np.testing.assert_allclose(pool.image, reference.unit(image[:20])[order], atol=1e-6)
    assert pool.is_whole_dataset


def test_seeds_draw_different_pools():
    words, shards = shards_of(200)
    one, other = (members(draw_pools(shards, 50, 1, seed)[0], words) for seed in (0, 1))
    assert 0 < len(one & other) < 40


@pytest.mark.parametrize("size", [60, 61, 1000])
def test_a_pool_of_the_whole_dataset_is_drawn_once(size):
    words, shards = shards_of(60)
    (pool,) = draw_pools(shards, size, 10, seed=0)
    assert pool.is_whole_dataset
    assert members(pool, words) == set(range(60))


def test_a_pool_of_less_than_the_dataset_is_not_the_whole_dataset():
    _, shards = shards_of(60)
    pools = draw_pools(shards, 59, 2, seed=0)
    assert [(len(pool.image), pool.is_whole_dataset) for pool in pools] == [(59, False)] * 2


def test_unusable_pairs_are_left_out():
    image = images(80)
    image[::2] = 0
    words, shards = shards_of(80, image)
    pools = draw_pools(shards, 20, 4, seed=0)
    usable = [{row for row in members(pool, words) if row % 2} for pool in pools]
    # Forty usable pairs make two pools per permutation.
    assert [len(pool) for pool in usable] == [20] * 4
    assert usable[0] | usable[1] == usable[2] | usable[3] == set(range(1, 80, 2))
    (everything,) = draw_pools(shards, 41, 4, seed=0)
    assert everything.is_whole_dataset
    assert len(everything.image) == 40


def images(count: int) -> np.ndarray:
    return reference.clustered(count)[0]


def shards_of(
    count: int, image: np.ndarray | None = None, cuts: range | None = None
) -> tuple[uids.Words, list[Shard]]:
    """The uids, and shards of the images that are their own captions."""
    words = reference.row_number_uids(count)
    rows = images(count) if image is None else image
    edges = [0, *(cuts or [count // 3]), count]
    parts = [slice(*edge) for edge in pairwise(edges)]
    shards = [
        Shard(k, len(rows[part]), lambda part=part: words[part], rows[part], rows[part])
        for k, part in enumerate(parts)
    ]
    return words, shards


def members(pool: Pool, words: uids.Words) -> set[int]:
    return set(np.flatnonzero(pool.contains(words)).tolist())
