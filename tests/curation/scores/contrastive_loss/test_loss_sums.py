import numpy as np
import pytest

from curation.scores.contrastive_loss.loss_sums import COLUMNS, LossSums


def columns_of(image, text, cosines, bad=None, exact=False):
    """The columns after K batches: image and text of shape (K, N), cosines of shape (N,)."""
    sums = LossSums(image.shape[1], len(image))
    for draw in range(len(image)):
        # In two parts, as the chunks of a shard.
        for part in (slice(0, 2), slice(2, image.shape[1])):
            sums.add(draw, image[draw, part], text[draw, part], part)
    bad = np.zeros(len(cosines), dtype=bool) if bad is None else bad
    return sums.columns(cosines, bad, exact)


def drawn(batches):
    rng = np.random.default_rng(0)
    # Sides of 0.3 that vary by 1e-4 from batch to batch, as in practice.
    image, text = 0.3 + 1e-4 * rng.standard_normal((2, batches, 5))
    return image, text, rng.uniform(0, 0.2, 5)


@pytest.mark.parametrize("batches", [2, 3, 10])
def test_a_score_is_the_mean_and_its_error_the_standard_error_of_the_batches(batches):
    image, text, cosines = drawn(batches)
    columns = columns_of(image, text, cosines)
    each = cosines - (image + text) / 2
    error = each.std(axis=0, ddof=1) / np.sqrt(batches)
    np.testing.assert_allclose(columns["neg_clip_loss"], each.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(columns["neg_clip_loss_se"], error, rtol=1e-5)
    np.testing.assert_allclose(columns["neg_clip_loss_image"], image.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(columns["neg_clip_loss_text"], text.mean(axis=0), rtol=1e-6)


def test_one_batch_has_no_standard_error_unless_it_is_the_whole_dataset():
    image, text, cosines = drawn(1)
    with np.errstate(all="raise"):
        assert np.isnan(columns_of(image, text, cosines)["neg_clip_loss_se"]).all()
    assert (columns_of(image, text, cosines, exact=True)["neg_clip_loss_se"] == 0).all()


def test_a_score_that_rounding_makes_positive_is_zero():
    sides = np.full((1, 3), 0.5)
    cosines = np.array([0.5, 0.5 + 1e-7, 0.4])
    score = columns_of(sides, sides, cosines)["neg_clip_loss"]
    assert score.tolist() == pytest.approx([0, 0, -0.1])
    assert score.max() <= 0


def test_a_bad_sample_has_no_value_in_any_column():
    image, text, cosines = drawn(3)
    bad = np.array([False, True, False, False, False])
    columns = columns_of(image, text, cosines, bad)
    assert sorted(columns) == sorted(COLUMNS)
    for values in columns.values():
        assert np.isnan(values).tolist() == bad.tolist()
