import numpy as np
import pytest

from curation.scores.base import Data, Shard
from curation.scores.contrastive_loss.by_partition import partition_scorer
from tests.curation.scores import reference

# At temperature 1 and with equal embeddings, a score is −log |B| for the sample's batch B.
PARAMETERS = {"temperature": 1.0, "batches": 3, "seed": 0, "precision": "float32"}


def batch_sizes(count, batch_size, **changes):
    """The size of each sample's batch, from its score."""
    image = np.ones((count, 3), dtype=np.float32)
    shard = Shard(0, count, lambda: reference.row_number_uids(count), image, image)
    parameters = PARAMETERS | {"batch_size": batch_size, "batches": 1} | changes
    scores = partition_scorer(Data([shard]), parameters)(shard, "cpu")["neg_clip_loss"]
    return np.exp(-scores.astype(np.float64))


@pytest.mark.parametrize(
    ("count", "batch_size", "sizes"),
    [
        (100, 30, {33, 34}),  # 3.33 batches: 3
        (100, 28, {25}),  # 3.57 batches: 4
        (100, 36, {33, 34}),  # 2.78 batches: 3
        (100, 60, {50}),  # 1.67 batches: 2
        (100, 70, {100}),  # 1.43 batches: 1
        (100, 100, {100}),
        (100, 1000, {100}),  # 0.1 batches: 1
        (7, 2, {2, 3}),  # 3.5 batches, but only 3 of at least 2 pairs
        (9, 2, {2, 3}),
        (2, 2, {2}),
    ],
)
def test_batches_have_equal_sizes_near_the_one_asked_for(count, batch_size, sizes):
    result = batch_sizes(count, batch_size)
    np.testing.assert_allclose(result, result.round(), atol=1e-3)
    assert set(result.round().astype(int).tolist()) == sizes


def test_a_repeated_uid_is_in_no_batch_and_has_no_score():
    image, text = reference.clustered(6)
    words = reference.row_number_uids(5)[[0, 1, 2, 3, 4, 1]]
    shards = [
        Shard(0, 4, lambda: words[:4], image[:4], text[:4]),
        Shard(1, 2, lambda: words[4:], image[4:], text[4:]),
    ]
    scorer = partition_scorer(Data(shards), PARAMETERS | {"batch_size": 100})
    scores = np.concatenate([scorer(shard, "cpu")["neg_clip_loss"] for shard in shards])
    expected = reference.loss_of_batch(image[:5], text[:5], 1.0)
    np.testing.assert_allclose(scores[:5], expected, atol=reference.TOLERANCE)
    assert np.isnan(scores[5])


@pytest.mark.parametrize("batch_size", [4, 1000])
def test_progress_counts_every_sample_once_per_batch(batch_size):
    image, text = reference.clustered(12)
    shard = Shard(0, 12, lambda: reference.row_number_uids(12), image, text)
    steps = []
    data = Data([shard], advance=steps.append)
    partition_scorer(data, PARAMETERS | {"batch_size": batch_size})(shard, "cpu")
    assert sum(steps) == 12 * PARAMETERS["batches"]
