"""The embed stage: a shard's images and captions into unit rows, float16, aligned with it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from curation import images
from curation.encoder import Encoder
from curation.errors import CurationError
from curation.files import atomic, fingerprint
from curation.images import ImageRef
from curation.readers.base import Skipped
from curation.reading import write_skipped
from curation.workspace import Receipt, Store

# Raise it when what the embed stage writes changes, so that old shards are embedded again.
VERSION = 1
BATCH = 64

Advance = Callable[[int], object]


def embed_shard(
    store: Store,
    shard: int,
    image_root: Path,
    encoder: Encoder,
    model_mark: str,
    *,
    with_texts: bool = True,
    advance: Advance = lambda _: None,
) -> Receipt:
    """Embed one shard unless that has been done; returns its receipt.

    An image that does not decode gets a row of NaN and is listed as skipped; the rows of the
    others are unit length.
    """
    source = store.samples.receipt(shard)
    if source is None:
        raise CurationError(f"shard {shard} has not been read")
    folder = store.embeddings(encoder.spec.slug)
    mark = fingerprint(VERSION, source.fingerprint, model_mark, with_texts)
    done = folder.receipt(shard)
    if done is not None and done.fingerprint == mark:
        advance(source.rows)
        return replace(done, seconds={})
    folder.discard(shard)
    table = pq.read_table(
        store.samples.file(shard, "parquet"),
        columns=["uid", "caption", "image_file", "image_offset", "image_length"],
    )
    rows = table.to_pylist()
    refs = [ImageRef(r["image_file"], r["image_offset"], r["image_length"]) for r in rows]
    clock = _Clock()
    image_rows, failed = _embed_images(refs, image_root, encoder, clock, advance)
    _save(folder.file(shard, "image.npy"), image_rows)
    if with_texts:
        captions = [row["caption"] for row in rows]
        _save(folder.file(shard, "text.npy"), _embed_texts(captions, encoder, clock))
    skipped = [Skipped(refs[row].file, str(problem)) for row, problem in failed.items()]
    write_skipped(folder, shard, skipped, [rows[row]["uid"] for row in failed])
    if any(isinstance(problem, images.UnreadableError) for problem in failed.values()):
        # They could be read a stage ago: a disk that went away may come back.
        mark = fingerprint(mark, "to be tried again")
    receipt = Receipt(mark, len(rows), len(failed), clock.seconds)
    folder.finish(shard, receipt)
    return receipt


class _Clock:
    """Seconds a stage, so that a slow run says where it is slow."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str | None) -> None:
        now = time.perf_counter()
        if name is not None:
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._last
        self._last = now


def _embed_images(
    refs: list[ImageRef], root: Path, encoder: Encoder, clock: _Clock, advance: Advance
) -> tuple[NDArray[np.float16], dict[int, CurationError]]:
    result = np.full((len(refs), encoder.dim), np.nan, dtype=np.float16)
    failed: dict[int, CurationError] = {}
    clock.lap(None)
    for start, pixels in _batches(refs, root, encoder):
        clock.lap("wait for images")
        good = [(k, p) for k, p in enumerate(pixels) if not isinstance(p, CurationError)]
        failed |= {start + k: p for k, p in enumerate(pixels) if isinstance(p, CurationError)}
        if good:
            batch = torch.stack([p for _, p in good])
            result[[start + k for k, _ in good]] = encoder.encode_images(batch)
        clock.lap("image encoder")
        advance(len(pixels))
    return result, failed


def _batches(
    refs: list[ImageRef], root: Path, encoder: Encoder
) -> Iterator[tuple[int, list[torch.Tensor | CurationError]]]:
    """Batches of preprocessed images, or why there is none, made ahead by a pool of threads.

    Pillow decodes and resizes outside Python's lock, so threads keep every core busy.
    """

    def prepare(ref: ImageRef) -> torch.Tensor | CurationError:
        try:
            # Twice the model's side: reduced decoding then stays finer than the resize after it.
            picture = images.rgb(ref.read(root), at_least=2 * encoder.input_side)
            return encoder.preprocess(images.without_far_ends(picture))
        except CurationError as problem:
            return problem

    workers = os.cpu_count() or 1
    starts = range(0, len(refs), BATCH)
    with ThreadPoolExecutor(workers) as pool:
        ahead: list[tuple[int, list[Future[torch.Tensor | CurationError]]]] = []
        for start in starts:
            ahead.append((start, [pool.submit(prepare, r) for r in refs[start : start + BATCH]]))
            if len(ahead) > 2:
                first, futures = ahead.pop(0)
                yield first, [f.result() for f in futures]
        for first, futures in ahead:
            yield first, [f.result() for f in futures]


def _embed_texts(captions: list[str], encoder: Encoder, clock: _Clock) -> NDArray[np.float16]:
    result = np.empty((len(captions), encoder.dim), dtype=np.float16)
    clock.lap(None)
    for start in range(0, len(captions), 4 * BATCH):
        part = slice(start, start + 4 * BATCH)
        result[part] = encoder.encode_texts(captions[part])
    clock.lap("text encoder")
    return result


def _save(path: Path, array: NDArray[np.float16]) -> None:
    with atomic(path) as partial, partial.open("wb") as file:
        np.save(file, array, allow_pickle=False)
