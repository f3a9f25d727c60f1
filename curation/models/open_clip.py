"""Importing open_clip wherever it can work, and keeping it from talking."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any


def import_open_clip() -> Any:
    """open_clip, also where a CPU build of torch stands beside a CUDA build of torchvision.

    That torchvision fails at import because its compiled operators are missing; open_clip
    needs only its transforms, which are plain Python, so naming the operators is enough.
    """
    import torch

    try:
        import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        open_library: Any = torch.library.Library
        library = open_library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _kept_alive.append(library)
    return import_module("open_clip")


# A torch.library.Library takes its operators away when it is collected.
_kept_alive: list[Any] = []


@contextmanager
def quiet() -> Iterator[None]:
    """open_clip logs each step and each error; ours is the one line a person needs."""
    previous = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(previous)
