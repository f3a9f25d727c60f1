import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import CurationError
from curation.scores import SCORES, nearest, norm_sim
from curation.scores.base import Target, check_parameters
from curation.scores.in_memory import EmbeddingWarning
from curation.scores.norm_sim import norm_of_parts
from tests.curation.scores import reference
from tests.curation.scores.reference import TOLERANCE

DEFAULTS = check_parameters(SCORES["norm_sim"], {})
EVERY_P = pytest.mark.parametrize("p", [1.0, 2.0, 3.0, math.inf])


@EVERY_P
def test_is_the_p_norm_of_the_cosines_to_the_target(p):
    image, _ = reference.clustered(300)
    target, _ = reference.clustered(7, seed=1)
    np.testing.assert_allclose(
        norm_sim(image, target, p=p), reference.norm_sim(image, target, p), atol=TOLERANCE
    )


@EVERY_P
def test_a_target_of_several_tiles_is_the_same_formula(p):
    image, _ = reference.clustered(1100, dim=6)
    target, _ = reference.clustered(4500, dim=6, seed=1)
    np.testing.assert_allclose(
        norm_sim(image, target, p=p), reference.norm_sim(image, target, p), rtol=TOLERANCE
    )


@EVERY_P
def test_an_image_at_right_angles_to_the_target_scores_zero(p):
    image = np.array([[0, 0, 1.0], [1, 1e-4, 0]])
    target = np.array([[1, 0, 0], [0.6, 0.8, 0.0]])
    np.testing.assert_allclose(
        norm_sim(image, target, p=p),
        [0, reference.norm_sim(image[1:], target, p)[0]],
        atol=TOLERANCE,
    )


@pytest.mark.parametrize("p", [50.0, 1000.0])
def test_a_large_p_comes_near_the_maximum_and_does_not_underflow(p):
    image, _ = reference.clustered(100)
    target, _ = reference.clustered(9, seed=1)
    np.testing.assert_allclose(
        norm_sim(image, target, p=p), reference.norm_sim(image, target, p), atol=1e-5
    )


@EVERY_P
def test_a_sample_of_the_target_itself_scores_at_least_one(p):
    target, _ = reference.clustered(5)
    assert norm_sim(target, target, p=p).min() >= 1 - TOLERANCE


def test_opposite_vectors_count_as_near():
    assert norm_sim(np.array([[1.0, 0]]), np.array([[-1.0, 0]])).tolist() == [1]


@EVERY_P
def test_one_dimension_follows_the_formula(p):
    image, target = np.array([[2.0], [-1]]), np.array([[1.0], [-3], [5]])
    expected = 1 if math.isinf(p) else 3 ** (1 / p)
    assert norm_sim(image, target, p=p).tolist() == pytest.approx([expected, expected])


@EVERY_P
@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_unusable_rows_have_no_score_and_do_not_count_as_target(p, value):
    image, _ = reference.clustered(10)
    target, _ = reference.clustered(6, seed=1)
    expected = reference.norm_sim(np.delete(image, 3, axis=0), np.delete(target, 2, axis=0), p)
    image[3], target[2] = value, value
    scores = norm_sim(image, target, p=p)
    assert np.isnan(scores[3])
    np.testing.assert_allclose(np.delete(scores, 3), expected, atol=TOLERANCE)


@EVERY_P
def test_takes_float16_of_any_length(p):
    image = reference.clustered(40)[0].astype(np.float16) * np.float16(3)
    target = reference.clustered(6, seed=1)[0].astype(np.float16)
    np.testing.assert_allclose(
        norm_sim(image, target, p=p), reference.norm_sim(image, target, p), atol=TOLERANCE
    )


def test_an_empty_target_is_refused():
    with pytest.raises(CurationError, match=r"the target target is empty.*\(0, 4\)"):
        norm_sim(np.ones((3, 4)), np.empty((0, 4)))


def test_a_target_without_a_usable_row_is_refused():
    with pytest.raises(CurationError, match="no usable embedding"):
        norm_sim(np.ones((3, 4)), np.zeros((2, 4)))


def test_a_target_of_another_dimension_is_refused():
    with pytest.raises(CurationError, match="length 5, the dataset of length 4"):
        norm_sim(np.ones((3, 4)), np.ones((2, 5)))


@pytest.mark.parametrize("p", [0.5, 0.0, -1.0, math.nan])
def test_p_below_one_is_refused(p):
    with pytest.raises(CurationError, match=f"p is {p}; expected ≥ 1"):
        norm_sim(np.ones((3, 4)), np.ones((2, 4)), p=p)


def test_the_nearest_item_has_the_score():
    image, _ = reference.clustered(300)
    target, _ = reference.clustered(200, seed=1)
    cosines = np.abs(reference.unit(image) @ reference.unit(target).T)
    found = nearest(image, target)
    assert found.row.tolist() == cosines.argmax(axis=1).tolist()
    np.testing.assert_allclose(found.score, cosines.max(axis=1), atol=TOLERANCE)
    assert found.score.tolist() == norm_sim(image, target).tolist()


def test_the_nearest_item_is_a_row_of_the_whole_target_and_missing_where_the_score_is():
    image = np.array([[1.0, 0], [0, -1], [np.nan, 0]])
    target = np.array([[0.0, 0], [1, 0], [np.inf, 1], [0, 1]])
    found = nearest(image, target)
    assert found.row.tolist() == [1, 3, -1]
    assert np.isnan(found.score).tolist() == [False, False, True]


def test_of_items_equally_near_the_first_is_the_nearest():
    assert nearest(np.eye(2), np.array([[0.0, 2], [1, 0], [3, 0], [0, 1]])).row.tolist() == [1, 0]


IMAGES = np.array([[1.0, 0, 0], [0, 1, 0]])
CAPTIONS = np.array([[np.nan, 0, 0], [0, 0, 1]])


@EVERY_P
def test_a_target_is_measured_by_its_images_its_captions_or_both(p):
    image, _ = reference.clustered(40, dim=3)
    data = reference.in_shards(
        image, reference.row_number_uids(40), [15], food=Target(IMAGES, CAPTIONS)
    )
    found = reference.score("norm_sim", data, p=(p,), target_side=("image", "text", "both"))
    stem = f"norm_sim_{'inf' if math.isinf(p) else int(p)}_food"
    for ending, items in (
        ("", IMAGES),
        ("_text", CAPTIONS[1:]),
        ("_both", np.concatenate([IMAGES, CAPTIONS[1:]])),
    ):
        expected = reference.norm_sim(image, items, p)
        np.testing.assert_allclose(found[stem + ending], expected, atol=TOLERANCE)


def test_the_nearest_item_of_both_sides_is_the_item_whose_image_or_caption_is_nearest():
    image = np.array([[0, 0, 1.0], [1, 0, 0], [0, 1, 0], [0, 0, 0]])
    data = reference.in_shards(image, reference.row_number_uids(4), food=Target(IMAGES, CAPTIONS))
    found = reference.score("norm_sim", data, p=(math.inf,), target_side=("both", "text"))
    assert found["norm_sim_inf_food_both_nearest"] == [1, 0, 1, None]
    assert found["norm_sim_inf_food_text_nearest"] == [1, 1, 1, None]


@EVERY_P
def test_the_norm_of_several_targets_is_that_of_all_their_items(p):
    image, _ = reference.clustered(50)
    image[7] = 0
    targets = [reference.clustered(n, seed=n)[0] for n in (3, 40, 9)]
    with pytest.warns(EmbeddingWarning):
        parts = [norm_sim(image, target, p=p) for target in targets]
    found = norm_of_parts(parts, p)
    assert np.flatnonzero(np.isnan(found)).tolist() == [7]
    expected = reference.norm_sim(np.delete(image, 7, axis=0), np.concatenate(targets), p)
    np.testing.assert_allclose(np.delete(found, 7), expected, rtol=TOLERANCE)


def test_the_norm_of_several_targets_neither_overflows_nor_underflows_at_a_large_p():
    part = np.array([1, 1e-3, 0], dtype=np.float32)
    found = norm_of_parts([part, part], 500)
    np.testing.assert_allclose(
        found, [2 ** (1 / 500), 2 ** (1 / 500) * 1e-3, 0], rtol=1e-6, atol=1e-30
    )


def test_each_norm_has_a_column_and_the_largest_cosine_its_item():
    names = [c.name for c in SCORES["norm_sim"].columns(DEFAULTS, ["food"])]
    assert names == ["norm_sim_inf_food", "norm_sim_inf_food_nearest", "norm_sim_2_food"]


def test_titles_say_which_side():
    columns = SCORES["norm_sim"].columns(
        DEFAULTS | {"p": (math.inf,), "target_side": ("image", "text", "both")}, ["food", "all"]
    )
    assert [c.title for c in columns if not c.of][:3] + [c.title for c in columns][-1:] == [
        "NormSim∞ (food)",
        "NormSim∞ (food, captions)",
        "NormSim∞ (food, images and captions)",
        "NormSim∞ (all targets, images and captions)",
    ]


def test_a_side_that_a_target_does_not_have_is_refused():
    data = reference.in_shards(np.eye(2), reference.row_number_uids(2), food=Target(np.eye(2)))
    with pytest.raises(CurationError, match=r"food has no usable embedding of its captions.*image"):
        reference.score("norm_sim", data, target_side=("text",))


def test_a_side_that_is_none_is_refused():
    data = reference.in_shards(np.eye(2), reference.row_number_uids(2), food=Target(np.eye(2)))
    with pytest.raises(CurationError, match="target_side is 'sound'; expected image or text or"):
        reference.score("norm_sim", data, target_side=("sound",))


@settings(max_examples=25, deadline=None)
@given(
    order=st.permutations(range(12)),
    cuts=st.lists(st.integers(0, 12), max_size=3),
    p=st.sampled_from([1, 2, 2.5, math.inf]),
)
def test_neither_order_nor_shards_matter_and_scores_keep_their_bounds(order, cuts, p):
    image, _ = reference.clustered(12)
    target, _ = reference.clustered(5, seed=1)
    words = reference.row_number_uids(12)
    data = reference.in_shards(image[order], words[order], cuts, food=Target(target))
    found = next(iter(reference.score("norm_sim", data, p=(p,)).values()))
    np.testing.assert_allclose(found, norm_sim(image, target, p=p)[order], atol=1e-6)
    assert min(found) >= 0
    assert max(found) <= 5 ** (1 / p) + TOLERANCE
