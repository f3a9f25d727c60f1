"""negCLIPLoss in K random partitions of the whole dataset: the paper's estimator.

Every sample is in one batch of each partition. Batches cross shards, so all is computed before
the first shard is scored; what scores a shard looks it up.
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
from curation.scores.contrastive_loss.loss_sums import Halves, LossSums, own_cosines
from curation.scores.shared.dataset_rows import first_rows, repeats, unit_rows
from curation.scores.shared.normalize import chunks, unit, unusable


def by_partition(data: Data, parameters: Mapping[str, Any]) -> Scorer:
    """The scorer of a shard; computes the whole.

    Holds some 40 bytes a sample (twice that while a partition is drawn), and the embeddings of
    one batch a device.
    """
    from curation.scores.contrastive_loss import log_sum_exp
    from curation.scores.shared import products

    tau = float(parameters["temperature"])
    first_row = first_rows(data.shards)
    counts = np.concatenate([_usable(shard) for shard in data.shards]) & ~repeats(data.shards)
    usable = int(counts.sum())
    if usable < 2:
        raise CurationError("negCLIPLoss needs at least two samples with usable embeddings")
    # Batches of equal size: a short last one would inflate its members' scores.
    per_draw = max(1, min(round(usable / parameters["batch_size"]), usable // 2))
    draws = parameters["batches"] if per_draw > 1 else 1

    def work(batch: NDArray[np.int64], device: str) -> tuple[NDArray[np.int64], list[Halves]]:
        members = np.sort(batch)
        image, text = (
            products.on(unit_rows(data.shards, members, side)[0], device)
            for side in ("image", "text")
        )
        precision = products.precision(parameters["precision"], device)
        both = log_sum_exp.of_both(image, text, tau, precision)
        data.advance(len(batch) * parameters["batches"] // draws)
        return members, [tau * side.cpu().double().numpy() for side in both]

    sums = LossSums(int(first_row[-1]), draws)
    for draw in range(draws):
        batches = np.array_split(_shuffled(data.shards, counts, parameters["seed"], draw), per_draw)
        for members, halves in LocalExecutor().map(work, batches, data.devices):
            sums.add(draw, halves[0], halves[1], members)
    place = {shard.index: position for position, shard in enumerate(data.shards)}

    def look_up(shard: Shard, device: str) -> dict[str, Floats]:
        own = np.empty(len(shard))
        for part in chunks(len(shard)):
            own[part] = own_cosines(unit(shard.image[part])[0], unit(shard.text[part])[0])
        start, stop = first_row[place[shard.index] :][:2]
        rows = slice(int(start), int(stop))
        return sums.columns(own, ~counts[rows], per_draw == 1, rows)

    return look_up


def _shuffled(
    shards: Sequence[Shard], counts: NDArray[np.bool_], seed: int, draw: int
) -> NDArray[np.int64]:
    """The rows that count, in a random order that depends on their uids only."""
    keys = np.empty(len(counts), dtype=np.uint64)
    for first, shard in zip(first_rows(shards), shards, strict=False):
        keys[first : first + len(shard)] = uids.draw_keys(shard.uids(), seed, draw)
    keys[~counts] = np.iinfo(np.uint64).max
    return np.argsort(keys)[: int(counts.sum())]


def _usable(shard: Shard) -> NDArray[np.bool_]:
    """Which pairs have two embeddings that can be brought to unit length: (N,)."""
    result = np.empty(len(shard), dtype=bool)
    for part in chunks(len(shard)):
        result[part] = ~(unusable(shard.image[part]) | unusable(shard.text[part]))
    return result
