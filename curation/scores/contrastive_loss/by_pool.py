"""negCLIPLoss against K shared pools: one pass, shard by shard, its own pair added where absent.

For each sample the negatives are |B| uniform draws, as in the paper; but a score depends neither
on the order of the samples nor on how they are cut into shards.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from curation.scores.base import Data, Floats, Scorer, Shard
from curation.scores.contrastive_loss.loss_sums import LossSums, own_cosines
from curation.scores.contrastive_loss.pools import draw_pools
from curation.scores.shared.normalize import chunks, unit


def by_pool(data: Data, parameters: Mapping[str, Any]) -> Scorer:
    """The scorer of a shard; draws the pools."""
    from curation.scores.contrastive_loss import log_sum_exp
    from curation.scores.shared import products
    from curation.scores.shared.products import on

    tau = float(parameters["temperature"])
    pools = draw_pools(
        data.shards, parameters["batch_size"], parameters["batches"], parameters["seed"]
    )
    share = parameters["batches"] // len(pools)
    held = {
        device: [(on(pool.text, device), on(pool.image, device)) for pool in pools]
        for device in data.devices
    }

    def score(shard: Shard, device: str) -> dict[str, Floats]:
        precision = products.precision(parameters["precision"], device)
        words = shard.uids()
        sums = LossSums(len(shard), len(pools))
        own = np.empty(len(shard))
        bad = np.empty(len(shard), dtype=bool)
        for part in chunks(len(shard), log_sum_exp.chunk(device)):
            image, no_image = unit(shard.image[part])
            text, no_text = unit(shard.text[part])
            own[part], bad[part] = own_cosines(image, text), no_image | no_text
            lefts = on(image, device), on(text, device)
            for draw, (pool, rights) in enumerate(zip(pools, held[device], strict=True)):
                outside = ~pool.has(words[part])
                halves = []
                for left, right in zip(lefts, rights, strict=True):
                    half = log_sum_exp.of_rows(left, right, tau, precision).cpu().double().numpy()
                    half[outside] = np.logaddexp(half[outside], own[part][outside] / tau)
                    halves.append(tau * half)
                sums.add(draw, halves[0], halves[1], part)
                data.advance((part.stop - part.start) * share)
        return sums.columns(own, bad, exact=pools[0].is_all)

    return score
