"""Arrow files as 🤗 datasets and pyarrow write them, seen without reading what they hold.

Their columns are views of the file's bytes: a local file is mapped, and only what is looked at is
read of it. So every image in one has a place in the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from curation.errors import CurationError
from curation.images import parquet_cells
from curation.readers.shared import rows
from curation.storage import locations
from curation.storage.locations import Location

EXTENSION = ".arrow"

# The start of Arrow's file format; datasets writes the stream format, which has none, but an end.
_MAGIC = b"ARROW1"
_END = b"\xff\xff\xff\xff\0\0\0\0"


@dataclass(frozen=True)
class ArrowFile:
    """An open file.

    Attributes:
        table: its rows, as views of ``whole``.
        whole: all its bytes.
    """

    place: Location
    table: pa.Table
    whole: pa.Buffer

    def ranges(self, column: pa.ChunkedArray) -> Iterator[tuple[int, int] | None]:
        """Offset and length in the file of each image of a column of ``table``; None of NULL.

        Raises:
            CurationError: they do not lie in the file.
        """
        for chunk in column.chunks:
            images = parquet_cells.bytes_of(chunk)
            if not len(images):
                continue
            _, offsets, data = images.buffers()
            kind = np.int64 if pa.types.is_large_binary(images.type) else np.int32
            ends = np.frombuffer(offsets, kind)[images.offset : images.offset + len(images) + 1]
            if data is None or not data.size:
                first = 0
            elif _is_within(data, self.whole):
                first = data.address - self.whole.address
            else:
                raise _compressed(self.place)
            there = images.is_valid().to_numpy(zero_copy_only=False)
            for start, stop, is_there in zip(
                ends[:-1].tolist(), ends[1:].tolist(), there, strict=True
            ):
                yield (first + start, stop - start) if is_there else None


def opened(place: Location) -> ArrowFile:
    """Open a file in Arrow's stream or file format; a remote one is read as a whole.

    Raises:
        CurationError: it cannot be read, ends early, or is compressed.
    """
    with locations.translate_errors(place):
        try:
            if isinstance(place, Path):
                whole = pa.memory_map(str(place)).read_buffer()
            else:
                whole = pa.py_buffer(locations.read_range(place))
            source = pa.BufferReader(whole)
            batches: Iterator[pa.RecordBatch]
            if whole.slice(0, len(_MAGIC)).to_pybytes() == _MAGIC:
                file = pa.ipc.open_file(source)
                schema = file.schema
                batches = map(file.get_batch, range(file.num_record_batches))
            else:
                stream = pa.ipc.open_stream(source)
                schema, batches = stream.schema, _stream(place, stream, source)
            found = []
            for batch in batches:
                # Or each would be unpacked, one after the other, until the memory is full.
                if any(not _is_within(b, whole) for c in batch.columns for b in c.buffers() if b):
                    raise _compressed(place)
                found.append(batch)
        except (pa.ArrowException, OSError) as error:
            raise CurationError(f"{place} cannot be read as an Arrow file: {error}") from None
    table = pa.Table.from_batches(found, schema).rename_columns(rows.names(schema.names))
    return ArrowFile(place, table.replace_schema_metadata(schema.metadata), whole)


def _stream(
    place: Location, stream: pa.RecordBatchReader, source: pa.BufferReader
) -> Iterator[pa.RecordBatch]:
    yield from stream
    # A stream that breaks off between two batches looks like one that is over.
    source.seek(max(source.tell() - len(_END), 0))
    if source.read(len(_END)) != _END:
        raise CurationError(f"{place} ends early: fetch or save it again")


def _is_within(part: pa.Buffer, whole: pa.Buffer) -> bool:
    start = part.address - whole.address
    return not part.size or (start >= 0 and start + part.size <= whole.size)


def _compressed(place: Location) -> CurationError:
    return CurationError(
        f"{place} is compressed: images are read in their place, so save it without compression, "
        "as save_to_disk of 🤗 datasets does"
    )
