"""NormSim's products of a dataset with a target, reduced tile by tile so that none is held whole.

A tile stays in the processor's cache, so that looking it over costs little beside its product.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from curation.scores.shared import products
from curation.scores.shared.normalize import chunks

# 4 MB of float32; a GPU has no such cache and wants fewer, larger products (512 MB).
_CPU_TILE = (512, 2048)
_GPU_TILE = (8192, 16384)
# Entries of a tile's row among which the index of the largest is sought in a second look.
_BLOCK = 64


def nearest(left: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """max_j |left_i · right_j| and the first j that has it: (N, d), (M, d) → (N,), (N,) int64."""
    top = torch.empty(len(left), device=left.device)
    index = torch.empty(len(left), dtype=torch.int64, device=left.device)
    for part, tiles in _strips(left, right):
        strip_top = torch.full_like(top[part], -1)
        strip_index = torch.zeros_like(index[part])
        every_row = torch.arange(len(strip_top), device=left.device)
        for start, tile in tiles:
            # An index costs ten times a maximum: blocks narrow down where it is to be sought.
            blocks = tile.abs_().view(len(tile), -1, _BLOCK)
            peak, block = blocks.amax(dim=2).max(dim=1)
            place = start + block * _BLOCK + blocks[every_row, block].argmax(dim=1)
            strip_index = torch.where(peak > strip_top, place, strip_index)
            strip_top = torch.maximum(strip_top, peak)
        top[part], index[part] = strip_top, strip_index
    return top, index


def power_sum(left: torch.Tensor, right: torch.Tensor, p: float) -> torch.Tensor:
    """(Σ_j |left_i · right_j|^p)^(1/p) for each i, p finite: (N, d), (M, d) → (N,)."""
    result = torch.empty(len(left), device=left.device)
    # MPS has no float64.
    wide = torch.float32 if left.device.type == "mps" else torch.float64
    for part, tiles in _strips(left, right):
        # Terms are taken relative to the largest yet, so that no power of them underflows.
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
    """R, (d, d), with R·Rᵀ = GᵀG of a target, in float64 (on the CPU: not every GPU has it)."""
    total = torch.zeros(rows.shape[1], rows.shape[1], dtype=torch.float64)
    for part in chunks(len(rows), 65536):
        wide = rows[part].cpu().double()
        total += wide.T @ wide
    values, vectors = torch.linalg.eigh(total)
    made: torch.Tensor = vectors * values.clamp_(min=0).sqrt_()
    return made.float().to(rows.device)


def root_norm(left: torch.Tensor, root: torch.Tensor) -> torch.Tensor:
    """√(vᵀ GᵀG v) of each row v, (N,): NormSim₂ at d×d work a row."""
    # As ‖vᵀR‖: without the square, whose rounding would hide a norm near 0.
    norms: torch.Tensor = torch.linalg.vector_norm(left @ root, dim=1)
    return norms


def _strips(
    left: torch.Tensor, right: torch.Tensor
) -> Iterator[tuple[slice, Iterator[tuple[int, torch.Tensor]]]]:
    """Some rows at a time, each with the tiles of their products and where a tile begins."""
    height, width = _CPU_TILE if left.device.type == "cpu" else _GPU_TILE
    pieces = [right[part] for part in chunks(len(right), width)]
    # Whole blocks; a column of zeros adds nothing and, coming last, is nobody's first nearest.
    pieces[-1] = torch.nn.functional.pad(pieces[-1], (0, 0, 0, -len(pieces[-1]) % _BLOCK))
    multiply = [products.by(piece) for piece in pieces]
    for part in chunks(len(left), height):
        rows = left[part]
        yield part, ((number * width, product(rows)) for number, product in enumerate(multiply))
