"""Images in the cells of a Parquet file.

Parquet compresses pages of rows, so a cell is not a range of bytes in the file. To decode each
page only once when cells are read in order, windows of rows are cached, and the next window of a
file continues where the last one ended.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from curation.errors import CurationError
from curation.storage import locations
from curation.storage.locations import Location

# Rows that are decoded together.
WINDOW = 32
# Limits of the cache: windows, and their bytes if there are more than a few windows.
MAX_WINDOWS = 48
MAX_BYTES = 1 << 28
MIN_WINDOWS = 3
# Files that are kept open.
MAX_OPEN = 4


def read(path: Location, column: str, row: int) -> bytes:
    """The bytes in one cell.

    Args:
        path: a Parquet file.
        column: a column of bytes, or of records with ``bytes`` as 🤗 datasets writes images.
        row: counted from 0 over the whole file.

    Raises:
        OSError: the file cannot be read.
        CurationError: the file has no such column or row, or the cell is NULL.
    """
    with _LOCK:
        values, first = _window(path, column, row)
    value = values[row - first].as_py()
    if value is None:
        raise CurationError(f"no image: row {row} of {path.name}")
    return bytes(value)


def image_bytes(values: pa.Array) -> pa.Array:
    """The bytes of each image in a column of bytes or records; NULL for a missing image."""
    import pyarrow.compute as pc

    return pc.struct_field(values, "bytes") if pa.types.is_struct(values.type) else values


class _Column:
    """A column of an open file, read in order from the start of a row group."""

    def __init__(self, path: Location, column: str) -> None:
        file = pa.OSFile(str(path)) if locations.is_local(path) else locations.open_binary(path)
        # Without pre-buffering, because a row group may be larger than the memory.
        self._file = pq.ParquetFile(file, pre_buffer=False, buffer_size=1 << 20)
        if column not in self._file.schema_arrow.names:
            raise CurationError(f"{path} no longer has a column {column!r}: read the dataset again")
        self._name = column
        self._path = path
        self._next = self._group_stop = 0
        self._batches = iter(())

    def windows_to(self, row: int) -> Iterator[tuple[int, pa.Array]]:
        """Windows, each with the number of its first row, up to the one with ``row``."""
        if not self._next <= row < self._group_stop:
            self._go_to(row)
        while self._next <= row:
            batch = next(self._batches, None)
            if batch is None:
                raise CurationError(
                    f"{self._path} is damaged: it has fewer rows than its metadata says"
                )
            values = image_bytes(batch.column(0))
            first, self._next = self._next, self._next + len(values)
            yield first, values

    def _go_to(self, row: int) -> None:
        start = 0
        for group in range(self._file.num_row_groups):
            rows = self._file.metadata.row_group(group).num_rows
            if start <= row < start + rows:
                self._next, self._group_stop = start, start + rows
                self._batches = self._file.iter_batches(
                    WINDOW, row_groups=[group], columns=[self._name], use_threads=False
                )
                return
            start += rows
        raise CurationError(f"{self._path} has no row {row}: it has {start}")


_LOCK = threading.Lock()
_Key = tuple[object, ...]
_OPEN: OrderedDict[_Key, _Column] = OrderedDict()
_WINDOWS: OrderedDict[tuple[_Key, int], pa.Array] = OrderedDict()


def _window(path: Location, column: str, row: int) -> tuple[pa.Array, int]:
    """The window with a row, and the number of its first row."""
    # A replaced file must not be read from the cache. Checking a remote file would be slow.
    version = locations.change_stamp(path) if locations.is_local(path) else ()
    key: _Key = (str(path), column, version)
    for (window_key, first), values in _WINDOWS.items():
        if window_key == key and first <= row < first + len(values):
            _WINDOWS.move_to_end((window_key, first))
            return values, first
    try:
        if key not in _OPEN:
            _OPEN[key] = _Column(path, column)
        _OPEN.move_to_end(key)
        while len(_OPEN) > MAX_OPEN:
            _OPEN.popitem(last=False)
        for first, values in _OPEN[key].windows_to(row):
            _cache((key, first), values)
    except Exception as error:
        # After an error, the position in the file is unknown.
        _OPEN.pop(key, None)
        if isinstance(error, pa.ArrowException):
            raise CurationError(f"row {row} of {path.name} cannot be read: {error}") from None
        raise
    return values, first


def _cache(key: tuple[_Key, int], values: pa.Array) -> None:
    _WINDOWS[key] = values
    while len(_WINDOWS) > MAX_WINDOWS or (
        len(_WINDOWS) > MIN_WINDOWS and _cached_bytes() > MAX_BYTES
    ):
        _WINDOWS.popitem(last=False)


def _cached_bytes() -> int:
    return sum(values.nbytes for values in _WINDOWS.values())
