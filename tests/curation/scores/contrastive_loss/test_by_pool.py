import numpy as np
import pytest

from curation.scores.base import Data, Shard
from curation.scores.contrastive_loss.by_pool import pool_scorer
from tests.curation.scores import reference

PARAMETERS = {"temperature": 0.1, "batches": 3, "seed": 0, "precision": "float32"}


@pytest.mark.parametrize("batch_size", [4, 1000])
def test_progress_counts_every_sample_once_per_batch(batch_size):
    image, text = reference.clustered(12)
    shard = Shard(0, 12, lambda: reference.row_number_uids(12), image, text)
    steps = []
    data = Data([shard], advance=steps.append)
    pool_scorer(data, PARAMETERS | {"batch_size": batch_size})(shard, "cpu")
    assert sum(steps) == 12 * PARAMETERS["batches"]


def test_a_pair_without_a_caption_embedding_has_no_score():
    image, text = reference.clustered(12)
    text[5] = 0
    shard = Shard(0, 12, lambda: reference.row_number_uids(12), image, text)
    scores = pool_scorer(Data([shard]), PARAMETERS | {"batch_size": 4})(shard, "cpu")
    assert np.flatnonzero(np.isnan(scores["neg_clip_loss"])).tolist() == [5]
