"""A Triton kernel: a tile's product straight into the log-sum-exps of its rows and columns.

Nothing of the size of the product is written: a program holds the running sums of its rows in
registers, and of each tile's columns one number a block of rows goes to memory.
"""

from __future__ import annotations

import functools
import math
import os
from typing import Any

import torch

# Rows and columns of a tile, and how much of the embeddings a step of the product takes.
BLOCK_ROWS = 128
BLOCK_COLUMNS = 128
BLOCK_DIM = 64
# Programs side by side along the columns, so that a chunk of few rows still fills the GPU.
SPLITS = 8

_LOG2_E = math.log2(math.e)
_LN_2 = math.log(2)


def usable(device: torch.device) -> bool:
    """Whether the kernel runs here: on CUDA with Triton, or in Triton's interpreter."""
    if device.type == "cuda":
        # Before compute capability 8 Triton does not use the tensor cores.
        return torch.cuda.get_device_capability(device) >= (8, 0) and _kernel() is not None
    return os.environ.get("TRITON_INTERPRET") == "1" and _kernel() is not None


def of_rows(left: torch.Tensor, right: torch.Tensor, temperature: float) -> torch.Tensor:
    """log Σ_j exp(left_i · right_j / τ): float16 products, float32 sums; (N, d), (M, d) → (N,)."""
    return _run(left, right, temperature, both=False)[0]


def of_both(
    left: torch.Tensor, right: torch.Tensor, temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """log Σ_j exp(S_ij/τ) and log Σ_i exp(S_ij/τ) of S = left · rightᵀ: → (N,), (M,)."""
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
    # Programs are launched on the current device, which need not be the tensors'.
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
    # The kernel counts in powers of two.
    return torch.logsumexp(rows * _LN_2, dim=0), torch.logsumexp(columns * _LN_2, dim=0)


@functools.cache
def _kernel() -> Any:
    """The kernel, or None where Triton is not installed."""
    # Triton 3.9 asks for a choice; fused multiply-adds are what its earlier releases did.
    os.environ.setdefault("TRITON_DEFAULT_FP_FUSION", "1")
    try:
        from curation.scores.contrastive_loss.triton_kernel import log_sum_exp
    except ImportError:
        return None
    return log_sum_exp
