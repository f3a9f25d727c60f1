"""Norms of each image's similarities to a target's items, reduced tile by tile.

The product of a dataset with a target is never in memory as a whole. On a CPU a tile stays in the
cache, so that reducing it takes little time compared with its product.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from curation.scores.shared import products
from curation.scores.shared.normalize import chunks

# 4 MB of float32. A GPU needs fewer, larger products (512 MB).
_CPU_TILE = (512, 2048)
_GPU_TILE = (8192, 16384)
# Columns of a tile whose maximum is found first; then the index is sought in one block only.
_BLOCK = 64


def nearest(left: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """NormSim∞: the largest |⟨left_i, right_j⟩| over j, and the first j that reaches it.

    Args:
        left: shape (N, d), float32.
        right: shape (M, d), float32, M ≥ 1, on the same device.

    Returns:
        Shapes (N,), float32, and (N,), int64.
    """
    top = torch.empty(len(left), device=left.device)
    index = torch.empty(len(left), dtype=torch.int64, device=left.device)
    for part, tiles in _strips(left, right):
        strip_top = torch.full_like(top[part], -1)
        strip_index = torch.zeros_like(index[part])
        every_row = torch.arange(len(strip_top), device=left.device)
        for start, tile in tiles:
            # An argmax takes ten times as long as a maximum, so it runs on one block per row.
            blocks = tile.abs_().view(len(tile), -1, _BLOCK)
            peak, block = blocks.amax(dim=2).max(dim=1)
            column = start + block * _BLOCK + blocks[every_row, block].argmax(dim=1)
            strip_index = torch.where(peak > strip_top, column, strip_index)
            strip_top = torch.maximum(strip_top, peak)
        top[part], index[part] = strip_top, strip_index
    return top, index


def power_sum(left: torch.Tensor, right: torch.Tensor, p: float) -> torch.Tensor:
    """NormSim_p for finite p: (Σ_j |⟨left_i, right_j⟩|^p)^(1/p).

    Args:
        left: shape (N, d), float32.
        right: shape (M, d), float32, M ≥ 1, on the same device.
        p: 1 ≤ p < ∞.

    Returns:
        Shape (N,), float32.
    """
    result = torch.empty(len(left), device=left.device)
    # MPS has no float64.
    wide = torch.float32 if left.device.type == "mps" else torch.float64
    for part, tiles in _strips(left, right):
        # Terms are relative to the row's maximum so far, so that their powers do not underflow.
        top = torch.full_like(result[part], torch.finfo(torch.float32).tiny)
        total = torch.zeros_like(top, dtype=wide)
        for _, tile in tiles:
            new_top = torch.maximum(top, tile.abs_().amax(dim=1))
            total.mul_((top / new_top).to(wide).pow_(p))
            terms = tile.div_(new_top[:, None])
            total.add_((terms if p == 1 else terms.pow_(p)).sum(dim=1))
            top = new_top
        result[part] = top * total.pow_(1 / p)
    return result


def root(rows: torch.Tensor) -> torch.Tensor:
    """R with R·Rᵀ = GᵀG of a target G, for ``root_norm``.

    Args:
        rows: G, shape (M, d), float32.

    Returns:
        Shape (d, d), float32; computed in float64 on the CPU, since not every GPU has float64.
    """
    total = torch.zeros(rows.shape[1], rows.shape[1], dtype=torch.float64)
    for part in chunks(len(rows), 65536):
        wide = rows[part].cpu().double()
        total += wide.T @ wide
    values, vectors = torch.linalg.eigh(total)
    made: torch.Tensor = vectors * values.clamp_(min=0).sqrt_()
    return made.float().to(rows.device)


def root_norm(left: torch.Tensor, root: torch.Tensor) -> torch.Tensor:
    """NormSim₂: √(vᵀ GᵀG v) of each row v (N, d), with d×d work per row: shape (N,)."""
    # Computed as ‖vᵀR‖: rounding of the square would hide a norm near 0.
    norms: torch.Tensor = torch.linalg.vector_norm(left @ root, dim=1)
    return norms


def _strips(
    left: torch.Tensor, right: torch.Tensor
) -> Iterator[tuple[slice, Iterator[tuple[int, torch.Tensor]]]]:
    """Strips of rows of left · rightᵀ: the rows, and the strip's tiles with their first column."""
    height, width = _CPU_TILE if left.device.type == "cpu" else _GPU_TILE
    pieces = [right[part] for part in chunks(len(right), width)]
    # Zero rows fill the last block. Their columns add nothing to a sum, and since they come last,
    # they are never the first to reach a maximum.
    pieces[-1] = torch.nn.functional.pad(pieces[-1], (0, 0, 0, -len(pieces[-1]) % _BLOCK))
    multiply = [products.by(piece) for piece in pieces]
    for part in chunks(len(left), height):
        rows = left[part]
        yield part, ((number * width, product(rows)) for number, product in enumerate(multiply))
