"""Near duplicates among rows that are in order of preference."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from curation.scores.base import Floats
from curation.scores.shared.normalize import chunks

_BLOCK = 1024
_TILE = 8192


def find_originals(rows: torch.Tensor, threshold: float) -> tuple[NDArray[np.int64], Floats]:
    """Keep each row unless an earlier kept row has a cosine of at least ``threshold`` to it.

    So every row that is not kept has a kept row near it, and no two kept rows are near each other.

    Args:
        rows: unit rows, shape (n, d), the preferred ones first.
        threshold: the cosine from which two rows are near duplicates.

    Returns:
        For each row that is not kept, its original: the position of the earlier kept row nearest to
        it, shape (n,), int64, −1 for kept rows. And the cosine of the two, shape (n,), float32, NaN
        for kept rows.
    """
    original = np.full(len(rows), -1, dtype=np.int64)
    cosine = np.full(len(rows), np.nan, dtype=np.float32)
    kept = torch.empty(0, dtype=torch.int64, device=rows.device)
    for block in chunks(len(rows), _BLOCK):
        best, nearest = _nearest_kept(rows[block], rows, kept)
        among = (rows[block] @ rows[block].T).cpu().numpy()
        is_kept = _keep_in_turn(among >= threshold, best < threshold)
        dropped = np.flatnonzero(~is_kept)
        is_earlier = is_kept[None, :] & (np.arange(len(is_kept)) < dropped[:, None])
        inside = np.where(is_earlier, among[dropped], -np.inf)
        is_inside = inside.max(axis=1) > best[dropped]
        original[block.start + dropped] = np.where(
            is_inside, block.start + inside.argmax(axis=1), nearest[dropped]
        )
        cosine[block.start + dropped] = np.maximum(inside.max(axis=1), best[dropped])
        new = torch.from_numpy(block.start + np.flatnonzero(is_kept)).to(rows.device)
        kept = torch.cat([kept, new])
    # Rounding can exceed the range of a cosine.
    return original, cosine.clip(-1, 1)


def _keep_in_turn(near: NDArray[np.bool_], is_new: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which rows of a block are kept, (n,).

    Args:
        near: which rows of the block are near which, (n, n).
        is_new: which rows are near no kept row of an earlier block, (n,).
    """
    near = np.tril(near, -1) & is_new & is_new[:, None]
    is_kept = is_new.copy()
    for row in np.flatnonzero(near.any(axis=1)):
        is_kept[row] = not (near[row] & is_kept).any()
    return is_kept


def _nearest_kept(
    block: torch.Tensor, rows: torch.Tensor, kept: torch.Tensor
) -> tuple[Floats, NDArray[np.int64]]:
    """The largest cosine of each row of a block to a kept row, and that row: (n,) each."""
    best = torch.full((len(block),), -torch.inf, device=rows.device)
    nearest = torch.full((len(block),), -1, dtype=torch.int64, device=rows.device)
    for tile in chunks(len(kept), _TILE):
        value, position = (block @ rows[kept[tile]].T).max(dim=1)
        is_nearer = value > best
        best = torch.where(is_nearer, value, best)
        nearest = torch.where(is_nearer, kept[tile][position], nearest)
    return best.cpu().numpy(), nearest.cpu().numpy()
