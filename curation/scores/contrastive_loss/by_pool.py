"""negCLIPLoss against K shared pools of |B| pairs, in one pass over the shards.

As in the paper (arXiv 2405.19547, equation 2), each sample has |B| uniformly drawn negatives per
batch; its own pair is added where a pool lacks it. Unlike the paper's batches, a pool does not
depend on the order of the samples or on their shards.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from curation.scores.base import Data, Floats, Scorer, Shard
from curation.scores.contrastive_loss.loss_sums import LossSums, pair_cosines
from curation.scores.contrastive_loss.pools import draw_pools
from curation.scores.shared.normalize import chunks, unit


def pool_scorer(data: Data, parameters: Mapping[str, Any]) -> Scorer:
    """Draw the pools, hold them on every device, and return the scorer of a shard.

    Memory: 8·|B|·K·d bytes on each device.

    Raises:
        CurationError: fewer than two pairs are usable.
    """
    from curation.scores.contrastive_loss import log_sum_exp
    from curation.scores.shared import products

    tau = float(parameters["temperature"])
    pools = draw_pools(
        data.shards, parameters["batch_size"], parameters["batches"], parameters["seed"]
    )
    passes_per_pool = parameters["batches"] // len(pools)
    # Images are compared with the pool's captions, captions with its images.
    on_device = {
        device: [
            (products.on(pool.text, device), products.on(pool.image, device)) for pool in pools
        ]
        for device in data.devices
    }

    def score(shard: Shard, device: str) -> dict[str, Floats]:
        precision = products.precision(parameters["precision"], device)
        words = shard.uids()
        sums = LossSums(len(shard), len(pools))
        cosines = np.empty(len(shard))
        bad = np.empty(len(shard), dtype=bool)
        for part in chunks(len(shard), log_sum_exp.rows_per_chunk(device)):
            image, no_image = unit(shard.image[part])
            text, no_text = unit(shard.text[part])
            cosines[part], bad[part] = pair_cosines(image, text), no_image | no_text
            lefts = products.on(image, device), products.on(text, device)
            for draw, (pool, rights) in enumerate(zip(pools, on_device[device], strict=True)):
                absent = ~pool.contains(words[part])
                sides = []
                for left, right in zip(lefts, rights, strict=True):
                    side = log_sum_exp.of_rows(left, right, tau, precision).cpu().double().numpy()
                    side[absent] = np.logaddexp(side[absent], cosines[part][absent] / tau)
                    sides.append(tau * side)
                sums.add(draw, sides[0], sides[1], part)
                data.advance((part.stop - part.start) * passes_per_pool)
        return sums.columns(cosines, bad, exact=pools[0].is_whole_dataset)

    return score
