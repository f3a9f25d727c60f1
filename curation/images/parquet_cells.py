"""Images in the cells of a Parquet file: one column, read a few rows at a time.

Parquet is compressed in pages, so that a cell has no place of its own in the file. Whoever reads
cells one after the other decodes each page once: windows of rows are kept, and a file's next
window goes on where the last ended.
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

# Rows that are decoded together; windows that are kept, and their bytes unless they are the last
# few; files that are kept open.
WINDOW = 32
KEPT = 48
KEPT_BYTES = 1 << 28
FEWEST = 3
OPEN = 4


def read(place: Location, column: str, row: int) -> bytes:
    """The bytes in one cell.

    Args:
        column: the name of a column of bytes, or of 🤗 datasets' images (``bytes``, ``path``).
        row: counted from 0 over the whole file.

    Raises:
        OSError: the file cannot be read.
        CurationError: it has no such column or row, or the cell is empty.
    """
    with _LOCK:
        values, first = _window(place, column, row)
    value = values[row - first].as_py()
    if value is None:
        raise CurationError(f"there is no image in row {row} of {place.name}")
    return bytes(value)


def bytes_of(values: pa.Array) -> pa.Array:
    """The bytes of a column of images, one a row, NULL where there are none."""
    import pyarrow.compute as pc

    return pc.struct_field(values, "bytes") if pa.types.is_struct(values.type) else values


class _Column:
    """A column of an open file, read forwards from the start of a row group."""

    def __init__(self, place: Location, column: str) -> None:
        file = pa.OSFile(str(place)) if locations.is_local(place) else locations.open_binary(place)
        # Not pre-buffered: a row group may be larger than the memory.
        self._file = pq.ParquetFile(file, pre_buffer=False, buffer_size=1 << 20)
        if column not in self._file.schema_arrow.names:
            raise CurationError(f"{place} has no column {column!r} any more")
        self._name = column
        self._place = place
        self._next = self._group_stop = 0
        self._batches = iter(())

    def windows_to(self, row: int) -> Iterator[tuple[int, pa.Array]]:
        """The windows, each with its first row, up to the one that holds the row."""
        if not self._next <= row < self._group_stop:
            self._go_to(row)
        while self._next <= row:
            batch = next(self._batches, None)
            if batch is None:
                raise CurationError(f"{self._place} has fewer rows than it says")
            values = bytes_of(batch.column(0))
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
        raise CurationError(f"{self._place} has no row {row}: it has {start}")


_LOCK = threading.Lock()
_Key = tuple[object, ...]
_OPEN: OrderedDict[_Key, _Column] = OrderedDict()
_KEPT: OrderedDict[tuple[_Key, int], pa.Array] = OrderedDict()


def _window(place: Location, column: str, row: int) -> tuple[pa.Array, int]:
    """The window that holds a row, and its first row."""
    # A file that was replaced is another file; asking a remote one each time would take long.
    version = locations.change_stamp(place) if locations.is_local(place) else ()
    key: _Key = (str(place), column, version)
    for (of, first), values in _KEPT.items():
        if of == key and first <= row < first + len(values):
            _KEPT.move_to_end((of, first))
            return values, first
    try:
        if key not in _OPEN:
            _OPEN[key] = _Column(place, column)
        _OPEN.move_to_end(key)
        while len(_OPEN) > OPEN:
            _OPEN.popitem(last=False)
        for first, values in _OPEN[key].windows_to(row):
            _keep((key, first), values)
    except Exception as error:
        # What has failed half-way does not go on.
        _OPEN.pop(key, None)
        if isinstance(error, pa.ArrowException):
            raise CurationError(f"row {row} of {place.name} cannot be read: {error}") from None
        raise
    return values, first


def _keep(key: tuple[_Key, int], values: pa.Array) -> None:
    _KEPT[key] = values
    while len(_KEPT) > KEPT or (len(_KEPT) > FEWEST and _kept_bytes() > KEPT_BYTES):
        _KEPT.popitem(last=False)


def _kept_bytes() -> int:
    return sum(values.nbytes for values in _KEPT.values())
