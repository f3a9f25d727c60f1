"""The embed stage of a source that brings its own embeddings: they are checked and used in place.

In: a shard's samples and the source's embeddings of them. Out, in ``embeddings/<features>/``:
``source.json`` with the files to map, or ``image.npy`` and ``text.npy`` unpacked from compressed
files; ``unscored.parquet`` with the rows that cannot be scored; a receipt. A shard is checked again
when its samples change, or other members of its files are used.
"""

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

# Increase it when the files written change: every shard is then checked again.
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
    """Check the embeddings of every shard, and warn of those that are unusual.

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
    widths = [open_rows(location(folder, shard.index, "image")).shape[1] for shard in shards]
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
    if not_unit := sum(receipt.not_unit for receipt in receipts):
        total = 2 * sum(receipt.rows for receipt in receipts)
        progress.warn(
            f"{formatting.count(not_unit)} of {formatting.count(total)} "
            "embeddings are not of unit length and are normalized"
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
    """Check a shard's embeddings unless that was done before; returns its receipt.

    Files that can be memory-mapped are used in place; compressed ones are unpacked once. Rows that
    are zero or not finite get no score: they are listed, and counted as skipped.

    Raises:
        CurationError: the number of rows is not that of the samples, or the sides differ in shape.
    """
    source = store.samples.receipt(shard.index)
    if source is None:
        raise CurationError(f"shard {shard.index} has not been read")
    folder = store.embeddings(reader.features)
    matrices_by_side = reader.embeddings(shard)
    members = [matrices_by_side[side].member for side in _SIDES]
    mark = fingerprint(VERSION, source.fingerprint, members)
    done = folder.receipt(shard.index)
    if done is not None and done.fingerprint == mark:
        return replace(done, seconds={})
    folder.discard(shard.index)
    opened = {side: matrices_by_side[side].open() for side in _SIDES}
    shapes = {rows.shape for rows in opened.values()}
    if len(shapes) > 1 or next(iter(shapes))[0] != source.rows:
        shown = " and ".join(f"{matrices_by_side[s].name} {opened[s].shape}" for s in _SIDES)
        raise CurationError(
            f"{matrices_by_side['image'].file} holds {shown}; {shard.path.name} has "
            f"{source.rows} rows"
        )
    reasons: dict[int, str] = {}
    not_unit = 0
    for side, noun in (("text", "caption"), ("image", "image")):
        found = check(opened[side])
        not_unit += found.not_unit
        reasons |= dict.fromkeys(found.zero.tolist(), f"its {noun}'s embedding is zero")
        reasons |= dict.fromkeys(found.not_finite.tolist(), f"its {noun}'s embedding is not finite")
    _write(folder, shard.index, matrices_by_side, opened)
    _write_unscored(store, folder, shard, dict(sorted(reasons.items())))
    receipt = Receipt(mark, source.rows, len(reasons), {}, not_unit)
    folder.finish(shard.index, receipt)
    return receipt


def location(folder: ShardFolder, shard: int, side: str) -> Path | Matrix:
    """The file of a shard's embeddings: a .npy of the workspace, or a matrix of the source."""
    mapped = folder.file(shard, "source.json")
    if mapped.is_file():
        matrix = json.loads(mapped.read_text()).get(side)
        if matrix is not None:
            return Matrix(Path(matrix["file"]), matrix["member"])
    return folder.file(shard, f"{side}.npy")


def open_rows(location: Path | Matrix) -> Rows:
    """The embeddings of a location, (N, d), memory-mapped."""
    return open_matrix(location) if isinstance(location, Path) else location.open()


def _write(
    folder: ShardFolder, shard: int, sources: Mapping[str, Matrix], opened: Mapping[str, Any]
) -> None:
    """Record the files that are mapped, and unpack the others."""
    mapped: dict[str, dict[str, str | None]] = {}
    for side, rows in opened.items():
        copy = folder.file(shard, f"{side}.npy")
        if isinstance(rows, np.memmap):
            copy.unlink(missing_ok=True)
            mapped[side] = {"file": str(sources[side].file), "member": sources[side].member}
            continue
        with atomic(copy) as partial:
            matrices.save(partial, rows)
    with atomic(folder.file(shard, "source.json")) as partial:
        partial.write_text(json.dumps(mapped))


def _write_unscored(
    store: Store, folder: ShardFolder, shard: SourceShard, reasons: Mapping[int, str]
) -> None:
    table = pq.read_table(store.samples.file(shard.index, "parquet"), columns=["uid"])
    rows = [Skipped(f"{shard.path.name} row {n + 1}", reason) for n, reason in reasons.items()]
    uids = [table.column("uid")[n].as_py() for n in reasons]
    write_skipped(folder, shard.index, rows, uids, list(reasons), "unscored.parquet")
