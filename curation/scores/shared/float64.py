"""Embeddings in float64, where ranks must not depend on how samples are ordered or sharded.

Sums and cosines of float32 differ in their last digits with the shape of the product that makes
them, and so may the order of two samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from curation import uids
from curation.scores.base import Columns, Rows, Scorer, Shard
from curation.scores.shared import dataset_rows


def device(name: str) -> str:
    """The device, or the CPU where it has no float64 (MPS)."""
    return "cpu" if name.startswith("mps") else name


def unit_rows(rows: Rows, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows at unit length, (n, d), float64, and which cannot be (zero, NaN or infinite): (n,).

    Rows that cannot be are returned as zeros.
    """
    wide = torch.from_numpy(np.array(rows)).to(device).double()
    norms = torch.linalg.vector_norm(wide, dim=1)
    bad = ~torch.isfinite(norms) | (norms == 0)
    wide.div_(norms[:, None])
    wide[bad] = 0
    return wide, bad


def uid_ranks(shards: Sequence[Shard]) -> NDArray[np.int64]:
    """Where each sample of the whole dataset stands in the order of the uids: (N,)."""
    order = uids.order(dataset_rows.all_uids(shards))
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order))
    return ranks


def look_up(
    shards: Sequence[Shard], columns: Mapping[str, NDArray[np.float32] | pa.Array]
) -> Scorer:
    """A scorer that takes a shard's rows from columns of the whole dataset."""
    first = dataset_rows.first_rows(shards)
    place = {shard.index: position for position, shard in enumerate(shards)}

    def score(shard: Shard, device: str) -> Columns:
        position = place[shard.index]
        rows = slice(int(first[position]), int(first[position + 1]))
        return {name: column[rows] for name, column in columns.items()}

    return score
