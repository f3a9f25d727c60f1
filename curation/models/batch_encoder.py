"""A shard's images and captions through the encoder, batch by batch, and what time that took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import BoundedSemaphore
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from curation.errors import CurationError
from curation.images.location import ImageRef
from curation.models import image_loader
from curation.models.encoder import Encoder, Pending
from curation.storage import locations
from curation.storage.locations import Location

# Images a batch, by the kind of device. A GPU likes many. A CPU does not: the memory of large
# results is given back and asked for anew at every layer, and 64 images take twice as long.
BATCH = {"cuda": 256, "mps": 64, "cpu": 16}
# Captions a batch, for each image: they are the smaller work.
CAPTIONS_AN_IMAGE = 4

Rows = NDArray[np.float16]
Part = TypeVar("Part")


class Clock:
    """Seconds by stage, so that a slow run says where it is slow."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.add(name, time.perf_counter() - began)

    def add(self, name: str, seconds: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds


@dataclass(frozen=True)
class Encoding:
    """The work on one shard.

    Attributes:
        workers: threads that decode at a time.
        failed: why a sample has no embedding, by its row.
    """

    encoder: Encoder
    workers: int
    clock: Clock
    failed: dict[int, CurationError] = field(default_factory=dict)

    def images(
        self, refs: Sequence[ImageRef | None], root: Location, advance: Callable[[int], object]
    ) -> Rows:
        """Image embeddings (N, dim), float16; NaN where there is none."""
        result = self._empty(len(refs))
        there = [(row, ref) for row, ref in enumerate(refs) if ref is not None]
        advance(len(refs) - len(there))
        fetched = not locations.is_local(root) or any(ref.is_on_the_web for _, ref in there)
        threads = max(self.workers, image_loader.FETCHERS) if fetched else self.workers
        turn = BoundedSemaphore(self.workers)
        spent = image_loader.Spent()
        batches = image_loader.batches(
            [ref for _, ref in there],
            partial(image_loader.model_input, root, self.encoder, turn=turn),
            self.encoder.input_shape,
            size=self._batch,
            workers=threads,
            fetched=fetched,
            pinned=self.encoder.device.type == "cuda",
            spent=spent,
        )
        began = time.perf_counter()
        for batch, found in _one_ahead(batches, lambda b: self.encoder.encode_images(b.pixels)):
            rows = [row for row, _ in there[batch.start : batch.start + len(found)]]
            self.failed.update({rows[k]: problem for k, problem in batch.failed.items()})
            good = [k for k in range(len(rows)) if k not in batch.failed]
            self._keep(result, [rows[k] for k in good], found[good], "image")
            advance(len(rows))
        stage = "fetch and decode beside it" if fetched else "decode"
        self.clock.add(stage, spent.decode / threads)
        self.clock.add("wait for decode", spent.wait)
        self.clock.add("image encoder", time.perf_counter() - began - spent.wait)
        return result

    def texts(self, captions: Sequence[str]) -> Rows:
        """Caption embeddings (N, dim), float16; NaN where a caption is empty."""
        result = self._empty(len(captions))
        there = [row for row, caption in enumerate(captions) if caption]
        size = CAPTIONS_AN_IMAGE * self._batch
        parts = (there[start : start + size] for start in range(0, len(there), size))
        encode = self.encoder.encode_texts
        with self.clock.stage("text encoder"):
            for rows, found in _one_ahead(parts, lambda part: encode([captions[n] for n in part])):
                self._keep(result, rows, found, "caption")
        return result

    @property
    def _batch(self) -> int:
        return BATCH[self.encoder.device.type]

    def _empty(self, rows: int) -> Rows:
        return np.full((rows, self.encoder.dim), np.nan, dtype=np.float16)

    def _keep(
        self, result: Rows, rows: Sequence[int], found: NDArray[np.float32], side: str
    ) -> None:
        """Put embeddings where they belong; 16-bit products may overflow."""
        norms = np.linalg.norm(found, axis=1)
        usable = np.isfinite(norms) & (norms > 0)
        result[rows] = np.where(usable[:, None], found, np.nan)
        problem = CurationError(f"the embedding of its {side} is zero or not finite")
        for place in np.flatnonzero(~usable).tolist():
            self.failed.setdefault(rows[place], problem)


def _one_ahead(
    parts: Iterable[Part], encode: Callable[[Part], Pending]
) -> Iterator[tuple[Part, NDArray[np.float32]]]:
    """Each part with its rows, which are waited for when the next part is on the device."""
    before: tuple[Part, Pending] | None = None
    for part in parts:
        pending = encode(part)
        if before is not None:
            yield before[0], before[1].rows()
        before = part, pending
    if before is not None:
        yield before[0], before[1].rows()
