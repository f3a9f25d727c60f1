import warnings

import numpy as np
import pytest

from curation.errors import CurationError
from curation.scores import clip_score, in_memory, norm_sim
from tests.curation.scores import reference


def test_rows_of_other_lengths_are_told_once_a_side_with_their_number():
    image = reference.unit(reference.clustered(10)[0])
    image[[2, 5]] *= 3
    with pytest.warns(in_memory.EmbeddingWarning) as told:
        clip_score(image, image)
    assert [str(warning.message) for warning in told] == [
        "of 10 image embeddings 2 not of unit length, brought to it",
        "of 10 caption embeddings 2 not of unit length, brought to it",
    ]
    # The line that is shown is the caller's.
    assert told[0].filename == __file__


def test_unusable_rows_are_told_with_their_numbers_and_have_no_score():
    image = reference.unit(reference.clustered(10)[0])
    image[3], image[4, 0], image[7, 1] = 0, np.nan, np.inf
    with pytest.warns(
        in_memory.EmbeddingWarning, match=r"3 zero or not finite, .* \(row 3, 4, 7\)"
    ):
        scores = norm_sim(image, image[:2])
    assert np.flatnonzero(np.isnan(scores)).tolist() == [3, 4, 7]


def test_a_models_16_bit_rows_are_of_unit_length():
    image = reference.unit(np.random.default_rng(0).standard_normal((100, 768)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clip_score(image.astype(np.float16), image.astype(np.float32))


@pytest.mark.parametrize("shapes", [((3, 4), (2, 4)), ((3, 4), (3, 5)), ((3,), (3,))])
def test_shapes_that_differ_are_refused(shapes):
    with pytest.raises(CurationError, match=r"expected \(N, d\), the same for both"):
        in_memory.data(np.ones(shapes[0]), np.ones(shapes[1]))
