"""Which rows of an ordered set are near copies of one before them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from curation.scores.base import Floats
from curation.scores.shared.normalize import chunks

_BLOCK = 1024
_TILE = 8192


def stand_ins(rows: torch.Tensor, least: float) -> tuple[NDArray[np.int64], Floats]:
    """Keep a row unless a kept one before it has a cosine of at least ``least`` to it.

    So every row that is not kept has a kept one near it, and no two kept ones are near.

    Args:
        rows: unit rows (n, d) in order of preference.
        least: cosine from which two rows count as one.

    Returns:
        For each row, the position of the kept row before it that is nearest (n,), −1 where it is
        kept itself, and the cosine of the two (n,), NaN where it is kept.
    """
    stand_in = np.full(len(rows), -1, dtype=np.int64)
    cosine = np.full(len(rows), np.nan, dtype=np.float32)
    kept = torch.empty(0, dtype=torch.int64, device=rows.device)
    for block in chunks(len(rows), _BLOCK):
        best, which = _nearest_kept(rows[block], rows, kept)
        among = (rows[block] @ rows[block].T).cpu().numpy()
        is_kept = _keep_in_turn(among >= least, best < least)
        mine = np.flatnonzero(~is_kept)
        before = is_kept[None, :] & (np.arange(len(is_kept)) < mine[:, None])
        inside = np.where(before, among[mine], -np.inf)
        nearer = inside.max(axis=1) > best[mine]
        stand_in[block.start + mine] = np.where(
            nearer, block.start + inside.argmax(axis=1), which[mine]
        )
        cosine[block.start + mine] = np.maximum(inside.max(axis=1), best[mine])
        new = torch.from_numpy(block.start + np.flatnonzero(is_kept)).to(rows.device)
        kept = torch.cat([kept, new])
    # Rounding may lead a little beyond the cosine's range.
    return stand_in, cosine.clip(-1, 1)


def _keep_in_turn(near: NDArray[np.bool_], fresh: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which rows of a block are kept (n,), from which are near (n, n) and still to be decided."""
    near = np.tril(near, -1) & fresh & fresh[:, None]
    is_kept = fresh.copy()
    for row in np.flatnonzero(near.any(axis=1)):
        is_kept[row] = not (near[row] & is_kept).any()
    return is_kept


def _nearest_kept(
    block: torch.Tensor, rows: torch.Tensor, kept: torch.Tensor
) -> tuple[Floats, NDArray[np.int64]]:
    """The largest cosine of each row of a block to a kept row, and which one that is: (n,)."""
    best = torch.full((len(block),), -torch.inf, device=rows.device)
    which = torch.full((len(block),), -1, dtype=torch.int64, device=rows.device)
    for tile in chunks(len(kept), _TILE):
        value, place = (block @ rows[kept[tile]].T).max(dim=1)
        nearer = value > best
        best = torch.where(nearer, value, best)
        which = torch.where(nearer, kept[tile][place], which)
    return best.cpu().numpy(), which.cpu().numpy()
