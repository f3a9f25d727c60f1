"""negCLIPLoss in K random partitions of the dataset: the estimator of arXiv 2405.19547.

Each partition puts every sample in one batch. Batches cross shards, so everything is computed
before the first shard is scored; the scorer only looks up results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation import uids
from curation.errors import CurationError
from curation.executors.local import LocalExecutor
from curation.scores.base import Data, Floats, Scorer, Shard
from curation.scores.contrastive_loss.loss_sums import Doubles, LossSums, pair_cosines
from curation.scores.shared.dataset_rows import first_rows, repeats, rows_by_index, unit_rows
from curation.scores.shared.normalize import chunks, unit, unusable


def partition_scorer(data: Data, parameters: Mapping[str, Any]) -> Scorer:
    """Compute the sums of the whole dataset and return the scorer of a shard.

    Batches have equal sizes, as near to ``batch_size`` as possible: a short last batch would raise
    the scores of its members.

    Memory: about 40 bytes per sample, twice that while a partition is drawn, and the embeddings of
    one batch per device.

    Raises:
        CurationError: fewer than two pairs are usable.
    """
    from curation.scores.contrastive_loss import log_sum_exp
    from curation.scores.shared import products

    tau = float(parameters["temperature"])
    counts = np.concatenate([_usable_pairs(shard) for shard in data.shards]) & ~repeats(data.shards)
    usable = int(counts.sum())
    if usable < 2:
        raise CurationError("negCLIPLoss needs at least two samples with usable embeddings")
    batches_per_draw = max(1, min(round(usable / parameters["batch_size"]), usable // 2))
    # With one batch per partition all partitions are equal.
    draws = parameters["batches"] if batches_per_draw > 1 else 1

    def sum_batch(batch: NDArray[np.int64], device: str) -> tuple[NDArray[np.int64], list[Doubles]]:
        # Sorted, so that each shard is read once and in order.
        members = np.sort(batch)
        image, text = (
            products.on(unit_rows(data.shards, members, side)[0], device)
            for side in ("image", "text")
        )
        precision = products.precision(parameters["precision"], device)
        sides = log_sum_exp.of_rows_and_columns(image, text, tau, precision)
        data.advance(len(batch) * parameters["batches"] // draws)
        return members, [tau * side.cpu().double().numpy() for side in sides]

    sums = LossSums(len(counts), draws)
    for draw in range(draws):
        order = _shuffled(data.shards, counts, parameters["seed"], draw)
        batches = np.array_split(order, batches_per_draw)
        for members, sides in LocalExecutor().map(sum_batch, batches, data.devices):
            sums.add(draw, sides[0], sides[1], members)
    rows_by_shard = rows_by_index(data.shards)

    def look_up(shard: Shard, device: str) -> dict[str, Floats]:
        cosines = np.empty(len(shard))
        for part in chunks(len(shard)):
            cosines[part] = pair_cosines(unit(shard.image[part])[0], unit(shard.text[part])[0])
        rows = rows_by_shard[shard.index]
        return sums.columns(cosines, ~counts[rows], batches_per_draw == 1, rows)

    return look_up


def _shuffled(
    shards: Sequence[Shard], counts: NDArray[np.bool_], seed: int, draw: int
) -> NDArray[np.int64]:
    """The rows in ``counts``, in a random order that depends on their uids only."""
    keys = np.empty(len(counts), dtype=np.uint64)
    for first, shard in zip(first_rows(shards), shards, strict=False):
        keys[first : first + len(shard)] = uids.draw_keys(shard.uids(), seed, draw)
    keys[~counts] = np.iinfo(np.uint64).max
    return np.argsort(keys)[: int(counts.sum())]


def _usable_pairs(shard: Shard) -> NDArray[np.bool_]:
    """Which pairs have two embeddings that can be scaled to unit length: (N,)."""
    result = np.empty(len(shard), dtype=bool)
    for part in chunks(len(shard)):
        result[part] = ~(unusable(shard.image[part]) | unusable(shard.text[part]))
    return result
