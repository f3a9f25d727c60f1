"""The embed stage of a source that brings its embeddings: checked, and used where they lie."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from curation import formatting
from curation.errors import CurationError
from curation.executors.base import Executor
from curation.pipeline.read import write_skipped
from curation.progress import Progress
from curation.readers.base import BringsEmbeddings, Skipped, SourceShard
from curation.scores.shared.normalize import check
from curation.storage import matrices
from curation.storage.atomic import atomic, fingerprint
from curation.storage.matrices import Matrix, Rows, open_matrix
from curation.storage.workspace import Receipt, ShardFolder, Store, Workspace, write_toml

# Raise it when what is written changes, so that old shards are looked over again.
VERSION = 1

# The temperature of OpenAI's models, whose embeddings most ready-made ones are.
TEMPERATURE = 0.01

_SIDES = ("image", "text")


def adopt(
    workspace: Workspace,
    reader: BringsEmbeddings,
    shards: Sequence[SourceShard],
    executor: Executor,
    progress: Progress,
) -> list[Receipt]:
    """Take up the embeddings that a source brings, and say what is odd about them.

    Raises:
        CurationError: as ``adopt_shard`` does, or a shard's embeddings have another length.
    """
    folder = workspace.embeddings(reader.features)
    receipts: list[Receipt] = []
    with progress.bar("Checking embeddings", len(shards), "shard") as bar:
        for receipt in executor.map(partial(adopt_shard, workspace, reader), shards):
            receipts.append(receipt)
            bar.update(1)
    folder.trim(len(shards))
    widths = [open_place(place(folder, shard.index, "image")).shape[1] for shard in shards]
    for shard, width in zip(shards, widths, strict=True):
        if width != widths[0]:
            raise CurationError(
                f"the embeddings of {shard.path.name} have length {width}, those of "
                f"{shards[0].path.name} {widths[0]}"
            )
    progress.say(
        f"Embeddings: {reader.features}, ready-made, {widths[0]} dimensions, "
        f"temperature {TEMPERATURE:.4g} unless given"
    )
    if others := sum(receipt.not_unit for receipt in receipts):
        total = 2 * sum(receipt.rows for receipt in receipts)
        progress.warn(
            f"{formatting.count(others)} of {formatting.count(total)} "
            "embeddings are not of unit length: "
            "they are brought to it"
        )
    if missing := sum(receipt.skipped for receipt in receipts):
        progress.warn(
            f"{formatting.plural(missing, 'sample')} without scores, whose embeddings are zero or "
            "not finite; `info --skipped` lists them"
        )
    write_toml(
        folder.path / "model.toml",
        {
            "name": reader.features,
            "dim": widths[0],
            "temperature": TEMPERATURE,
            "precision": "ready-made",
        },
    )
    return receipts


def adopt_shard(
    store: Store, reader: BringsEmbeddings, shard: SourceShard, device: str = "cpu"
) -> Receipt:
    """Take up a shard's embeddings unless that has been done; returns its receipt.

    Those that can be memory-mapped stay where they are; compressed ones are unpacked once. Rows
    that are zero or not finite have no score: they are listed beside, and counted as skipped.

    Raises:
        CurationError: there are not as many rows as samples, or the sides differ in length.
    """
    source = store.samples.receipt(shard.index)
    if source is None:
        raise CurationError(f"shard {shard.index} has not been read")
    folder = store.embeddings(reader.features)
    places = reader.embeddings(shard)
    members = [places[side].member for side in _SIDES]
    mark = fingerprint(VERSION, source.fingerprint, members)
    done = folder.receipt(shard.index)
    if done is not None and done.fingerprint == mark:
        return replace(done, seconds={})
    folder.discard(shard.index)
    opened = {side: places[side].open() for side in _SIDES}
    shapes = {rows.shape for rows in opened.values()}
    if len(shapes) > 1 or next(iter(shapes))[0] != source.rows:
        told = " and ".join(f"{places[s].name} {opened[s].shape}" for s in _SIDES)
        raise CurationError(
            f"{places['image'].file} holds {told}; {shard.path.name} beside it has "
            f"{source.rows} rows"
        )
    reasons: dict[int, str] = {}
    not_unit = 0
    for side, noun in (("text", "caption"), ("image", "image")):
        found = check(opened[side])
        not_unit += found.not_unit
        reasons |= dict.fromkeys(found.zero.tolist(), f"its {noun}'s embedding is zero")
        reasons |= dict.fromkeys(found.not_finite.tolist(), f"its {noun}'s embedding is not finite")
    _keep(folder, shard.index, places, opened)
    _list(store, folder, shard, dict(sorted(reasons.items())))
    receipt = Receipt(mark, source.rows, len(reasons), {}, not_unit)
    folder.finish(shard.index, receipt)
    return receipt


def place(folder: ShardFolder, shard: int, side: str) -> Path | Matrix:
    """Where a shard's embeddings lie: in the workspace, or where the source has them."""
    mapped = folder.file(shard, "source.json")
    if mapped.is_file():
        told = json.loads(mapped.read_text()).get(side)
        if told is not None:
            return Matrix(Path(told["file"]), told["member"])
    return folder.file(shard, f"{side}.npy")


def open_place(found: Path | Matrix) -> Rows:
    """The embeddings there, (N, d), memory-mapped."""
    return open_matrix(found) if isinstance(found, Path) else found.open()


def _keep(
    folder: ShardFolder, shard: int, places: Mapping[str, Matrix], opened: Mapping[str, Any]
) -> None:
    mapped: dict[str, dict[str, str | None]] = {}
    for side, rows in opened.items():
        copy = folder.file(shard, f"{side}.npy")
        if isinstance(rows, np.memmap):
            copy.unlink(missing_ok=True)
            mapped[side] = {"file": str(places[side].file), "member": places[side].member}
            continue
        with atomic(copy) as partial:
            matrices.save(partial, rows)
    with atomic(folder.file(shard, "source.json")) as partial:
        partial.write_text(json.dumps(mapped))


def _list(
    store: Store, folder: ShardFolder, shard: SourceShard, reasons: Mapping[int, str]
) -> None:
    table = pq.read_table(store.samples.file(shard.index, "parquet"), columns=["uid"])
    rows = [Skipped(f"{shard.path.name} row {n + 1}", reason) for n, reason in reasons.items()]
    listed = [table.column("uid")[n].as_py() for n in reasons]
    write_skipped(folder, shard.index, rows, listed, list(reasons), "unscored.parquet")
