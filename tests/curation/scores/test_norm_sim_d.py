import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import CurationError
from curation.scores import SCORES, norm_sim_d
from tests.curation.scores import reference
from tests.curation.scores.reference import TOLERANCE


@pytest.mark.parametrize(
    ("keep", "kept", "iterations"),
    [(0.3, 60, 7), (0.3, 60, 1), (20, 20, 100), (1.0, 200, 3), (500, 200, 3), (0.001, 1, 400)],
)
def test_drops_the_least_similar_rows_round_by_round(keep, kept, iterations):
    image, _ = reference.clustered(200)
    result = norm_sim_d(image, keep=keep, iterations=iterations)
    expected = reference.norm_sim_d(image, kept, iterations)
    # Scores below 0 have the float32 precision of the round's number.
    np.testing.assert_allclose(result, expected, rtol=1e-7, atol=TOLERANCE)
    assert (result >= 0).tolist() == (expected >= 0).tolist()
    assert (result >= 0).sum() == kept


def test_rows_dropped_later_rank_higher():
    image, _ = reference.clustered(100)
    earlier = norm_sim_d(image, keep=0.8, iterations=10)
    later = norm_sim_d(image, keep=0.6, iterations=20)
    # The first ten rounds are the same: the rows that they drop rank below all others.
    assert later[earlier < 0].max() < later[earlier >= 0].min()


def test_a_shard_of_several_chunks_is_one_pool():
    image = np.random.default_rng(0).standard_normal((9000, 3)).astype(np.float16)
    result = norm_sim_d(image, keep=0.5, iterations=3)
    np.testing.assert_allclose(result, reference.norm_sim_d(image, 4500, 3), atol=TOLERANCE)


def test_of_equal_images_the_larger_uid_is_dropped_first():
    words = np.array([[0, 7], [1, 0], [0, 1], [0, 9]], dtype=np.uint64)
    data = reference.in_shards(np.ones((4, 2)), words, [1, 3])
    result = reference.score("norm_sim_d", data, keep=1, iterations=3)["norm_sim_d"]
    assert [v >= 0 for v in result] == [True] * 4
    result = reference.score("norm_sim_d", data, keep=2.0, iterations=2)["norm_sim_d"]
    assert result == pytest.approx([1, -1, 1, 0], abs=1e-6)
    assert [v >= 0 for v in result] == [True, False, True, False]


def test_opposite_vectors_count_as_similar():
    result = norm_sim_d(np.array([[1.0, 0], [-2, 0], [0, 1]]), keep=2, iterations=1)
    assert result.tolist() == pytest.approx([1, 1, np.sqrt(1 / 3) - 1])


def test_one_sample_and_one_dimension_are_kept():
    assert norm_sim_d(np.array([[-3.0]]), keep=0.1).tolist() == [1]


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_unusable_rows_have_no_score_and_do_not_count(value):
    image, _ = reference.clustered(20)
    expected = reference.norm_sim_d(np.delete(image, [3, 9], axis=0), 9, 4)
    image[[3, 9]] = value
    result = norm_sim_d(image, keep=0.5, iterations=4)
    assert np.flatnonzero(np.isnan(result)).tolist() == [3, 9]
    np.testing.assert_allclose(np.delete(result, [3, 9]), expected, atol=TOLERANCE)


def test_a_pool_without_a_usable_row_is_an_error():
    with pytest.raises(CurationError, match="at least one sample with a usable embedding"):
        norm_sim_d(np.zeros((3, 2)))


@settings(max_examples=25, deadline=None)
@given(
    order=st.permutations(range(12)),
    cuts=st.lists(st.integers(0, 12), max_size=3),
    keep=st.floats(0.05, 12),
    iterations=st.integers(1, 15),
)
def test_neither_order_nor_shards_change_scores_and_scores_are_in_range(
    order, cuts, keep, iterations
):
    image, _ = reference.clustered(12)
    image[5:8] = image[4]
    words = reference.row_number_uids(12)
    expected = norm_sim_d(image, keep=keep, iterations=iterations)
    data = reference.in_shards(image[order], words[order], cuts)
    result = reference.score("norm_sim_d", data, keep=keep, iterations=iterations)["norm_sim_d"]
    assert result == pytest.approx(expected[order].tolist(), abs=1e-6)
    assert [v >= 0 for v in result] == (expected[order] >= 0).tolist()
    assert -iterations <= min(result) <= max(result) <= 1


@pytest.mark.parametrize(("keep", "iterations"), [(0.3, 7), (11, 100), (1.0, 5)])
def test_progress_counts_every_sample_as_often_as_declared(keep, iterations):
    steps = []
    image, _ = reference.clustered(12)
    data = reference.watched(
        reference.in_shards(image, reference.row_number_uids(12), [5]), steps.append
    )
    reference.score("norm_sim_d", data, keep=keep, iterations=iterations)
    assert sum(steps) == 12 * SCORES["norm_sim_d"].passes({"iterations": iterations})


@pytest.mark.parametrize(
    ("name", "value"), [("keep", 0.0), ("keep", -1.0), ("keep", np.inf), ("iterations", 0)]
)
def test_parameters_out_of_range_are_an_error(name, value):
    with pytest.raises(CurationError, match=f"{name} is {value}; expected"):
        norm_sim_d(np.ones((3, 4)), **{name: value})
