"""Encodes a shard's images and captions in batches, and records how long each stage takes."""

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

# Images per batch, by type of device. A GPU needs many to be busy. A CPU is slower with many: torch
# frees and allocates large activations at every layer, and 64 images take twice as long per image.
BATCH = {"cuda": 256, "mps": 64, "cpu": 16}
# Captions per batch for each image per batch: a caption takes less computation than an image.
CAPTIONS_PER_IMAGE = 4

Rows = NDArray[np.float16]
Part = TypeVar("Part")


class Clock:
    """Seconds by stage, to show which stage of a run is slow."""

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
    """Encodes one shard.

    Attributes:
        encoder: the model.
        workers: how many threads decode at a time.
        clock: to which the seconds are added.
        failed: why a sample has no embedding, by its row. Filled by ``images`` and ``texts``.
    """

    encoder: Encoder
    workers: int
    clock: Clock
    failed: dict[int, CurationError] = field(default_factory=dict)

    def images(
        self, refs: Sequence[ImageRef | None], root: Location, advance: Callable[[int], object]
    ) -> Rows:
        """Embed the images of a shard.

        Args:
            refs: one per sample; None for a sample without an image.
            root: the folder of the images.
            advance: reports progress, in samples.

        Returns:
            Shape (N, dim), float16; NaN where there is no image or it failed.
        """
        result = self._empty(len(refs))
        existing = [(row, ref) for row, ref in enumerate(refs) if ref is not None]
        advance(len(refs) - len(existing))
        fetched = not locations.is_local(root) or any(ref.is_on_the_web for _, ref in existing)
        threads = max(self.workers, image_loader.FETCHERS) if fetched else self.workers
        turn = BoundedSemaphore(self.workers)
        spent = image_loader.Spent()
        batches = image_loader.batches(
            [ref for _, ref in existing],
            partial(image_loader.model_input, root, self.encoder, turn=turn),
            self.encoder.input_shape,
            size=self._batch,
            workers=threads,
            fetched=fetched,
            pinned=self.encoder.device.type == "cuda",
            spent=spent,
        )
        began = time.perf_counter()
        for batch, embedded in _one_ahead(batches, lambda b: self.encoder.encode_images(b.pixels)):
            rows = [row for row, _ in existing[batch.start : batch.start + len(embedded)]]
            self.failed.update({rows[k]: error for k, error in batch.failed.items()})
            good = [k for k in range(len(rows)) if k not in batch.failed]
            self._store(result, [rows[k] for k in good], embedded[good], "image")
            advance(len(rows))
        stage = "fetch and decode (in parallel)" if fetched else "decode"
        self.clock.add(stage, spent.decode / threads)
        self.clock.add("wait for decode", spent.wait)
        self.clock.add("image encoder", time.perf_counter() - began - spent.wait)
        return result

    def texts(self, captions: Sequence[str]) -> Rows:
        """Embed the captions of a shard: shape (N, dim), float16; NaN where a caption is empty."""
        result = self._empty(len(captions))
        existing = [row for row, caption in enumerate(captions) if caption]
        size = CAPTIONS_PER_IMAGE * self._batch
        parts = (existing[start : start + size] for start in range(0, len(existing), size))
        encode = self.encoder.encode_texts
        with self.clock.stage("text encoder"):
            for rows, embedded in _one_ahead(parts, lambda p: encode([captions[n] for n in p])):
                self._store(result, rows, embedded, "caption")
        return result

    @property
    def _batch(self) -> int:
        return BATCH[self.encoder.device.type]

    def _empty(self, rows: int) -> Rows:
        return np.full((rows, self.encoder.dim), np.nan, dtype=np.float16)

    def _store(
        self, result: Rows, rows: Sequence[int], embedded: NDArray[np.float32], side: str
    ) -> None:
        """Write embeddings to these rows, NaN where 16-bit products overflowed."""
        norms = np.linalg.norm(embedded, axis=1)
        usable = np.isfinite(norms) & (norms > 0)
        result[rows] = np.where(usable[:, None], embedded, np.nan)
        error = CurationError(f"the embedding of its {side} is zero or not finite")
        for position in np.flatnonzero(~usable).tolist():
            self.failed.setdefault(rows[position], error)


def _one_ahead(
    parts: Iterable[Part], encode: Callable[[Part], Pending]
) -> Iterator[tuple[Part, NDArray[np.float32]]]:
    """Each part and its embeddings, (n, dim), read only after the next part is on the device."""
    before: tuple[Part, Pending] | None = None
    for part in parts:
        pending = encode(part)
        if before is not None:
            yield before[0], before[1].rows()
        before = part, pending
    if before is not None:
        yield before[0], before[1].rows()
