"""Log-sum-exps over the rows and columns of a matrix product that is never in memory as a whole.

Every exponential is taken relative to a maximum, so that cosines in [−1, 1] neither overflow nor
lose significant terms at any temperature down to 0.001. Where Triton supports the GPU, one kernel
does everything (``triton_log_sum_exp``); elsewhere torch does, tile by tile.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from curation.scores.contrastive_loss import triton_log_sum_exp
from curation.scores.shared import products
from curation.scores.shared.normalize import chunks

# A tile of 8 MB of float32 stays in a CPU's last-level cache during the passes over it.
ROWS = 256
COLUMNS = 8192
# A GPU has more memory and needs larger operations to be busy.
GPU_ROWS = 2048
GPU_COLUMNS = 32768

# exp(x) is denormal or zero in float32 if x is below this.
_UNDERFLOW = -87.0
# Natural logarithm of the relative error that a column sum may have from underflow.
_LOG_TOLERANCE = math.log(1e-7)

# Columns whose largest product estimates a row's maximum.
_SAMPLE = 256


def of_rows(
    left: torch.Tensor, right: torch.Tensor, temperature: float, precision: str = "float32"
) -> torch.Tensor:
    """log Σ_j exp(S_ij/τ) of each row of S = left · rightᵀ.

    Args:
        left: shape (N, d), float32.
        right: shape (M, d), float32, on the same device.
        temperature: τ > 0.
        precision: of the product: ``float32``, ``float16`` or ``bfloat16``.

    Returns:
        Shape (N,), float32.
    """
    if precision == "float16" and triton_log_sum_exp.is_available(left.device):
        return triton_log_sum_exp.of_rows(left, right, temperature)
    sums = _RowSums(left)
    for across in chunks(len(right), _tile_shape(left)[1]):
        for down, tile, top in _exponentials(left / temperature, right[across], precision):
            sums.add(down, tile, top)
    return sums.result()


def of_rows_and_columns(
    left: torch.Tensor, right: torch.Tensor, temperature: float, precision: str = "float32"
) -> tuple[torch.Tensor, torch.Tensor]:
    """log Σ_j exp(S_ij/τ) of each row and log Σ_i exp(S_ij/τ) of each column of left · rightᵀ.

    One product and one exponential per entry serve both: row i's exponentials, taken relative to
    the row's maximum m_i, are added to the columns with weight exp(m_i − max m).

    Args:
        left, right, temperature, precision: as in ``of_rows``.

    Returns:
        Shapes (N,) and (M,), float32.
    """
    if precision == "float16" and triton_log_sum_exp.is_available(left.device):
        return triton_log_sum_exp.of_rows_and_columns(left, right, temperature)
    sums = _RowSums(left)
    columns = torch.empty(len(right), device=left.device)
    for across in chunks(len(right), _tile_shape(left)[1]):
        highest = torch.tensor(-math.inf, device=left.device)
        total = torch.zeros(across.stop - across.start, device=left.device)
        for down, tile, top in _exponentials(left / temperature, right[across], precision):
            sums.add(down, tile, top)
            new_highest = torch.maximum(highest, top.max())
            total.mul_((highest - new_highest).exp())
            total.addmv_(tile.T, (top - new_highest).exp_())
            highest = new_highest
        result = total.log().add_(highest)
        # Underflow takes at most N exp(max m − 87) from a column's sum. A column for which that is
        # not negligible is summed again, relative to its own maximum.
        limit = float(highest) + _UNDERFLOW + math.log(len(left)) - _LOG_TOLERANCE
        weak = torch.nonzero(~(result > limit)).squeeze(1)
        if len(weak):
            result[weak] = of_rows(right[across][weak], left, temperature, precision)
        columns[across] = result
    return sums.result(), columns


class _RowSums:
    """The running sum of exponentials of each row, relative to the row's maximum so far."""

    def __init__(self, left: torch.Tensor) -> None:
        self._top = torch.full((len(left),), -math.inf, device=left.device)
        self._total = torch.zeros(len(left), device=left.device)

    def add(self, rows: slice, tile: torch.Tensor, top: torch.Tensor) -> None:
        """Add exponentials of some rows, (n, m), each row relative to its ``top``, (n,)."""
        new_top = torch.maximum(self._top[rows], top)
        # On a CPU a product with ones is many times faster than a sum over rows.
        sums = torch.mv(tile, torch.ones(tile.shape[1], device=tile.device))
        rescaled = self._total[rows] * (self._top[rows] - new_top).exp_()
        self._total[rows] = rescaled + sums * (top - new_top).exp_()
        self._top[rows] = new_top

    def result(self) -> torch.Tensor:
        """The log-sum-exp of each row, (N,). Call it once: it overwrites the sums."""
        return self._total.log_().add_(self._top)


def _exponentials(
    left: torch.Tensor, right: torch.Tensor, precision: str
) -> Iterator[tuple[slice, torch.Tensor, torch.Tensor]]:
    """Tiles of some rows each: the rows, exp(left_i · right_j − m_i), and their maxima m_i.

    The consumer may overwrite a tile before it requests the next.
    """
    rows = _tile_shape(left)[0]
    if precision != "bfloat16" or left.device.type != "cpu":
        product = products.by(right, precision)
        for down in chunks(len(left), rows):
            tile = product(left[down])
            top = tile.amax(dim=1)
            yield down, tile.sub_(top[:, None]).exp_(), top
        return
    left, right, offset = _shifted_for_bfloat16(left, right)
    product = products.by(right, precision)
    for down in chunks(len(left), rows):
        tile = product(left[down])
        top = tile.amax(dim=1)
        yield down, tile.sub_(top[:, None]).exp_(), top.add_(offset[down])


def _shifted_for_bfloat16(
    left: torch.Tensor, right: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Operands whose product is left · rightᵀ minus an offset per row, and the offsets, (N,).

    A CPU returns a bfloat16 product in bfloat16, whose 8 significant bits resolve small numbers
    best. The offset, about the row's maximum, makes the exponents near the maximum small.
    """
    center = right.mean(dim=0)
    right = right - center
    base = left @ center
    sample = products.by(right[:: max(1, len(right) // _SAMPLE)], "bfloat16")(left)
    # A bfloat16 number, like the products, so the product with it loses nothing.
    shift = -sample.amax(dim=1)
    left = torch.cat([left, shift[:, None]], dim=1)
    right = torch.cat([right, torch.ones(len(right), 1)], dim=1)
    return left, right, base - shift


def rows_per_chunk(device: str) -> int:
    """How many rows of a shard to pass at a time, to keep the device busy."""
    return 8192 if device == "cpu" else 65536


def _tile_shape(left: torch.Tensor) -> tuple[int, int]:
    return (ROWS, COLUMNS) if left.device.type == "cpu" else (GPU_ROWS, GPU_COLUMNS)
