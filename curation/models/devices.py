"""Which devices to compute on, and what to call them."""

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
    """The devices that work on shards in parallel: every CUDA device, or the only device.

    Args:
        name: one of CHOICES, or a single CUDA device such as ``cuda:1``.

    Raises:
        CurationError: the device is not available on this machine.
    """
    import torch

    device = pick(name)
    if device.type == "cuda" and device.index is None:
        return tuple(f"cuda:{index}" for index in range(torch.cuda.device_count()))
    return (str(device),)


def pick(name: str = "auto") -> torch.device:
    """The device with this name; for ``auto`` the first available of CUDA, MPS and CPU.

    Raises:
        CurationError: the device is not available on this machine.
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
    """The devices as a person reads them: ``2 × CUDA (NVIDIA H100)``, ``CPU (8 threads)``."""
    import torch

    first = torch.device(names[0])
    if first.type == "cuda":
        kinds = Counter(torch.cuda.get_device_name(name) for name in names)
        return ", ".join(_times(number, f"CUDA ({kind})") for kind, number in kinds.items())
    if first.type == "mps":
        return "MPS (Apple GPU)"
    return _times(len(names), f"CPU ({torch.get_num_threads()} threads)")


def unused_gpu(names: Sequence[str]) -> str | None:
    """A hint if the machine has a GPU but the devices are CPUs, else None."""
    if any(not name.startswith("cpu") for name in names):
        return None
    usable = tuple(name for name in ("cuda", "mps") if _available(name))
    return _unused_gpu_hint(usable, nvidia=not usable and _has_nvidia())


def _unused_gpu_hint(usable: Sequence[str], nvidia: bool) -> str | None:
    """The hint.

    Args:
        usable: the kinds of GPU that torch can use, ``cuda`` or ``mps``.
        nvidia: whether there is an NVIDIA GPU that torch cannot use.
    """
    if usable:
        return f"this machine has a GPU that is not used; use it with --device {usable[0]}"
    if nvidia:
        return (
            "this machine has an NVIDIA GPU, but this torch cannot use it: install a CUDA build of "
            "torch that matches the driver"
        )
    return None


def workers_each(names: Sequence[str]) -> int:
    """How many CPU threads prepare work for each device: the cores, divided among the devices."""
    if sys.platform == "linux":
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, cores // len(names))


def _times(number: int, name: str) -> str:
    return name if number == 1 else f"{number} × {name}"


def _has_nvidia(
    driver: Path = Path("/proc/driver/nvidia/version"), tool: str = "nvidia-smi"
) -> bool:
    """Whether NVIDIA's driver is loaded or its tool lists a GPU."""
    if driver.exists():
        return True
    try:
        listing = subprocess.run(
            [tool, "--list-gpus"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listing.returncode == 0 and "GPU" in listing.stdout


def _available(name: str) -> bool:
    import torch

    if name == "cuda":
        return torch.cuda.is_available()
    return name == "mps" and torch.backends.mps.is_available()
