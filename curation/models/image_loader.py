"""Decodes and resizes images ahead of the encoder, with threads, into a few reused buffers.

Pillow releases Python's lock while it decodes and resizes, so threads keep every core busy. Images
from a network mostly wait: many more threads fetch those, but only as many decode at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from curation.errors import CurationError
from curation.images import decode
from curation.images.location import ImageRef
from curation.models.encoder import Encoder
from curation.storage.locations import Location

# Batches in memory. Two are in use: the encoder reads one while the caller reads the rows of the
# batch before it.
BUFFERS = 4
# Images per task. Fewer cause contention between threads, more leave threads idle at the end of a
# batch.
TASK = 4
# For images from a network: threads, and images in memory, so that a slow image does not delay the
# others.
FETCHERS = 32
AHEAD = 512

# uint8, shape (H, W, 3).
Pixels = NDArray[np.uint8]
Lock = AbstractContextManager[object]


@dataclass(frozen=True)
class Batch:
    """Consecutive images.

    Attributes:
        start: the position of the first image in the list of all images.
        pixels: shape (N, H, W, 3), uint8; undefined for images that failed.
        failed: why an image failed, by its position in the batch.
    """

    start: int
    pixels: torch.Tensor
    failed: dict[int, CurationError]


@dataclass
class Spent:
    """Seconds of decoding, summed over the threads, and seconds that the caller waited."""

    decode: float = 0.0
    wait: float = 0.0


@dataclass(frozen=True)
class _TaskResult:
    seconds: float
    failed: dict[int, CurationError] = field(default_factory=dict)


def batches(
    refs: Sequence[ImageRef],
    prepare: Callable[[ImageRef], Pixels],
    shape: tuple[int, int],
    *,
    size: int,
    workers: int,
    fetched: bool = False,
    pinned: bool = False,
    spent: Spent | None = None,
) -> Iterator[Batch]:
    """Batches of images in order, prepared ahead by threads.

    Requesting batch n releases the pixels of the batches before n − 1, so that a GPU can compute
    one batch while it copies the next.

    Args:
        refs: the images.
        prepare: returns an image's pixels, or raises CurationError.
        shape: height and width of the pixels.
        size: images per batch; the last batch may be smaller.
        workers: how many threads.
        fetched: whether the images come from a network, one by one.
        pinned: whether to pin the pixels in memory, so that a CUDA device can copy them
            asynchronously.
        spent: to which the seconds are added.
    """
    spent = spent or Spent()
    starts = range(0, len(refs), size)
    task = 1 if fetched else TASK
    depth = max(BUFFERS, AHEAD // size) if fetched else BUFFERS
    buffers = [
        torch.empty((min(size, len(refs)), *shape, 3), dtype=torch.uint8, pin_memory=pinned)
        for _ in range(min(depth, len(starts)))
    ]
    pool = ThreadPoolExecutor(workers, "decode")

    def begin(number: int) -> list[Future[_TaskResult]]:
        part = refs[starts[number] : starts[number] + size]
        pixels = buffers[number % depth].numpy()
        return [
            pool.submit(_fill, pixels, at, part[at : at + task], prepare)
            for at in range(0, len(part), task)
        ]

    try:
        ahead: dict[int, list[Future[_TaskResult]]] = {}
        for number, start in enumerate(starts):
            # All buffers are free for the batches from this one on, but that of the batch before.
            for later in range(number, min(number + depth - 1, len(starts))):
                if later not in ahead:
                    ahead[later] = begin(later)
            began = time.perf_counter()
            results = [future.result() for future in ahead[number]]
            spent.wait += time.perf_counter() - began
            spent.decode += sum(result.seconds for result in results)
            ahead[number].clear()
            failed = {at: error for result in results for at, error in result.failed.items()}
            count = min(size, len(refs) - start)
            yield Batch(start, buffers[number % depth][:count], failed)
    finally:
        pool.shutdown(cancel_futures=True)


def model_input(
    root: Location, encoder: Encoder, ref: ImageRef, turn: Lock | None = None
) -> Pixels:
    """Read, decode and resize an image to the model's input.

    Args:
        root: the folder of the images.
        encoder: the model.
        ref: which image.
        turn: a lock or semaphore to hold while the image is decoded, not while it is read.

    Raises:
        CurationError: the image cannot be read or decoded.
    """
    data = ref.read(root)
    with turn or nullcontext():
        # Decoding at twice the input's size keeps reduced decoding finer than the resize after it.
        image = decode.rgb(
            data, at_least=2 * encoder.input_side, longer_side=encoder.fits_longer_side
        )
        return encoder.preprocess(decode.crop_extreme_aspect(image))


def _fill(
    pixels: Pixels,
    start: int,
    refs: Sequence[ImageRef],
    prepare: Callable[[ImageRef], Pixels],
) -> _TaskResult:
    """Prepare some images into ``pixels`` (N, H, W, 3), from position ``start`` on."""
    began = time.perf_counter()
    failed: dict[int, CurationError] = {}
    for position, ref in enumerate(refs, start):
        try:
            pixels[position] = prepare(ref)
        except CurationError as error:
            failed[position] = error
    return _TaskResult(time.perf_counter() - began, failed)
