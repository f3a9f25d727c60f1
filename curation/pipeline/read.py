"""The read stage: a source's shards into ``samples/``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq

from curation.readers.base import Reader, Skipped, SourceShard
from curation.storage.atomic import atomic, fingerprint
from curation.storage.workspace import Receipt, ShardFolder, Store

# Raise it when what the read stage writes changes, so that old shards are read again.
VERSION = 2

SKIPPED_SCHEMA = pa.schema(
    [("where", pa.string()), ("uid", pa.string()), ("reason", pa.string()), ("row", pa.int64())]
)


def read_shard(store: Store, reader: Reader, shard: SourceShard, device: str = "cpu") -> Receipt:
    """Read one shard unless it has been read; returns its receipt."""
    folder = store.samples
    mark = fingerprint(VERSION, reader.name, shard.fingerprint)
    # What was skipped may have been sought in the wrong place: then the place counts too.
    placed = fingerprint(mark, str(reader.image_root))
    done = folder.receipt(shard.index)
    if done is not None and not done.again and done.source == (placed if done.skipped else mark):
        return replace(done, seconds={})
    folder.discard(shard.index)
    began = time.perf_counter()
    found = reader.read(shard)
    with atomic(folder.file(shard.index, "parquet")) as partial:
        pq.write_table(found.samples, partial)
    write_skipped(folder, shard.index, found.skipped)
    source = placed if found.skipped else mark
    again = any(skipped.is_retryable for skipped in found.skipped)
    # What comes of another try decides whether the stages after this one are to follow.
    came = found.samples.column("uid").to_pylist() if again else None
    receipt = Receipt(
        fingerprint(source, came),
        len(found.samples),
        len(found.skipped),
        {"read": time.perf_counter() - began},
        source=source,
        again=again,
    )
    folder.finish(shard.index, receipt)
    return receipt


def write_skipped(
    folder: ShardFolder,
    shard: int,
    skipped: Sequence[Skipped],
    uids: Sequence[str] = (),
    rows: Sequence[int] = (),
    suffix: str = "skipped.parquet",
) -> None:
    """List a shard's skipped samples beside it, if there are any.

    Args:
        uids, rows: of samples that have been read, theirs, and their place in the shard.
    """
    path = folder.file(shard, suffix)
    if not skipped:
        path.unlink(missing_ok=True)
        return
    columns = [
        pa.array([s.where for s in skipped], pa.string()),
        pa.array(list(uids) if uids else [None] * len(skipped), pa.string()),
        pa.array([s.reason for s in skipped], pa.string()),
        pa.array(list(rows) if rows else [None] * len(skipped), pa.int64()),
    ]
    with atomic(path) as partial:
        pq.write_table(pa.Table.from_arrays(columns, schema=SKIPPED_SCHEMA), partial)
