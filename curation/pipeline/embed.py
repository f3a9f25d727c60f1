"""The embed stage: a shard's samples in, ``embeddings/<model>/`` out.

Each shard gets ``image.npy`` and ``text.npy``, float16 unit rows aligned with its samples,
``skipped.parquet`` with the samples that could not be embedded, and a receipt. It is embedded again
when its samples, the model's weights or precision change. Samples that could not be read are tried
again by the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from curation import formatting
from curation.errors import CurationError, UnreadableError
from curation.executors.base import Executor
from curation.images import location
from curation.images.location import ImageRef
from curation.models.batch_encoder import Clock, Encoding, Rows
from curation.models.devices import workers_each
from curation.models.encoder import Encoder, Encoders
from curation.pipeline.read import write_skipped
from curation.progress import Progress
from curation.readers.base import Skipped
from curation.storage import matrices
from curation.storage.atomic import atomic, fingerprint
from curation.storage.locations import Location
from curation.storage.workspace import Receipt, ShardFolder, Store

# Increase it when the files written change: every shard is then embedded again.
VERSION = 2

SIDES = ("image", "text")

Advance = Callable[[int], object]

_COLUMNS = ["uid", "caption", *location.COLUMNS]


def embed(
    store: Store,
    image_root: Location,
    encoders: Encoders,
    *,
    devices: Sequence[str],
    executor: Executor,
    advance: Advance = lambda _: None,
    to_fetch: Advance = lambda _: None,
) -> list[Receipt]:
    """Embed every shard that is not up to date, in parallel on several devices.

    Args:
        devices: by torch's names; each has its own copy of the model.
        advance: called with how many samples have been worked on, from any thread.
        to_fetch: called with how many images are about to be fetched from the web, if any are.
    """
    made, mark, workers = sides(store), encoders.mark(), workers_each(devices)
    folder = store.embeddings(encoders.spec.slug)
    plans = (_plan(store, n, folder, mark, made) for n in range(store.shard_count()))
    if on_the_web := sum(plan.on_the_web for plan in plans if isinstance(plan, _Plan)):
        to_fetch(on_the_web)

    def task(shard: int, device: str) -> Receipt:
        encoder = encoders.on(device)
        return embed_shard(
            store, shard, image_root, encoder, mark, made=made, workers=workers, advance=advance
        )

    shards = range(store.shard_count())
    receipts = list(executor.map(task, shards, devices))
    folder.trim(len(shards))
    return receipts


def embed_with_progress(
    store: Store,
    image_root: Location,
    encoders: Encoders,
    *,
    devices: Sequence[str],
    executor: Executor,
    label: str,
    progress: Progress,
    unit: str = "sample",
) -> list[Receipt]:
    """``embed`` with a progress bar, and a line about images that are fetched from the web."""

    def to_fetch(images: int) -> None:
        count = formatting.plural(images, "image")
        progress.say(f"Web: {count} to fetch, each from its own address")

    receipts = [store.samples.receipt(shard) for shard in range(store.shard_count())]
    with progress.bar(label, sum(r.rows for r in receipts if r), unit) as bar:
        return embed(
            store,
            image_root,
            encoders,
            devices=devices,
            executor=executor,
            advance=bar.update,
            to_fetch=to_fetch,
        )


def sides(store: Store) -> tuple[str, ...]:
    """The sides to embed: images if any sample has one, texts if any sample has a caption."""

    def any_sample(column: str) -> bool:
        tables = (_samples(store, shard, [column]) for shard in range(store.shard_count()))
        return any(pc.any(pc.not_equal(table.column(column), "")).as_py() for table in tables)

    has_image = any_sample("image_file") or any_sample("url")
    has = {"image": has_image, "text": any_sample("caption")}
    return tuple(side for side in SIDES if has[side])


def embed_shard(
    store: Store,
    shard: int,
    image_root: Location,
    encoder: Encoder,
    model_mark: str,
    *,
    made: Sequence[str] = SIDES,
    workers: int = 1,
    advance: Advance = lambda _: None,
) -> Receipt:
    """Embed one shard unless it is up to date; returns its receipt.

    Writes ``image.npy`` and ``text.npy``, as far as they are to be ``made``, float16 (N, dim). Rows
    are of unit length, or NaN: where a sample has no image or an empty caption, where its image
    cannot be read or decoded, or where its embedding is not finite. The last three are listed as
    skipped. If any could not be read, the next run tries the skipped samples again.

    The receipt's seconds are those of this thread; ``decode`` is the time of each worker, which
    decodes in parallel.
    """
    folder = store.embeddings(encoder.spec.slug)
    clock = Clock()
    with clock.stage("read"):
        plan = _plan(store, shard, folder, model_mark, made)
        if isinstance(plan, Receipt):
            advance(plan.rows)
            return replace(plan, seconds={})
        rows = plan.table.to_pylist()
    if not plan.kept:
        folder.discard(shard)
    work = Encoding(encoder, workers, clock)
    found: dict[str, Rows] = {}
    with encoder.session():
        if "image" in made:
            wanted = plan.wanted["image"]
            refs = [ImageRef.of(row) if wanted[n] else None for n, row in enumerate(rows)]
            found["image"] = work.images(refs, image_root, advance)
        else:
            advance(len(rows))
        if "text" in made:
            wanted = plan.wanted["text"]
            found["text"] = work.texts(
                [row["caption"] if wanted[n] else "" for n, row in enumerate(rows)]
            )
    for side, before in plan.kept.items():
        found[side] = np.where(plan.wanted[side][:, None], found[side], before)
    failed = dict(sorted(work.failed.items()))
    skipped = [Skipped(_where(rows[n]), str(problem)) for n, problem in failed.items()]
    folder.discard(shard)
    with clock.stage("write"):
        for side in SIDES:
            _save(folder.file(shard, f"{side}.npy"), found.get(side))
        write_skipped(folder, shard, skipped, [rows[n]["uid"] for n in failed], list(failed))
    # The read stage could read them, so they may be readable again.
    unreadable = any(isinstance(problem, UnreadableError) for problem in failed.values())
    mark = _to_be_tried_again(plan.mark, list(failed)) if unreadable else plan.mark
    receipt = Receipt(mark, len(rows), len(failed), clock.seconds)
    folder.finish(shard, receipt)
    return receipt


@dataclass(frozen=True)
class _Plan:
    """The part of a shard that is to be embedded.

    Attributes:
        mark: the fingerprint of the shard once no sample remains to be tried again.
        wanted: by side, which samples are to be embedded, (N,).
        kept: by side, the rows of an earlier run, kept for the samples that are not wanted.
    """

    mark: str
    table: pa.Table
    wanted: Mapping[str, NDArray[np.bool_]]
    kept: Mapping[str, Rows]

    @property
    def on_the_web(self) -> int:
        """How many images are fetched from the web."""
        if "image" not in self.wanted:
            return 0
        in_no_file = np.asarray(pc.is_null(self.table.column("image_file")))
        return int((self.wanted["image"] & in_no_file).sum())


def _plan(
    store: Store, shard: int, folder: ShardFolder, model_mark: str, made: Sequence[str]
) -> _Plan | Receipt:
    """The work that remains for a shard, or its receipt where none does."""
    source = store.samples.receipt(shard)
    if source is None:
        raise CurationError(f"shard {shard} has not been read")
    mark = fingerprint(VERSION, source.fingerprint, model_mark, made)
    done = folder.receipt(shard)
    if done is not None and done.fingerprint == mark:
        return done
    table = _samples(store, shard)
    image, url = (pc.is_valid(table.column(name)) for name in ("image_file", "url"))
    caption = pc.fill_null(pc.not_equal(table.column("caption"), ""), False)
    given = {"image": np.asarray(pc.or_(image, url)), "text": np.asarray(caption)}
    wanted = {side: given[side] for side in made}
    kept = {} if done is None else _embedded(folder, shard, made, len(table))
    if done is not None and kept:
        missing = {side: wanted[side] & np.isnan(kept[side][:, 0]) for side in made}
        failed = np.flatnonzero(np.logical_or.reduce(list(missing.values()))).tolist()
        if done.fingerprint == _to_be_tried_again(mark, failed):
            return _Plan(mark, table, missing, kept)
    return _Plan(mark, table, wanted, {})


def _samples(store: Store, shard: int, columns: Sequence[str] = _COLUMNS) -> pa.Table:
    """Columns of a shard's samples, null where an earlier version did not write them."""
    file = pq.ParquetFile(store.samples.file(shard, "parquet"))
    present = [name for name in columns if name in file.schema_arrow.names]
    table = file.read(columns=present)
    for name in columns:
        if name not in present:
            table = table.append_column(name, pa.nulls(len(table), pa.string()))
    return table


def _embedded(folder: ShardFolder, shard: int, made: Sequence[str], count: int) -> dict[str, Rows]:
    """A shard's embeddings by side, memory-mapped; empty if any is missing."""
    try:
        files = {side: folder.file(shard, f"{side}.npy") for side in made}
        rows = {side: np.load(file, mmap_mode="r") for side, file in files.items()}
    except (OSError, ValueError):
        return {}
    return rows if all(len(found) == count for found in rows.values()) else {}


def _to_be_tried_again(mark: str, failed: Sequence[int]) -> str:
    return fingerprint(mark, "to be tried again", failed)


def _where(row: Mapping[str, Any]) -> str:
    return str(row["image_file"] or row["url"] or "")


def _save(path: Path, rows: Rows | None) -> None:
    if rows is None:
        path.unlink(missing_ok=True)
        return
    with atomic(path) as partial:
        matrices.save(partial, rows)
