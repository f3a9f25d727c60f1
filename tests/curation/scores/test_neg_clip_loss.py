import functools
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation import scores
from curation.errors import CurationError
from curation.scores.base import Data, Shard, check_parameters
from curation.scores.neg_clip_loss import SCORE
from tests.curation.scores import reference
from tests.curation.scores.reference import TOLERANCE, clustered, loss_of_batch

# The default precision on a GPU is float16.
neg_clip_loss = functools.partial(scores.neg_clip_loss, precision="float32")
MODES = pytest.mark.parametrize("negatives", ["pool", "partition"])


@MODES
@pytest.mark.parametrize("tau", [0.001, 0.01, 0.07, 1.0])
def test_one_batch_of_everything_is_the_formula(negatives, tau):
    image, text = clustered(300)
    result = neg_clip_loss(image, text, temperature=tau, negatives=negatives)
    np.testing.assert_allclose(result.score, loss_of_batch(image, text, tau), atol=TOLERANCE)
    assert not result.standard_error.any()


@pytest.mark.parametrize("tau", [0.01, 0.1])
@pytest.mark.parametrize("batch_size", [2, 17, 60])
def test_a_pool_is_a_section_of_a_permutation_and_the_pair_itself(tau, batch_size):
    image, text = clustered(75)
    result = neg_clip_loss(image, text, temperature=tau, batch_size=batch_size, batches=3, seed=5)
    score, error = reference.loss_by_pool(image, text, tau, batch_size, 3, 5)
    np.testing.assert_allclose(result.score, score, atol=TOLERANCE)
    np.testing.assert_allclose(result.standard_error, error, atol=TOLERANCE)


def test_a_partition_puts_every_pair_in_one_batch_of_each_draw():
    # With equal embeddings a score is −τ·log |B|.
    image = np.ones((100, 3), dtype=np.float32)
    result = neg_clip_loss(
        image, image, temperature=1.0, batch_size=30, batches=4, negatives="partition"
    )
    sizes = np.exp(-result.score.astype(np.float64))
    # 100 pairs in batches of about 30: 33, 33 and 34, with no short last batch.
    assert sizes.min() > 33 - 1e-3
    assert sizes.max() < 34 + 1e-3


def test_a_partition_is_near_the_whole_dataset():
    image, text = clustered(200)
    whole = loss_of_batch(image, text, 0.1)
    result = neg_clip_loss(
        image, text, temperature=0.1, batch_size=50, batches=20, negatives="partition"
    )
    # A batch of a quarter of the pairs has a quarter of the negatives: τ·log 4 less.
    assert np.abs(result.score - 0.1 * np.log(4) - whole).max() < 0.05
    assert np.corrcoef(result.score, whole)[0, 1] > 0.99


def test_no_batch_of_a_partition_is_a_single_pair():
    image, text = clustered(7)
    result = neg_clip_loss(image, text, batch_size=2, temperature=1.0, negatives="partition")
    # A pair that is alone in its batch scores 0, the maximum.
    assert result.score.max() < -0.01


@MODES
def test_cosines_of_one_and_near_zero_neither_overflow_nor_underflow(negatives):
    image, text = np.eye(40, dtype=np.float32), np.eye(40, dtype=np.float32)
    # One caption fits no image: its cosines are far below the maxima of the other columns.
    image[7], text[7] = image[7] + 0.05, -np.ones(40)
    for tau in (0.001, 0.01):
        result = neg_clip_loss(image, text, temperature=tau, negatives=negatives)
        np.testing.assert_allclose(result.score, loss_of_batch(image, text, tau), atol=TOLERANCE)


@MODES
@pytest.mark.parametrize("count", [2, 3, 700, 2500])
def test_any_number_of_samples_follows_the_formula(negatives, count):
    image, text = clustered(count, dim=8)
    result = neg_clip_loss(image, text, negatives=negatives)
    np.testing.assert_allclose(result.score, loss_of_batch(image, text, 0.01), atol=TOLERANCE)


@MODES
def test_duplicates_and_opposite_vectors_follow_the_formula(negatives):
    image, text = clustered(20)
    image[1], text[1] = image[0], text[0]
    text[2] = -image[2]
    result = neg_clip_loss(image, text, negatives=negatives)
    np.testing.assert_allclose(result.score, loss_of_batch(image, text, 0.01), atol=TOLERANCE)
    assert result.score[0] == pytest.approx(result.score[1], abs=TOLERANCE)


@MODES
def test_one_dimension_follows_the_formula(negatives):
    image, text = np.array([[1], [-2], [3.0]]), np.array([[1], [1], [-1.0]])
    result = neg_clip_loss(image, text, negatives=negatives)
    np.testing.assert_allclose(result.score, loss_of_batch(image, text, 0.01), atol=TOLERANCE)


@MODES
def test_rows_of_any_length_and_float_type_follow_the_formula(negatives):
    image, text = clustered(60)
    expected = loss_of_batch(image.astype(np.float16), text.astype(np.float16), 0.01)
    result = neg_clip_loss(
        image.astype(np.float16), text.astype(np.float16) * np.float16(4), negatives=negatives
    )
    np.testing.assert_allclose(result.score, expected, atol=TOLERANCE)


@MODES
@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, -np.inf])
def test_unusable_embeddings_are_not_negatives_of_other_pairs(negatives, value):
    image, text = clustered(30)
    good = np.delete(np.arange(30), [4, 9])
    expected = loss_of_batch(image[good], text[good], 0.01)
    image[4], text[9] = value, value
    result = neg_clip_loss(image, text, negatives=negatives)
    assert np.flatnonzero(np.isnan(result.score)).tolist() == [4, 9]
    assert np.flatnonzero(np.isnan(result.standard_error)).tolist() == [4, 9]
    np.testing.assert_allclose(result.score[good], expected, atol=TOLERANCE)


def test_unusable_pairs_in_a_pool_are_replaced():
    image, text = clustered(400)
    image[:300] = np.nan
    result = neg_clip_loss(image, text, temperature=0.1, batch_size=20, batches=2)
    words = reference.row_number_uids(400)[300:]
    expected, _ = reference.loss_by_pool(image[300:], text[300:], 0.1, 20, 2, 0, words)
    np.testing.assert_allclose(result.score[300:], expected, atol=TOLERANCE)


@MODES
def test_equal_seeds_give_equal_scores_and_other_seeds_do_not(negatives):
    image, text = clustered(200)
    first, again, other = (
        neg_clip_loss(image, text, batch_size=50, batches=2, seed=s, negatives=negatives).score
        for s in (1, 1, 2)
    )
    assert first.tolist() == again.tolist()
    assert np.abs(first - other).max() > 1e-4


@MODES
def test_the_score_is_at_most_zero(negatives):
    image, _ = clustered(500)
    for tau in (0.001, 0.01, 1.0):
        result = neg_clip_loss(
            image, image, temperature=tau, batch_size=40, batches=2, negatives=negatives
        )
        assert result.score.max() <= 0


@MODES
def test_the_standard_error_of_sampled_batches_is_finite(negatives):
    image, text = clustered(200)
    result = neg_clip_loss(image, text, batch_size=20, batches=2, negatives=negatives)
    assert np.isfinite(result.standard_error).all()
    assert (result.standard_error > 0).any()


@MODES
def test_one_sampled_batch_has_no_standard_error(negatives):
    image, text = clustered(200)
    result = neg_clip_loss(image, text, batch_size=20, batches=1, negatives=negatives)
    assert np.isnan(result.standard_error).all()
    assert np.isfinite(result.score).all()


def test_more_batches_reduce_the_standard_error():
    image, text = clustered(200)
    few = neg_clip_loss(image, text, batch_size=50, batches=4).standard_error
    many = neg_clip_loss(image, text, batch_size=50, batches=64).standard_error
    assert np.median(many) < np.median(few) / 2


@settings(max_examples=15, deadline=None)
@given(
    order=st.permutations(range(40)),
    cuts=st.lists(st.integers(0, 40), max_size=4),
    batch_size=st.integers(2, 50),
    seed=st.integers(0, 2**31),
)
def test_neither_order_nor_shards_change_a_pool_score(order, cuts, batch_size, seed):
    image, text = clustered(40)
    words = reference.row_number_uids(40)
    values = check_parameters(SCORE, {"batch_size": batch_size, "batches": 2, "seed": seed})
    whole = _score([Shard(0, len(image), lambda: words, image, text)], values)
    bounds = [0, *sorted(cuts), 40]
    # Some shards are empty, as if all their samples had been skipped.
    parts = [np.array(order[a:b], dtype=int) for a, b in itertools.pairwise(bounds)]
    shards = [
        Shard(k, len(part), lambda part=part: words[part], image[part], text[part])
        for k, part in enumerate(parts)
    ]
    np.testing.assert_allclose(_score(shards, values), whole[list(order)], atol=TOLERANCE)


def _score(shards: list[Shard], values: dict) -> np.ndarray:
    scorer = SCORE.prepare(Data(shards), values)
    return np.concatenate([scorer(shard, "cpu")["neg_clip_loss"] for shard in shards])


def test_a_partition_crosses_shards():
    image, text = clustered(60)
    words = reference.row_number_uids(60)
    values = check_parameters(SCORE, {"negatives": "partition", "batch_size": 25, "batches": 2})
    parts = [np.arange(0, 7), np.arange(7, 7), np.arange(7, 60)]
    shards = [
        Shard(k, len(part), lambda part=part: words[part], image[part], text[part])
        for k, part in enumerate(parts)
    ]
    whole = _score([Shard(0, len(image), lambda: words, image, text)], values)
    np.testing.assert_allclose(_score(shards, values), whole, atol=TOLERANCE)


@pytest.mark.parametrize("negatives", ["pool", "partition"])
def test_several_devices_give_the_scores_of_one(negatives):
    image, text = clustered(90)
    words = reference.row_number_uids(90)
    values = check_parameters(
        SCORE, {"negatives": negatives, "batch_size": 20, "batches": 3, "precision": "float32"}
    )
    shard = Shard(0, 90, lambda: words, image, text)
    scorer = SCORE.prepare(Data([shard], devices=("cpu", "cpu:0")), values)
    alone = _score([shard], values)
    for device in ("cpu", "cpu:0"):
        np.testing.assert_array_equal(scorer(shard, device)["neg_clip_loss"], alone)


@MODES
def test_float16_products_change_a_score_by_less_than_two_ten_thousandths(negatives):
    image, text = clustered(3000, dim=512)
    settings = {"batch_size": 1000, "batches": 4, "negatives": negatives}
    whole = neg_clip_loss(image, text, **settings).score
    half = neg_clip_loss(image, text, **settings | {"precision": "float16"}).score
    assert 0 < np.abs(half - whole).max() < 2e-4


@MODES
def test_bfloat16_products_change_a_score_by_less_than_a_thousandth(negatives):
    image, text = clustered(2000, dim=512)
    # Like CLIP's, the embeddings have a large common part, which leaves few of bfloat16's 8 bits.
    image, text = image + 3 * image[0], text + 3 * text[1]
    settings = {"batch_size": 700, "batches": 2, "negatives": negatives}
    whole = neg_clip_loss(image, text, **settings).score
    rounded = neg_clip_loss(image, text, **settings | {"precision": "bfloat16"}).score
    assert 0 < np.abs(rounded - whole).max() < 1e-3


def test_the_two_sides_add_up_to_the_score():
    image, text = clustered(80)
    words = reference.row_number_uids(80)
    shard = Shard(0, len(image), lambda: words, image, text)
    columns = SCORE.prepare(Data([shard]), check_parameters(SCORE, {}))(shard, "cpu")
    cosines = reference.unit(image) @ reference.unit(text).T
    image_side = 0.01 * reference.log_sum_exp(cosines / 0.01, 1)
    text_side = 0.01 * reference.log_sum_exp(cosines / 0.01, 0)
    np.testing.assert_allclose(columns["neg_clip_loss_image"], image_side, atol=TOLERANCE)
    np.testing.assert_allclose(columns["neg_clip_loss_text"], text_side, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"batch_size": 1}, "batch_size is 1; expected ≥ 2"),
        ({"batch_size": 2.5}, "batch_size is 2.5; expected a whole number"),
        ({"batches": 0}, "batches is 0; expected ≥ 1"),
        ({"temperature": 0.0}, "temperature is 0.0; expected > 0"),
        ({"temperature": -0.01}, "temperature is -0.01; expected > 0"),
        ({"temperature": float("nan")}, "temperature is nan; expected > 0"),
        ({"temperature": float("inf")}, "temperature is inf; expected a finite number"),
        ({"seed": -1}, "seed is -1; expected ≥ 0"),
        ({"negatives": "all"}, "negatives is 'all'; expected pool or partition"),
    ],
)
def test_a_bad_parameter_is_an_error_that_says_what_was_expected(parameters, message):
    image, text = clustered(5)
    with pytest.raises(CurationError) as raised:
        neg_clip_loss(image, text, **parameters)
    assert str(raised.value) == message


def test_shapes_that_differ_are_an_error():
    with pytest.raises(CurationError, match=r"expected \(N, d\), the same for both"):
        neg_clip_loss(np.ones((3, 4)), np.ones((2, 4)))
    with pytest.raises(CurationError, match=r"\(3,\)"):
        neg_clip_loss(np.ones(3), np.ones(3))


@MODES
def test_fewer_than_two_usable_pairs_are_an_error(negatives):
    for rows in (np.empty((0, 3)), np.ones((1, 3)), np.array([[1.0, 2], [np.nan, 1], [0, 0]])):
        with pytest.raises(CurationError, match="at least two samples"):
            neg_clip_loss(rows, rows, negatives=negatives)
