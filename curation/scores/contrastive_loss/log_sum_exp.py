"""Log-sum-exps of the products of two large matrices, which are never held whole.

Every exponential is taken below a maximum, so a cosine in [−1, 1] at any temperature down to
0.001 neither overflows nor loses what counts. Where Triton drives the GPU, one kernel does it
all (``triton_log_sum_exp``); elsewhere torch does, tile by tile.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from curation.scores.contrastive_loss import triton_log_sum_exp
from curation.scores.shared import products
from curation.scores.shared.normalize import chunks

# A tile of 8 MB of float32 stays in a CPU's last cache between the passes over it.
ROWS = 256
COLUMNS = 8192
# A GPU has memory for more, and wants more work at a time.
GPU_ROWS = 2048
GPU_COLUMNS = 32768

# exp(x) of float32 is zero or denormal below this.
_UNDERFLOW = -87.0
_PRECISION = math.log(1e-7)

# Of how many columns the largest tells about where a row's maximum is.
_SAMPLE = 256


def of_rows(
    left: torch.Tensor, right: torch.Tensor, temperature: float, precision: str = "float32"
) -> torch.Tensor:
    """log Σ_j exp(left_i · right_j / τ) for each i: shapes (N, d), (M, d) → (N,)."""
    if precision == "float16" and triton_log_sum_exp.usable(left.device):
        return triton_log_sum_exp.of_rows(left, right, temperature)
    sums = _RowSums(left)
    for across in chunks(len(right), _tile(left)[1]):
        for down, tile, top in _exponentials(left / temperature, right[across], precision):
            sums.add(down, tile, top)
    return sums.result()


def of_both(
    left: torch.Tensor, right: torch.Tensor, temperature: float, precision: str = "float32"
) -> tuple[torch.Tensor, torch.Tensor]:
    """log Σ_j exp(S_ij/τ) and log Σ_i exp(S_ij/τ) of S = left · rightᵀ: → (N,), (M,).

    One product and one exponential an entry serve both: row i's exponentials, taken below the
    row's maximum m_i, are added to the columns with weight exp(m_i − max m).
    """
    if precision == "float16" and triton_log_sum_exp.usable(left.device):
        return triton_log_sum_exp.of_both(left, right, temperature)
    sums = _RowSums(left)
    columns = torch.empty(len(right), device=left.device)
    for across in chunks(len(right), _tile(left)[1]):
        highest = torch.tensor(-math.inf, device=left.device)
        total = torch.zeros(across.stop - across.start, device=left.device)
        for down, tile, top in _exponentials(left / temperature, right[across], precision):
            sums.add(down, tile, top)
            new_highest = torch.maximum(highest, top.max())
            total.mul_((highest - new_highest).exp())
            total.addmv_(tile.T, (top - new_highest).exp_())
            highest = new_highest
        result = total.log().add_(highest)
        # What underflowed in a column is at most N exp(max m − 87): where that is not small
        # against the column's own sum, the column is summed again by itself.
        limit = float(highest) + _UNDERFLOW + math.log(len(left)) - _PRECISION
        weak = torch.nonzero(~(result > limit)).squeeze(1)
        if len(weak):
            result[weak] = of_rows(right[across][weak], left, temperature, precision)
        columns[across] = result
    return sums.result(), columns


class _RowSums:
    """Each row's sum of exponentials, held below the row's maximum yet."""

    def __init__(self, left: torch.Tensor) -> None:
        self._top = torch.full((len(left),), -math.inf, device=left.device)
        self._total = torch.zeros(len(left), device=left.device)

    def add(self, rows: slice, tile: torch.Tensor, top: torch.Tensor) -> None:
        """Exponentials of some rows, each taken below its ``top``."""
        new_top = torch.maximum(self._top[rows], top)
        # A product with ones: on a CPU many times faster than a sum over rows.
        here = torch.mv(tile, torch.ones(tile.shape[1], device=tile.device))
        before = self._total[rows] * (self._top[rows] - new_top).exp_()
        self._total[rows] = before + here * (top - new_top).exp_()
        self._top[rows] = new_top

    def result(self) -> torch.Tensor:
        return self._total.log_().add_(self._top)


def _exponentials(
    left: torch.Tensor, right: torch.Tensor, precision: str
) -> Iterator[tuple[slice, torch.Tensor, torch.Tensor]]:
    """Some rows at a time: exp(left_i · right_j − m_i), and m_i, each row's maximum."""
    rows = _tile(left)[0]
    if precision != "bfloat16" or left.device.type != "cpu":
        product = products.by(right, precision)
        for down in chunks(len(left), rows):
            tile = product(left[down])
            top = tile.amax(dim=1)
            yield down, tile.sub_(top[:, None]).exp_(), top
        return
    left, right, offset = _near_zero(left, right)
    product = products.by(right, precision)
    for down in chunks(len(left), rows):
        tile = product(left[down])
        top = tile.amax(dim=1)
        yield down, tile.sub_(top[:, None]).exp_(), top.add_(offset[down])


def _near_zero(
    left: torch.Tensor, right: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Operands whose product is left · rightᵀ less an offset a row, (N,), about its maximum.

    On a CPU a bfloat16 product comes out in bfloat16, whose 8 bits are a relative precision: what
    counts in a sum of exponentials, the exponents near the largest, is to be near 0.
    """
    center = right.mean(dim=0)
    right = right - center
    base = left @ center
    some = products.by(right[:: max(1, len(right) // _SAMPLE)], "bfloat16")(left)
    wanted = -some.amax(dim=1)
    # Two numbers of 8 bits hold the offset to 16; the rest of it goes to the offset returned.
    high = wanted.bfloat16().float()
    low = (wanted - high).bfloat16().float()
    left = torch.cat([left, high[:, None], low[:, None]], dim=1)
    right = torch.cat([right, torch.ones(len(right), 2)], dim=1)
    return left, right, base - high - low


def chunk(device: str) -> int:
    """How many rows of a shard to work on at a time."""
    return 8192 if device == "cpu" else 65536


def _tile(left: torch.Tensor) -> tuple[int, int]:
    return (ROWS, COLUMNS) if left.device.type == "cpu" else (GPU_ROWS, GPU_COLUMNS)
