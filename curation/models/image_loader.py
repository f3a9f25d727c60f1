"""Images decoded and resized ahead of the encoder, by threads, into a few buffers used in turn.

Pillow decodes and resizes outside Python's lock, so threads keep every core busy. Images that come
over a network are waited for most of the time: many more threads fetch those, and take turns to
decode.
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

# Of the buffers, one is with the encoder while the caller reads the rows of the batch before.
BUFFERS = 4
# Images a task: fewer make threads wait for one another, more leave them idle at a batch's end.
TASK = 4
# Threads that fetch over a network, and the images that may be ahead of the encoder then: one that
# is long in coming should not hold up the others.
FETCHERS = 32
AHEAD = 512

Picture = NDArray[np.uint8]
Turn = AbstractContextManager[object]


@dataclass(frozen=True)
class Batch:
    """Some images in a row.

    Attributes:
        start: the place of the first in the list they come from.
        pixels: uint8 (N, H, W, 3); of an image that failed, anything.
        failed: why there are no pixels, by the image's place in the batch.
    """

    start: int
    pixels: torch.Tensor
    failed: dict[int, CurationError]


@dataclass
class Spent:
    """Seconds that went into decoding, added up over the threads, and that a caller waited."""

    decode: float = 0.0
    wait: float = 0.0


@dataclass(frozen=True)
class _Filled:
    seconds: float
    failed: dict[int, CurationError] = field(default_factory=dict)


def batches(
    refs: Sequence[ImageRef],
    prepare: Callable[[ImageRef], Picture],
    shape: tuple[int, int],
    *,
    size: int,
    workers: int,
    fetched: bool = False,
    pinned: bool = False,
    spent: Spent | None = None,
) -> Iterator[Batch]:
    """Batches of images in order, prepared ahead by ``workers`` threads.

    A batch's pixels stay until the batch after the next is asked for: the rows of one batch may be
    computed on a GPU while the next is on its way there.

    Args:
        prepare: returns an image's pixels, uint8 (H, W, 3), or raises CurationError.
        shape: height and width.
        fetched: whether the images come over a network, one by one.
        pinned: whether a CUDA device copies the pixels itself.
        spent: where the seconds are added up.
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

    def begin(number: int) -> list[Future[_Filled]]:
        part = refs[starts[number] : starts[number] + size]
        pixels = buffers[number % depth].numpy()
        return [
            pool.submit(_fill, pixels, at, part[at : at + task], prepare)
            for at in range(0, len(part), task)
        ]

    try:
        ahead: dict[int, list[Future[_Filled]]] = {}
        for number, start in enumerate(starts):
            # Whoever asks for this batch has done with all but the one before it.
            for later in range(number, min(number + depth - 1, len(starts))):
                if later not in ahead:
                    ahead[later] = begin(later)
            began = time.perf_counter()
            filled = [future.result() for future in ahead[number]]
            spent.wait += time.perf_counter() - began
            spent.decode += sum(part.seconds for part in filled)
            ahead[number].clear()
            failed = {place: why for part in filled for place, why in part.failed.items()}
            count = min(size, len(refs) - start)
            yield Batch(start, buffers[number % depth][:count], failed)
    finally:
        pool.shutdown(cancel_futures=True)


def model_input(
    root: Location, encoder: Encoder, ref: ImageRef, turn: Turn | None = None
) -> Picture:
    """What the model sees of an image, uint8 (H, W, 3).

    Args:
        turn: held while the image is decoded, not while it is read.

    Raises:
        CurationError: the image cannot be read, or does not decode.
    """
    data = ref.read(root)
    with turn or nullcontext():
        # Twice what it is resized to: reduced decoding then stays finer than the resize after it.
        picture = decode.rgb(
            data, at_least=2 * encoder.input_side, longer_side=encoder.fits_longer_side
        )
        return encoder.preprocess(decode.without_far_ends(picture))


def _fill(
    pixels: Picture,
    start: int,
    refs: Sequence[ImageRef],
    prepare: Callable[[ImageRef], Picture],
) -> _Filled:
    began = time.perf_counter()
    failed: dict[int, CurationError] = {}
    for place, ref in enumerate(refs, start):
        try:
            pixels[place] = prepare(ref)
        except CurationError as problem:
            failed[place] = problem
    return _Filled(time.perf_counter() - began, failed)
