"""Log-sum-exps of the products of two large matrices, which are never held whole.

Every exponential is taken below a maximum, so a cosine in [−1, 1] at any temperature down to
0.001 neither overflows nor loses what counts. Where Triton drives the GPU, one kernel does it
all (``fused``); elsewhere torch does, tile by tile.
"""

from __future__ import annotations

import math

import torch

from curation.scores import fused, products
from curation.scores.arrays import chunks

# A tile of 8 MB of float32 stays in a CPU's last cache between the passes over it.
ROWS = 256
COLUMNS = 8192
# A GPU has memory for more, and wants more work at a time.
GPU_ROWS = 2048
GPU_COLUMNS = 32768

# exp(x) of float32 is zero or denormal below this.
_UNDERFLOW = -87.0
_PRECISION = math.log(1e-7)


def of_rows(
    left: torch.Tensor, right: torch.Tensor, temperature: float, precision: str = "float32"
) -> torch.Tensor:
    """log Σ_j exp(left_i · right_j / τ) for each i: shapes (N, d), (M, d) → (N,)."""
    if precision == "float16" and fused.usable(left.device):
        return fused.of_rows(left, right, temperature)
    scaled = left / temperature
    top = torch.full((len(left),), -math.inf, device=left.device)
    total = torch.zeros(len(left), device=left.device)
    rows, columns = _tile(left)
    for across in chunks(len(right), columns):
        product = products.by(right[across], precision)
        for down in chunks(len(left), rows):
            tile = product(scaled[down])
            new_top = torch.maximum(top[down], tile.amax(dim=1))
            tile.sub_(new_top[:, None]).exp_()
            total[down] = total[down] * (top[down] - new_top).exp_() + _row_sums(tile)
            top[down] = new_top
    return total.log_().add_(top)


def of_both(
    left: torch.Tensor, right: torch.Tensor, temperature: float, precision: str = "float32"
) -> tuple[torch.Tensor, torch.Tensor]:
    """log Σ_j exp(S_ij/τ) and log Σ_i exp(S_ij/τ) of S = left · rightᵀ: → (N,), (M,).

    One product and one exponential an entry serve both: row i's exponentials, taken below the
    row's maximum m_i, are added to the columns with weight exp(m_i − max m).
    """
    if precision == "float16" and fused.usable(left.device):
        return fused.of_both(left, right, temperature)
    scaled = left / temperature
    row_top = torch.full((len(left),), -math.inf, device=left.device)
    row_total = torch.zeros(len(left), device=left.device)
    column_result = torch.empty(len(right), device=left.device)
    rows, columns = _tile(left)
    for across in chunks(len(right), columns):
        product = products.by(right[across], precision)
        column_top = torch.tensor(-math.inf, device=left.device)
        column_total = torch.zeros(across.stop - across.start, device=left.device)
        for down in chunks(len(left), rows):
            tile = product(scaled[down])
            top = tile.amax(dim=1)
            tile.sub_(top[:, None]).exp_()
            new_top = torch.maximum(column_top, top.max())
            column_total.mul_((column_top - new_top).exp())
            column_total.addmv_(tile.T, (top - new_top).exp_())
            column_top = new_top
            new_row_top = torch.maximum(row_top[down], top)
            row_total[down] = (
                row_total[down] * (row_top[down] - new_row_top).exp_()
                + _row_sums(tile) * (top - new_row_top).exp_()
            )
            row_top[down] = new_row_top
        result = column_total.log().add_(column_top)
        # What underflowed in a column is at most N exp(max m − 87): where that is not small
        # against the column's own sum, the column is summed again by itself.
        limit = float(column_top) + _UNDERFLOW + math.log(len(left)) - _PRECISION
        weak = torch.nonzero(~(result > limit)).squeeze(1)
        if len(weak):
            result[weak] = of_rows(right[across][weak], left, temperature, precision)
        column_result[across] = result
    return row_total.log_().add_(row_top), column_result


def chunk(device: str) -> int:
    """How many rows of a shard to work on at a time."""
    return 8192 if device == "cpu" else 65536


def _tile(left: torch.Tensor) -> tuple[int, int]:
    return (ROWS, COLUMNS) if left.device.type == "cpu" else (GPU_ROWS, GPU_COLUMNS)


def _row_sums(tile: torch.Tensor) -> torch.Tensor:
    # A product with ones: on a CPU many times faster than a sum over rows.
    return torch.mv(tile, torch.ones(tile.shape[1], device=tile.device))
