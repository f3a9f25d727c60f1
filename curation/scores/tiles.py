"""Products of two large matrices, reduced tile by tile so that they are never held whole.

Everything is float32 with the maximum subtracted before each exponential, so a cosine in
[−1, 1] at any temperature down to 0.001 neither overflows nor loses what counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from curation.scores.arrays import chunks
from curation.scores.base import Floats

# Wide tiles keep the products fast; 16 MB of float32 a tile.
ROWS = 512
COLUMNS = 8192

# exp(x) of float32 is zero or denormal below this.
_UNDERFLOW = -87.0
_PRECISION = math.log(1e-7)


def on_device(rows: Floats, device: str | torch.device) -> torch.Tensor:
    """An array as a tensor on a device; not copied where that is the CPU."""
    return torch.from_numpy(rows).to(device)


def row_log_sum_exp(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """log Σ_j exp(left_i · right_j) for each i: shapes (N, d), (M, d) → (N,)."""
    result = torch.empty(len(left), device=left.device)
    for part in chunks(len(left), ROWS):
        rows = left[part]
        top = torch.full((len(rows),), -math.inf, device=left.device)
        total = torch.zeros(len(rows), device=left.device)
        for tile in _tiles(rows, right):
            new_top = torch.maximum(top, tile.amax(dim=1))
            tile.sub_(new_top[:, None]).exp_()
            total.mul_((top - new_top).exp_()).add_(_row_sums(tile))
            top = new_top
        result[part] = total.log_().add_(top)
    return result


def both_log_sum_exp(left: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """log Σ_j exp(S_ij) and log Σ_i exp(S_ij) of S = left · rightᵀ: (N, d), (M, d) → (N,), (M,).

    One product and one exponential an entry serve both: row i's exponentials, taken below the
    row's maximum m_i, are added to the columns with weight exp(m_i − max m).
    """
    row_result = torch.empty(len(left), device=left.device)
    column_total = torch.zeros(len(right), device=left.device)
    column_top = torch.tensor(-math.inf, device=left.device)
    buffer = torch.empty(min(ROWS, len(left)), len(right), device=left.device)
    for part in chunks(len(left), ROWS):
        rows = left[part]
        tile = torch.mm(rows, right.T, out=buffer[: len(rows)])
        top = tile.amax(dim=1)
        tile.sub_(top[:, None]).exp_()
        row_result[part] = _row_sums(tile).log_().add_(top)
        new_top = torch.maximum(column_top, top.max())
        column_total.mul_((column_top - new_top).exp())
        column_total.addmv_(tile.T, (top - new_top).exp_())
        column_top = new_top
    column_result = column_total.log().add_(column_top)
    # What underflowed in a column is at most N exp(max m − 87): where that is not small against
    # the column's own sum, the column is summed again by itself.
    limit = float(column_top) + _UNDERFLOW + math.log(len(left)) - _PRECISION
    weak = torch.nonzero(~(column_result > limit)).squeeze(1)
    if len(weak):
        column_result[weak] = row_log_sum_exp(right[weak], left)
    return row_result, column_result


def power_sum(left: torch.Tensor, right: torch.Tensor, p: float) -> torch.Tensor:
    """(Σ_j |left_i · right_j|^p)^(1/p) for each i; p = ∞ gives the maximum: → (N,)."""
    result = torch.empty(len(left), device=left.device)
    for part in chunks(len(left), ROWS):
        rows = left[part]
        # Terms are taken relative to the largest yet, so that no power of them underflows.
        top = torch.full((len(rows),), torch.finfo(torch.float32).tiny, device=left.device)
        total = torch.zeros(len(rows), device=left.device)
        for tile in _tiles(rows, right):
            new_top = torch.maximum(top, tile.abs_().amax(dim=1))
            if not math.isinf(p):
                total.mul_((top / new_top).pow_(p))
                total.add_(tile.div_(new_top[:, None]).pow_(p).sum(dim=1))
            top = new_top
        result[part] = top if math.isinf(p) else top * total.pow_(1 / p)
    return result


def _row_sums(tile: torch.Tensor) -> torch.Tensor:
    # A product with ones: on a CPU many times faster than a sum over rows.
    return torch.mv(tile, torch.ones(tile.shape[1], device=tile.device))


def _tiles(rows: torch.Tensor, right: torch.Tensor) -> Iterator[torch.Tensor]:
    """rows · rightᵀ, COLUMNS columns at a time, in a buffer that is used again."""
    buffer = torch.empty(len(rows), min(COLUMNS, len(right)), device=rows.device)
    for part in chunks(len(right), COLUMNS):
        columns = right[part]
        if len(columns) == buffer.shape[1]:
            yield torch.mm(rows, columns.T, out=buffer)
        else:
            yield rows @ columns.T
