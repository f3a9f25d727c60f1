import numpy as np
import pytest

from curation.errors import CurationError
from curation.scores import clip_score
from tests.curation.scores import reference


def test_is_the_cosine_of_image_and_caption():
    image, text = reference.clustered(200)
    expected = (reference.unit(image) * reference.unit(text)).sum(axis=1)
    np.testing.assert_allclose(clip_score(image, text), expected, atol=reference.TOLERANCE)


def test_does_not_depend_on_the_length_of_the_rows():
    image, text = reference.clustered(50)
    lengths = np.float32(10.0) ** np.arange(-15, 10, 0.5, dtype=np.float32)[:, None]
    same = clip_score(image * lengths, text / lengths)
    np.testing.assert_allclose(same, clip_score(image, text), atol=reference.TOLERANCE)


def test_equal_vectors_score_one_and_opposite_ones_minus_one():
    image = np.array([[3, 4], [3, 4]], dtype=np.float32)
    assert clip_score(image, np.array([[6, 8], [-3, -4]])).tolist() == pytest.approx([1, -1])


def test_rounding_never_exceeds_the_range_of_a_cosine():
    image, _ = reference.clustered(5000, dim=64)
    assert clip_score(image, image).max() <= 1
    assert clip_score(image, -image).min() >= -1


def test_accepts_float16():
    image, text = (rows.astype(np.float16) for rows in reference.clustered(50))
    expected = (reference.unit(image) * reference.unit(text)).sum(axis=1)
    np.testing.assert_allclose(clip_score(image, text), expected, atol=reference.TOLERANCE)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_an_unusable_embedding_has_no_score_and_the_others_keep_theirs(value):
    image, text = reference.clustered(6)
    before = clip_score(image, text)
    image[2], text[4] = value, value
    scores = clip_score(image, text)
    assert np.flatnonzero(np.isnan(scores)).tolist() == [2, 4]
    assert np.delete(scores, [2, 4]).tolist() == np.delete(before, [2, 4]).tolist()


def test_no_samples_give_an_empty_result():
    assert clip_score(np.empty((0, 4)), np.empty((0, 4))).shape == (0,)


def test_shapes_that_differ_are_an_error():
    with pytest.raises(CurationError, match=r"\(3, 4\) and \(3, 5\); expected \(N, d\)"):
        clip_score(np.ones((3, 4)), np.ones((3, 5)))
