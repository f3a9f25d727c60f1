"""Embeddings in float64, for ranks that must not depend on the order or shards of the samples.

In float32, the last digits of sums and cosines depend on the shape of the product that computes
them, and so can the order of two samples.
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
    """The device with this name, or the CPU if that one has no float64 (MPS)."""
    return "cpu" if name.startswith("mps") else name


def unit_rows(rows: Rows, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows scaled to unit length, and which rows cannot be scaled.

    Args:
        rows: shape (n, d).
        device: torch's name of one with float64.

    Returns:
        Unit rows, shape (n, d), float64, on the device; zeros where a row cannot be scaled. And
        whether it cannot (it is zero or not finite), shape (n,), bool.
    """
    wide = torch.from_numpy(np.array(rows)).to(device).double()
    norms = torch.linalg.vector_norm(wide, dim=1)
    bad = ~torch.isfinite(norms) | (norms == 0)
    wide.div_(norms[:, None])
    wide[bad] = 0
    return wide, bad


def uid_ranks(shards: Sequence[Shard]) -> NDArray[np.int64]:
    """The rank of each row of the dataset when its uids are sorted: shape (N,), from 0."""
    order = uids.order(dataset_rows.all_uids(shards))
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order))
    return ranks


def look_up(
    shards: Sequence[Shard], columns: Mapping[str, NDArray[np.float32] | pa.Array]
) -> Scorer:
    """A scorer that returns a shard's rows of columns that cover the whole dataset, (N,) each."""
    rows = dataset_rows.rows_by_index(shards)

    def score(shard: Shard, device: str) -> Columns:
        return {name: column[rows[shard.index]] for name, column in columns.items()}

    return score
