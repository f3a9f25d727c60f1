"""The log-sum-exps of a product's rows and columns in one Triton kernel, on NVIDIA GPUs.

Nothing of the size of the product is written to memory. A program holds the running sums of its
rows in registers, and writes one number per column for each block of rows.
"""

from __future__ import annotations

import functools
import math
import os
from typing import Any

import torch

# Rows and columns of a tile, and the length of the embeddings' part in one step of the product.
BLOCK_ROWS = 128
BLOCK_COLUMNS = 128
BLOCK_DIM = 64
# Programs along the columns, so that a chunk of few rows still occupies the whole GPU.
SPLITS = 8

_LOG2_E = math.log2(math.e)
_LN_2 = math.log(2)


def is_available(device: torch.device) -> bool:
    """Whether the kernel runs on this device: CUDA with Triton, or Triton's interpreter."""
    if device.type == "cuda":
        # Triton uses tensor cores from compute capability 8 on.
        return torch.cuda.get_device_capability(device) >= (8, 0) and _kernel() is not None
    return os.environ.get("TRITON_INTERPRET") == "1" and _kernel() is not None


def of_rows(left: torch.Tensor, right: torch.Tensor, temperature: float) -> torch.Tensor:
    """log Σ_j exp(S_ij/τ) of each row of S = left · rightᵀ.

    Operands are rounded to float16; products and sums are float32.

    Args:
        left: shape (N, d).
        right: shape (M, d), on the same device.
        temperature: τ > 0.

    Returns:
        Shape (N,), float32.
    """
    return _run(left, right, temperature, both=False)[0]


def of_rows_and_columns(
    left: torch.Tensor, right: torch.Tensor, temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """As ``of_rows``, and log Σ_i exp(S_ij/τ) of each column: shapes (N,) and (M,)."""
    return _run(left, right, temperature, both=True)


def _run(
    left: torch.Tensor, right: torch.Tensor, temperature: float, both: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    kernel = _kernel()
    assert kernel is not None
    left, right = left.half().contiguous(), right.half().contiguous()
    row_blocks = -(-len(left) // BLOCK_ROWS)
    splits = min(SPLITS, -(-len(right) // BLOCK_COLUMNS))
    rows = torch.empty(splits, len(left), device=left.device)
    columns = torch.empty(row_blocks if both else 0, len(right), device=left.device)
    # Triton launches on the current device, which may not be that of the tensors.
    with torch.cuda.device(left.device if left.device.type == "cuda" else -1):
        kernel[(row_blocks, splits)](
            left,
            right,
            rows,
            columns,
            len(left),
            len(right),
            left.shape[1],
            _LOG2_E / temperature,
            both=both,
            block_rows=BLOCK_ROWS,
            block_columns=BLOCK_COLUMNS,
            block_dim=BLOCK_DIM,
            num_warps=8,
            num_stages=3,
        )
    # The kernel works in base 2.
    return torch.logsumexp(rows * _LN_2, dim=0), torch.logsumexp(columns * _LN_2, dim=0)


@functools.cache
def _kernel() -> Any:
    """The kernel, or None if Triton is not installed."""
    # Triton 3.9 requires a choice; earlier releases always fused multiplications and additions.
    os.environ.setdefault("TRITON_DEFAULT_FP_FUSION", "1")
    try:
        from curation.scores.contrastive_loss.triton_kernel import log_sum_exp
    except ImportError:
        return None
    return log_sum_exp
