import math

import numpy as np
import pytest

from curation.errors import CurationError
from curation.scores import norm_sim
from tests.curation.scores import reference
from tests.curation.scores.reference import TOLERANCE

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
