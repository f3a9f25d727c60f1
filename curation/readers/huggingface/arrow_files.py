"""Arrow files as 🤗 datasets and pyarrow write them, opened without reading their content.

Columns are views of the file's bytes. A local file is memory-mapped, so only the parts that are
used are read, and every image is a range of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from curation.errors import CurationError
from curation.images import parquet_cells
from curation.readers.shared import table_files
from curation.storage import locations
from curation.storage.locations import Location

EXTENSION = ".arrow"

# Arrow's file format starts with a magic number. The stream format, which datasets writes, has
# only an end marker.
_MAGIC = b"ARROW1"
_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"


@dataclass(frozen=True)
class ArrowFile:
    """An open Arrow file.

    Attributes:
        table: its rows, as views of ``content``.
        content: all its bytes.
    """

    path: Location
    table: pa.Table
    content: pa.Buffer

    def image_ranges(self, column: pa.ChunkedArray) -> Iterator[tuple[int, int] | None]:
        """Offset and length in the file of each image in a column; None for NULL.

        Args:
            column: a column of ``table``, of bytes or of records with ``bytes``.

        Raises:
            CurationError: the images are not in the file as they are.
        """
        for chunk in column.chunks:
            images = parquet_cells.image_bytes(chunk)
            if not len(images):
                continue
            _, offsets, data = images.buffers()
            kind = np.int64 if pa.types.is_large_binary(images.type) else np.int32
            ends = np.frombuffer(offsets, kind)[images.offset : images.offset + len(images) + 1]
            if data is None or not data.size:
                base = 0
            elif _is_within(data, self.content):
                base = data.address - self.content.address
            else:
                raise _compressed_error(self.path)
            is_valid = images.is_valid().to_numpy(zero_copy_only=False)
            for start, stop, valid in zip(
                ends[:-1].tolist(), ends[1:].tolist(), is_valid, strict=True
            ):
                yield (base + start, stop - start) if valid else None


def open_arrow(path: Location) -> ArrowFile:
    """Open a file in Arrow's stream or file format; a remote file is read completely.

    Raises:
        CurationError: the file cannot be read, is truncated, or is compressed.
    """
    with locations.translate_errors(path):
        try:
            if isinstance(path, Path):
                content = pa.memory_map(str(path)).read_buffer()
            else:
                content = pa.py_buffer(locations.read_range(path))
            source = pa.BufferReader(content)
            batches: Iterator[pa.RecordBatch]
            if content.slice(0, len(_MAGIC)).to_pybytes() == _MAGIC:
                file = pa.ipc.open_file(source)
                schema = file.schema
                batches = map(file.get_batch, range(file.num_record_batches))
            else:
                stream = pa.ipc.open_stream(source)
                schema, batches = stream.schema, _read_stream(path, stream, source)
            checked = []
            for batch in batches:
                # Checked for each batch, before decompressing all of them fills the memory.
                buffers = (buffer for column in batch.columns for buffer in column.buffers())
                if not all(_is_within(buffer, content) for buffer in buffers if buffer):
                    raise _compressed_error(path)
                checked.append(batch)
        except (pa.ArrowException, OSError) as error:
            raise CurationError(f"{path} cannot be read as an Arrow file: {error}") from None
    table = pa.Table.from_batches(checked, schema)
    table = table.rename_columns(table_files.column_names(schema.names))
    return ArrowFile(path, table.replace_schema_metadata(schema.metadata), content)


def _read_stream(
    path: Location, stream: pa.RecordBatchReader, source: pa.BufferReader
) -> Iterator[pa.RecordBatch]:
    yield from stream
    # pyarrow accepts a stream that is truncated between two batches.
    source.seek(max(source.tell() - len(_END_OF_STREAM), 0))
    if source.read(len(_END_OF_STREAM)) != _END_OF_STREAM:
        raise CurationError(f"{path} is truncated: download or save it again")


def _is_within(part: pa.Buffer, content: pa.Buffer) -> bool:
    start = part.address - content.address
    return not part.size or (start >= 0 and start + part.size <= content.size)


def _compressed_error(path: Location) -> CurationError:
    return CurationError(
        f"{path} is compressed, but images are read directly from the file: save it without "
        "compression, as save_to_disk of 🤗 datasets does"
    )
