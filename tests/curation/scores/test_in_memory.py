import warnings

import numpy as np
import pytest

from curation.errors import CurationError
from curation.scores import clip_score, in_memory, norm_sim
from tests.curation.scores import reference


def test_rows_of_other_lengths_are_counted_in_one_warning_per_side():
    image = reference.unit(reference.clustered(10)[0])
    image[[2, 5]] *= 3
    with pytest.warns(in_memory.EmbeddingWarning) as caught:
        clip_score(image, image)
    assert [str(warning.message) for warning in caught] == [
        "10 image embeddings: 2 not of unit length (scaled to it)",
        "10 caption embeddings: 2 not of unit length (scaled to it)",
    ]
    # Python shows the caller's line.
    assert caught[0].filename == __file__


def test_a_warning_lists_unusable_rows_and_they_have_no_score():
    image = reference.unit(reference.clustered(10)[0])
    image[3], image[4, 0], image[7, 1] = 0, np.nan, np.inf
    with pytest.warns(
        in_memory.EmbeddingWarning, match=r"3 zero or not finite \(no score; row 3, 4, 7\)"
    ):
        scores = norm_sim(image, image[:2])
    assert np.flatnonzero(np.isnan(scores)).tolist() == [3, 4, 7]


def test_a_models_16_bit_rows_are_of_unit_length():
    image = reference.unit(np.random.default_rng(0).standard_normal((100, 768)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clip_score(image.astype(np.float16), image.astype(np.float32))


@pytest.mark.parametrize("shapes", [((3, 4), (2, 4)), ((3, 4), (3, 5)), ((3,), (3,))])
def test_shapes_that_do_not_match_are_refused(shapes):
    with pytest.raises(CurationError, match=r"expected \(N, d\), the same for both"):
        in_memory.data(np.ones(shapes[0]), np.ones(shapes[1]))
