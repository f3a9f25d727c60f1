"""The one place that picks the device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curation.errors import CurationError

if TYPE_CHECKING:
    import torch

CHOICES = ("auto", "cuda", "mps", "cpu")


def names(name: str = "auto") -> tuple[str, ...]:
    """Where shards are worked on side by side: every CUDA device, or the one device there is.

    Raises:
        CurationError: the device named is not available here.
    """
    import torch

    device = pick(name)
    if device.type == "cuda" and device.index is None:
        return tuple(f"cuda:{index}" for index in range(torch.cuda.device_count()))
    return (str(device),)


def pick(name: str = "auto") -> torch.device:
    """The device to compute on: the one named, or CUDA, then MPS, then CPU.

    Raises:
        CurationError: the device named is not available here.
    """
    import torch

    if name == "auto":
        for candidate in ("cuda", "mps"):
            if _available(candidate):
                return torch.device(candidate)
        return torch.device("cpu")
    if name.split(":")[0] != "cpu" and not _available(name.split(":")[0]):
        raise CurationError(f"device {name!r} is not available here; use --device auto or cpu")
    return torch.device(name)


def describe(device: torch.device) -> str:
    """The device for people, with a warning where a GPU is present but unused."""
    import torch

    if device.type == "cuda":
        return f"CUDA ({torch.cuda.get_device_name(device)})"
    if device.type == "mps":
        return "MPS (Apple GPU)"
    unused = next((name for name in ("cuda", "mps") if _available(name)), None)
    warning = f"; WARNING: a {unused.upper()} GPU is present but not used" if unused else ""
    return f"CPU ({torch.get_num_threads()} threads){warning}"


def _available(name: str) -> bool:
    import torch

    if name == "cuda":
        return torch.cuda.is_available()
    return name == "mps" and torch.backends.mps.is_available()
