"""The read stage: a shard of the source in, ``samples/`` out.

Each shard gets a Parquet file with a row for each usable sample, ``skipped.parquet`` with the rest,
and a receipt. It is read again when the part of the source that it covers changes, when samples
were skipped and the image root is another one now, or when a skipped sample may be readable later.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq

from curation.readers.base import Reader, Skipped, SourceShard
from curation.storage.atomic import atomic, fingerprint
from curation.storage.workspace import Receipt, ShardFolder, Store

# Increase it when the files written change: every shard is then read again.
VERSION = 2

SKIPPED_SCHEMA = pa.schema(
    [("where", pa.string()), ("uid", pa.string()), ("reason", pa.string()), ("row", pa.int64())]
)


def read_shard(store: Store, reader: Reader, shard: SourceShard, device: str = "cpu") -> Receipt:
    """Read one shard unless it has been read; returns its receipt."""
    folder = store.samples
    mark = fingerprint(VERSION, reader.name, shard.fingerprint)
    # With another image root, samples that were skipped may be readable.
    rooted = fingerprint(mark, str(reader.image_root))
    done = folder.receipt(shard.index)
    if done is not None and not done.again and done.source == (rooted if done.skipped else mark):
        return replace(done, seconds={})
    folder.discard(shard.index)
    began = time.perf_counter()
    found = reader.read(shard)
    with atomic(folder.file(shard.index, "parquet")) as partial:
        pq.write_table(found.samples, partial)
    write_skipped(folder, shard.index, found.skipped)
    source = rooted if found.skipped else mark
    again = any(skipped.is_retryable for skipped in found.skipped)
    # Retrying changes the receipt, and so the later stages, only if it finds other samples.
    retried = found.samples.column("uid").to_pylist() if again else None
    receipt = Receipt(
        fingerprint(source, retried),
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
    """Write the list of a shard's skipped samples, or delete it where there are none.

    Args:
        uids, rows: the uids and row numbers in the shard of samples that were read.
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
