"""Imports open_clip beside a mismatched torchvision, and mutes its log messages."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any


def import_open_clip() -> Any:
    """The module ``open_clip``, also if torch is a CPU build and torchvision a CUDA build.

    Such a torchvision fails at import because its compiled operators are missing. open_clip needs
    only its transforms, which are plain Python, so it is enough to declare the operators.
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
        _libraries.append(library)
    return import_module("open_clip")


# Keeps the declarations alive: a torch.library.Library removes its operators when it is collected.
_libraries: list[Any] = []


@contextmanager
def quiet() -> Iterator[None]:
    """Disable logging. open_clip logs every step and error; our errors are one line each."""
    previous = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(previous)
