"""Matrix products: the one place that decides how each device computes them best."""

from __future__ import annotations

from collections.abc import Callable

import torch

from curation.scores.base import Floats

Precision = str

# What ``auto`` is, by type of device: a GPU multiplies 16-bit numbers many times faster, and
# adds them up in float32.
_AUTO = {"cuda": "float16"}
_KINDS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def precision(name: str, device: str | torch.device) -> Precision:
    """The precision that ``auto`` means on a device; any other name is itself."""
    if name != "auto":
        return name
    return _AUTO.get(torch.device(device).type, "float32")


def on(rows: Floats, device: str | torch.device) -> torch.Tensor:
    """An array as a tensor on a device; not copied where that is the CPU."""
    return torch.from_numpy(rows).to(device)


def by(right: torch.Tensor, precision: Precision = "float32") -> Callable[..., torch.Tensor]:
    """A function from rows (n, d) to rows · rightᵀ (n, m), float32, which the caller may change.

    16-bit precisions round both operands and add up in float32. On CUDA so is the result; a CPU
    rounds a bfloat16 result too, and computes float16 in float32 on rounded operands.
    """
    kind = _KINDS[precision]
    if kind is not torch.float32 and right.device.type == "cuda":
        narrow = right.to(kind)
        return lambda rows: torch.mm(rows.to(kind), narrow.T, out_dtype=torch.float32)
    if kind is torch.bfloat16:
        narrow = right.to(kind)
        return lambda rows: (rows.to(kind) @ narrow.T).float()
    if kind is torch.float16:
        plain = by(right.half().float())
        return lambda rows: plain(rows.half().float())
    if right.device.type == "cpu" and torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        # oneDNN's kernels use what the CPU has whoever made it; torch.mm goes to MKL, which on
        # an AMD with AVX-512 takes longer, most of all where other work runs beside it.
        packed = right.to_mkldnn()
        return lambda rows: torch.nn.functional.linear(rows.to_mkldnn(), packed).to_dense()
    return lambda rows: rows @ right.T
