import numpy as np
import pytest

from curation.errors import CurationError
from curation.scores import norm_sim, vas
from curation.scores.base import Target
from tests.curation.scores import reference
from tests.curation.scores.reference import TOLERANCE


def test_is_the_mean_squared_cosine_to_the_target():
    image, target = reference.clustered(200)[0], reference.clustered(30, seed=1)[0]
    np.testing.assert_allclose(
        vas(image, target), reference.mean_squares(image, target), atol=TOLERANCE
    )


def test_ranks_as_norm_sim_2_does():
    image, target = reference.clustered(200)[0], reference.clustered(30, seed=1)[0]
    assert (
        np.argsort(vas(image, target)).tolist() == np.argsort(norm_sim(image, target, p=2)).tolist()
    )


def test_a_target_of_one_direction_and_its_opposite_gives_one():
    assert vas(
        np.array([[-2.0, 0], [0, 1]]), np.array([[1.0, 0], [-3, 0]])
    ).tolist() == pytest.approx([1, 0])


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_unusable_rows_have_no_score_and_do_not_count_as_target(value):
    image, target = reference.clustered(10)[0], reference.clustered(6, seed=1)[0]
    expected = reference.mean_squares(np.delete(image, 3, axis=0), np.delete(target, 2, axis=0))
    image[3], target[2] = value, value
    scores = vas(image, target)
    assert np.isnan(scores[3])
    np.testing.assert_allclose(np.delete(scores, 3), expected, atol=TOLERANCE)


def test_is_made_toward_each_target_and_side():
    captions = np.array([[0.0, 1], [0, 2]])
    data = reference.in_shards(
        np.eye(2),
        reference.row_number_uids(2),
        [1],
        food=Target(np.eye(2)[:1].repeat(2, 0), captions),
    )
    found = reference.score("vas", data, target_side=("image", "text", "both"))
    assert found["vas_food"] == pytest.approx([1, 0])
    assert found["vas_food_text"] == pytest.approx([0, 1])
    assert found["vas_food_both"] == pytest.approx([0.5, 0.5])


def test_a_target_of_another_dimension_is_refused():
    with pytest.raises(CurationError, match="length 5, the dataset of length 4"):
        vas(np.ones((3, 4)), np.ones((2, 5)))
