import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import CurationError
from curation.scores import nearest_neighbour
from curation.scores.base import Target
from tests.curation.scores import reference


def same(found, ranks, depth):
    expected = [-float(rank) if rank <= depth else np.nan for rank in ranks]
    assert found.tolist() == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("depth", [1, 7, 300, 5000])
def test_is_minus_the_best_rank_over_the_items_of_the_target(depth):
    image, target = reference.clustered(300)[0], reference.clustered(40, seed=1)[0]
    found = nearest_neighbour(image, target, depth=depth)
    same(found, reference.best_ranks(image, target), depth)


def test_opposite_vectors_are_the_farthest():
    found = nearest_neighbour(np.array([[-1.0, 0], [1, 0], [0, 1]]), np.array([[2.0, 0]]))
    assert found.tolist() == [-3, -1, -2]


def test_more_items_than_are_held_at_once_are_the_best_of_several_passes():
    rng = np.random.default_rng(0)
    image, target = rng.standard_normal((4000, 3)), rng.standard_normal((2200, 3))
    halves = [nearest_neighbour(image, half, depth=4000) for half in np.split(target, 2)]
    whole = nearest_neighbour(image, target, depth=4000)
    assert whole.tolist() == np.maximum(*halves).tolist()


def test_of_equal_images_the_smaller_uid_is_nearer_and_all_that_are_too_many_are_missing():
    image = np.tile(np.array([[0.6, 0.8]]), (4, 1))
    words = np.array([[0, 7], [1, 0], [0, 1], [0, 9]], dtype=np.uint64)
    data = reference.in_shards(image, words, [1, 3], one=Target(np.array([[1.0, 0]])))
    found = reference.score("nearest_neighbour", data, depth=3)
    assert found == {"nearest_neighbour_one": [-2, None, -1, -3]}


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_unusable_rows_take_no_rank_and_do_not_count_as_target(value):
    image, target = reference.clustered(10)[0], reference.clustered(6, seed=1)[0]
    ranks = reference.best_ranks(np.delete(image, 3, axis=0), np.delete(target, 2, axis=0))
    image[3], target[2] = value, value
    found = nearest_neighbour(image, target, depth=10)
    assert np.isnan(found[3])
    same(np.delete(found, 3), ranks, 10)


def test_each_side_of_a_target_is_ranked_by_itself():
    data = reference.in_shards(
        np.eye(2), reference.row_number_uids(2), food=Target(np.eye(2)[:1], np.eye(2)[1:])
    )
    found = reference.score(
        "nearest_neighbour", data, depth=1, target_side=("image", "text", "both")
    )
    assert found == {
        "nearest_neighbour_food": [-1, None],
        "nearest_neighbour_food_text": [None, -1],
        "nearest_neighbour_food_both": [-1, -1],
    }


@settings(max_examples=25, deadline=None)
@given(
    order=st.permutations(range(12)),
    cuts=st.lists(st.integers(0, 12), max_size=3),
    depth=st.integers(1, 15),
)
def test_neither_order_nor_shards_matter(order, cuts, depth):
    image, target = reference.clustered(12)[0], reference.clustered(5, seed=1)[0]
    image[5:8] = image[4]
    words = reference.row_number_uids(12)
    expected = nearest_neighbour(image, target, depth=depth)
    data = reference.in_shards(image[order], words[order], cuts, food=Target(target))
    found = reference.score("nearest_neighbour", data, depth=depth)["nearest_neighbour_food"]
    assert [v or np.nan for v in found] == pytest.approx(expected[order].tolist(), nan_ok=True)
    assert -1 in found
    assert min(v for v in found if v) >= -depth


def test_one_sample_is_the_nearest():
    assert nearest_neighbour(np.ones((1, 1)), -np.ones((3, 1))).tolist() == [-1]


def test_progress_tells_every_sample_once():
    told = []
    image, target = reference.clustered(50)[0], reference.clustered(7, seed=1)[0]
    data = reference.in_shards(
        image, reference.row_number_uids(50), [20], a=Target(target), b=Target(target[:2])
    )
    reference.score("nearest_neighbour", reference.watched(data, told.append))
    assert sum(told) == 50


def test_a_depth_below_one_is_refused():
    with pytest.raises(CurationError, match="depth is 0; expected ≥ 1"):
        nearest_neighbour(np.ones((3, 4)), np.ones((2, 4)), depth=0)


def test_a_target_of_another_dimension_is_refused():
    with pytest.raises(CurationError, match="length 5, the dataset of length 4"):
        nearest_neighbour(np.ones((3, 4)), np.ones((2, 5)))
