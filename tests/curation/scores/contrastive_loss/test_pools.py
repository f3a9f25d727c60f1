import numpy as np
import pytest

from curation import uids
from curation.scores.base import Shard
from curation.scores.contrastive_loss.pools import Pool, draw_pools
from tests.curation.scores import reference


def test_no_pair_is_drawn_twice_before_all_have_been_drawn_once():
    words, shards = _shards(100)
    pools = draw_pools(shards, 25, 6, seed=0)
    drawn = [_members(pool, words) for pool in pools]
    assert [len(members) for members in drawn] == [25] * 6
    assert set().union(*drawn[:4]) == set(range(100))
    # The fifth begins another permutation.
    assert drawn[4] not in drawn[:4]
    assert not drawn[4] & drawn[5]


def test_a_pool_holds_the_embeddings_of_its_members():
    words, shards = _shards(60)
    for pool in draw_pools(shards, 10, 3, seed=1):
        order = np.argsort(uids.draw_keys(words, 1, 0))
        members = [row for row in order if row in _members(pool, words)]
        np.testing.assert_allclose(pool.image, reference.unit(_image(60))[members], atol=1e-6)


def test_seeds_draw_different_pools():
    words, shards = _shards(200)
    one, other = (_members(draw_pools(shards, 50, 1, seed)[0], words) for seed in (0, 1))
    assert 0 < len(one & other) < 40


@pytest.mark.parametrize("size", [60, 61, 1000])
def test_a_pool_of_everything_is_drawn_once(size):
    words, shards = _shards(60)
    (pool,) = draw_pools(shards, size, 10, seed=0)
    assert pool.is_whole_dataset
    assert _members(pool, words) == set(range(60))


def test_unusable_pairs_are_passed_over():
    image = _image(80)
    image[::2] = 0
    words, shards = _shards(80, image)
    pools = draw_pools(shards, 20, 4, seed=0)
    usable = [{row for row in _members(pool, words) if row % 2} for pool in pools]
    # Forty usable pairs are two pools a permutation.
    assert [len(members) for members in usable] == [20] * 4
    assert usable[0] | usable[1] == usable[2] | usable[3] == set(range(1, 80, 2))
    (everything,) = draw_pools(shards, 41, 4, seed=0)
    assert everything.is_whole_dataset
    assert len(everything.image) == 40


def _image(count: int) -> np.ndarray:
    return reference.clustered(count)[0]


def _shards(count: int, image: np.ndarray | None = None) -> tuple[uids.Words, list[Shard]]:
    words = reference.row_number_uids(count)
    rows = _image(count) if image is None else image
    cuts = [slice(0, count // 3), slice(count // 3, count)]
    shards = [
        Shard(k, len(rows[cut]), lambda cut=cut: words[cut], rows[cut], rows[cut])
        for k, cut in enumerate(cuts)
    ]
    return words, shards


def _members(pool: Pool, words: uids.Words) -> set[int]:
    return set(np.flatnonzero(pool.contains(words)).tolist())
