"""Matrix products: how each kind of device computes them best."""

from __future__ import annotations

from collections.abc import Callable

import torch

from curation.scores.base import Floats

Precision = str

# What ``auto`` means by type of device, float32 elsewhere. A GPU multiplies 16-bit numbers many
# times faster, and adds the products up in float32.
_AUTO = {"cuda": "float16"}
_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def precision(name: str, device: str | torch.device) -> Precision:
    """The precision that ``auto`` means on a device; any other name is returned as it is."""
    if name != "auto":
        return name
    return _AUTO.get(torch.device(device).type, "float32")


def on(rows: Floats, device: str | torch.device) -> torch.Tensor:
    """An array as a tensor on a device; on the CPU the two share memory."""
    return torch.from_numpy(rows).to(device)


def by(right: torch.Tensor, precision: Precision = "float32") -> Callable[..., torch.Tensor]:
    """A function that multiplies rows with ``right``.

    16-bit precisions round both operands. On CUDA they are multiplied and added up in float32. A
    CPU computes float16 in float32 on rounded operands, and also rounds a bfloat16 result.

    Args:
        right: shape (M, d), float32.
        precision: ``float32``, ``float16`` or ``bfloat16``.

    Returns:
        From rows (n, d), float32, to rows · rightᵀ, shape (n, M), float32. The caller may overwrite
        the result.
    """
    dtype = _DTYPES[precision]
    if dtype is not torch.float32 and right.device.type == "cuda":
        narrow = right.to(dtype)
        return lambda rows: torch.mm(rows.to(dtype), narrow.T, out_dtype=torch.float32)
    if dtype is torch.bfloat16:
        narrow = right.to(dtype)
        return lambda rows: (rows.to(dtype) @ narrow.T).float()
    if dtype is torch.float16:
        multiply = by(right.half().float())
        return lambda rows: multiply(rows.half().float())
    # torch does not annotate mkldnn.is_available.
    if right.device.type == "cpu" and torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        # oneDNN's kernels use the instructions of CPUs of every make. torch.mm calls MKL, which is
        # slower on AMD CPUs with AVX-512, most of all while other processes use the cores.
        packed = right.to_mkldnn()
        return lambda rows: torch.nn.functional.linear(rows.to_mkldnn(), packed).to_dense()
    return lambda rows: rows @ right.T
