"""What an export will look like and how large it will be: a few of its samples, written aside."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation import formatting, uids
from curation.catalog.catalog import Catalog
from curation.exporters import EXPORTERS, manifest
from curation.exporters.base import SHARD_SIZE, Exporter, Look, Order
from curation.selection.select import Selection
from curation.storage import locations

SHOWN = 8
# Samples that a size is estimated from: of tables, and of what holds images.
ROWS, IMAGES = 1000, 100


@dataclass(frozen=True)
class Size:
    """How many bytes an export will take, without its recipe and manifest."""

    bytes: int
    is_exact: bool

    def __str__(self) -> str:
        """19.3 kB, about 42 MB"""
        if self.is_exact:
            return formatting.file_size(self.bytes)
        rounded = round(self.bytes, 2 - len(str(self.bytes)))
        return f"about {formatting.file_size(rounded)}"


def look(
    catalog: Catalog,
    selection: Selection,
    format: str,
    columns: Sequence[str],
    shard_size: int = SHARD_SIZE,
) -> Look | None:
    """The first samples of an export as its format writes them.

    None where that would mean to fetch images: they are not on this machine.

    Raises:
        CurationError: not one of them can be written.
    """
    exporter = EXPORTERS[format]
    rowids = _first(selection, exporter)
    if not _are_here(catalog, exporter, rowids):
        return None
    with _written(catalog, selection, exporter, columns, shard_size, rowids) as path:
        return exporter.look(path)


def size(
    catalog: Catalog,
    selection: Selection,
    format: str,
    columns: Sequence[str],
    shard_size: int = SHARD_SIZE,
) -> Size | None:
    """How large an export will be, by samples from all over it.

    None where that would mean to fetch images: they are not on this machine.

    Raises:
        CurationError: not one of those samples can be written.
    """
    exporter = EXPORTERS[format]
    every = _members(selection)
    count = len(every)
    each = exporter.uid_bytes if list(columns) == ["uid"] else None
    if each is not None and count:
        with _written(catalog, selection, exporter, columns, shard_size, every[:1]) as path:
            return Size(_bytes(path) + (count - 1) * each, True)
    wanted = ROWS if exporter.extension else IMAGES
    # From all over: sources differ, and lie one after the other.
    rowids = every[np.linspace(0, count - 1, min(wanted, count)).astype(np.int64)]
    if not _are_here(catalog, exporter, rowids):
        return None
    with _written(catalog, selection, exporter, columns, shard_size, rowids) as path:
        return Size(round(_bytes(path) * count / max(len(rowids), 1)), False)


@dataclass(frozen=True)
class _Few(Order):
    """An order of a few samples, which reads no more of the catalog than them."""

    rowids: tuple[int, ...] = ()

    def batches(self) -> pa.RecordBatchReader:
        schema = self.catalog.batches(self.columns, np.zeros(len(self.catalog), bool)).schema
        rows = pa.Table.from_pylist(self.catalog.rows(self.rowids), schema)
        return pa.RecordBatchReader.from_batches(schema, rows.combine_chunks().to_batches())


@contextmanager
def _written(
    catalog: Catalog,
    selection: Selection,
    exporter: Exporter,
    columns: Sequence[str],
    shard_size: int,
    rowids: NDArray[np.int64],
) -> Iterator[Path]:
    """An export of these samples only, in a folder that goes again."""
    times = np.zeros_like(selection.times)
    np.add.at(times, rowids, 1)
    order = _Few(
        catalog=catalog,
        selection=replace(selection, times=times),
        columns=columns,
        image_root=locations.of(catalog.dataset.image_root),
        shard_size=shard_size,
        rowids=tuple(rowids.tolist()),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"trial{exporter.extension}"
        exporter.write(order, path)
        yield path


def _members(selection: Selection) -> NDArray[np.int64]:
    """The rowids of what is selected, as often as it is."""
    rows = np.flatnonzero(selection.mask)
    return rows if len(rows) == selection.count else np.repeat(rows, selection.times[rows])


def _first(selection: Selection, exporter: Exporter) -> NDArray[np.int64]:
    every = _members(selection)
    if exporter.sorts:
        every = every[uids.order(selection.catalog.words_of(every))]
    return every[:SHOWN]


def _are_here(catalog: Catalog, exporter: Exporter, rowids: NDArray[np.int64]) -> bool:
    """Whether all that is to be read of these samples lies on this machine."""
    if exporter.extension or not catalog.images.with_url:
        return bool(exporter.extension) or locations.is_local(
            locations.of(catalog.dataset.image_root)
        )
    return locations.is_local(locations.of(catalog.dataset.image_root)) and all(
        row["image_file"] is not None for row in catalog.rows(rowids)
    )


def _bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in manifest.files_of(path))
