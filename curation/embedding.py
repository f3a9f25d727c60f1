"""The embed stage: a shard's images and captions into unit rows, float16, aligned with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation import image_ref
from curation.devices import workers_each
from curation.encoder import Encoder, Encoders
from curation.encoding import Clock, Encoding, Rows
from curation.errors import CurationError, UnreadableError
from curation.executors.base import Executor
from curation.files import atomic, fingerprint
from curation.image_ref import ImageRef
from curation.places import Place
from curation.readers.base import Skipped
from curation.reading import write_skipped
from curation.workspace import Receipt, Store

# Raise it when what the embed stage writes changes, so that old shards are embedded again.
VERSION = 2

SIDES = ("image", "text")

Advance = Callable[[int], object]

_COLUMNS = ["uid", "caption", *image_ref.COLUMNS]


def embed(
    store: Store,
    image_root: Place,
    encoders: Encoders,
    *,
    devices: Sequence[str],
    executor: Executor,
    advance: Advance = lambda _: None,
) -> list[Receipt]:
    """Embed every shard of a store that has not been, side by side on several devices.

    Args:
        devices: by torch's names; each has its own copy of the model.
        advance: called with how many samples have been worked on, from any thread.
    """
    made, mark, workers = sides(store), encoders.mark(), workers_each(devices)

    def task(shard: int, device: str) -> Receipt:
        encoder = encoders.on(device)
        return embed_shard(
            store, shard, image_root, encoder, mark, made=made, workers=workers, advance=advance
        )

    shards = range(store.shard_count())
    receipts = list(executor.map(task, shards, devices))
    store.embeddings(encoders.spec.slug).trim(len(shards))
    return receipts


def sides(store: Store) -> tuple[str, ...]:
    """What of a store is to be embedded: images if any sample has one, texts if any a caption."""

    def any_sample(column: str) -> bool:
        files = (store.samples.file(n, "parquet") for n in range(store.shard_count()))
        tables = (pq.read_table(file, columns=[column]) for file in files)
        return any(pc.any(pc.not_equal(table.column(column), "")).as_py() for table in tables)

    has_image = any_sample("image_file") or any_sample("url")
    has = {"image": has_image, "text": any_sample("caption")}
    return tuple(side for side in SIDES if has[side])


def embed_shard(
    store: Store,
    shard: int,
    image_root: Place,
    encoder: Encoder,
    model_mark: str,
    *,
    made: Sequence[str] = SIDES,
    workers: int = 1,
    advance: Advance = lambda _: None,
) -> Receipt:
    """Embed one shard unless that has been done; returns its receipt.

    Writes ``image.npy`` and ``text.npy``, as far as they are to be ``made``, float16 (N, dim). Rows
    are unit length, or NaN: of a sample without an image, with an empty caption, or whose image
    does not decode or whose embedding is not finite; the last two are listed as skipped.

    The receipt's seconds are those of this thread, and ``decode``: what each of the workers spent
    beside it.
    """
    source = store.samples.receipt(shard)
    if source is None:
        raise CurationError(f"shard {shard} has not been read")
    folder = store.embeddings(encoder.spec.slug)
    mark = fingerprint(VERSION, source.fingerprint, model_mark, made)
    done = folder.receipt(shard)
    if done is not None and done.fingerprint == mark:
        advance(source.rows)
        return replace(done, seconds={})
    folder.discard(shard)
    clock = Clock()
    with clock.stage("read"):
        table = pq.read_table(store.samples.file(shard, "parquet"), columns=_COLUMNS)
        rows = table.to_pylist()
        refs = [ImageRef.of(row) for row in rows]
    work = Encoding(encoder, workers, clock)
    found: dict[str, Rows] = {}
    with encoder.session():
        if "image" in made:
            found["image"] = work.images(refs, image_root, advance)
        else:
            advance(len(rows))
        if "text" in made:
            found["text"] = work.texts([row["caption"] or "" for row in rows])
    failed = dict(sorted(work.failed.items()))
    skipped = [Skipped(_where(rows[n]), str(problem)) for n, problem in failed.items()]
    with clock.stage("write"):
        for side in SIDES:
            _save(folder.file(shard, f"{side}.npy"), found.get(side))
        write_skipped(folder, shard, skipped, [rows[n]["uid"] for n in failed])
    if any(isinstance(problem, UnreadableError) for problem in failed.values()):
        # They could be read a stage ago: a disk that went away may come back.
        mark = fingerprint(mark, "to be tried again", list(failed))
    receipt = Receipt(mark, len(rows), len(failed), clock.seconds)
    folder.finish(shard, receipt)
    return receipt


def _where(row: Mapping[str, Any]) -> str:
    return str(row["image_file"] or row["url"] or "")


def _save(path: Path, rows: Rows | None) -> None:
    if rows is None:
        path.unlink(missing_ok=True)
        return
    with atomic(path) as partial, partial.open("wb") as file:
        np.save(file, rows, allow_pickle=False)
