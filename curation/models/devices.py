"""The one place that picks the device."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
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


def describe(names: Sequence[str]) -> str:
    """The devices for people: ``2 × CUDA (NVIDIA H100)``, ``CPU (8 threads)``."""
    import torch

    first = torch.device(names[0])
    if first.type == "cuda":
        kinds = Counter(torch.cuda.get_device_name(name) for name in names)
        return ", ".join(_times(number, f"CUDA ({kind})") for kind, number in kinds.items())
    if first.type == "mps":
        return "MPS (Apple GPU)"
    return _times(len(names), f"CPU ({torch.get_num_threads()} threads)")


def unused_gpu(names: Sequence[str]) -> str | None:
    """What to tell where a GPU is in this machine and the devices chosen are not it."""
    if any(not name.startswith("cpu") for name in names):
        return None
    usable = tuple(name for name in ("cuda", "mps") if _available(name))
    return _unused_gpu(usable, nvidia=not usable and _has_nvidia())


def _unused_gpu(usable: Sequence[str], nvidia: bool) -> str | None:
    """The same of a machine whose GPUs torch can use, or that has one that torch cannot."""
    if usable:
        return f"a GPU is in this machine but not used; --device {usable[0]} takes it"
    if nvidia:
        return (
            "an NVIDIA GPU is in this machine but this torch cannot use it: install a CUDA build "
            "of torch that fits its driver"
        )
    return None


def workers_each(names: Sequence[str]) -> int:
    """How many threads prepare work for each of the devices."""
    if sys.platform == "linux":
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, cores // len(names))


def _times(number: int, what: str) -> str:
    return what if number == 1 else f"{number} × {what}"


def _has_nvidia(
    driver: Path = Path("/proc/driver/nvidia/version"), tool: str = "nvidia-smi"
) -> bool:
    """Whether NVIDIA's driver, or its tool, tells of a GPU."""
    if driver.exists():
        return True
    try:
        told = subprocess.run(
            [tool, "--list-gpus"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return told.returncode == 0 and "GPU" in told.stdout


def _available(name: str) -> bool:
    import torch

    if name == "cuda":
        return torch.cuda.is_available()
    return name == "mps" and torch.backends.mps.is_available()
