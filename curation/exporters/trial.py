"""A preview of an export and an estimate of its size, from a few samples in a temporary folder."""

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
from curation.exporters.base import SHARD_SIZE, Exporter, ExportRequest, Preview
from curation.selection.select import Selection
from curation.storage import locations

# Samples in a preview.
SHOWN = 8
# Samples that an estimate takes: of tables and lists, and of formats with images.
ROWS, IMAGES = 1000, 100


@dataclass(frozen=True)
class Size:
    """The size of an export in bytes, without its recipe and manifest."""

    bytes: int
    is_exact: bool

    def __str__(self) -> str:
        """19.3 kB, about 42 MB"""
        if self.is_exact:
            return formatting.file_size(self.bytes)
        rounded = round(self.bytes, 2 - len(str(self.bytes)))
        return f"about {formatting.file_size(rounded)}"


def preview(
    catalog: Catalog,
    selection: Selection,
    format: str,
    columns: Sequence[str],
    shard_size: int = SHARD_SIZE,
) -> Preview | None:
    """The first samples of an export, as the format writes them.

    Returns None if images would have to be downloaded for it.

    Raises:
        CurationError: none of these samples can be written.
    """
    exporter = EXPORTERS[format]
    rowids = _first_rowids(selection, exporter)
    if not _is_local(catalog, exporter, rowids):
        return None
    with _write_trial(catalog, selection, exporter, columns, shard_size, rowids) as path:
        return exporter.preview(path)


def estimate_size(
    catalog: Catalog,
    selection: Selection,
    format: str,
    columns: Sequence[str],
    shard_size: int = SHARD_SIZE,
) -> Size | None:
    """Estimate the size of an export from samples spread evenly over it.

    The size is exact if only uids are written in a format with a fixed size for each. Returns None
    if images would have to be downloaded for the estimate.

    Raises:
        CurationError: none of these samples can be written.
    """
    exporter = EXPORTERS[format]
    every = _rowids(selection)
    count = len(every)
    each = exporter.bytes_per_uid if list(columns) == ["uid"] else None
    if each is not None and count:
        with _write_trial(catalog, selection, exporter, columns, shard_size, every[:1]) as path:
            return Size(_size_of(path) + (count - 1) * each, True)
    limit = ROWS if exporter.extension else IMAGES
    # Spread over the whole selection, because parts of a dataset differ.
    rowids = every[np.linspace(0, count - 1, min(limit, count)).astype(np.int64)]
    if not _is_local(catalog, exporter, rowids):
        return None
    with _write_trial(catalog, selection, exporter, columns, shard_size, rowids) as path:
        return Size(round(_size_of(path) * count / max(len(rowids), 1)), False)


@dataclass(frozen=True)
class _SmallRequest(ExportRequest):
    """A request for a few samples that reads only their rows from the catalog."""

    rowids: tuple[int, ...] = ()

    def batches(self) -> pa.RecordBatchReader:
        schema = self.catalog.batches(self.columns, np.zeros(len(self.catalog), bool)).schema
        rows = pa.Table.from_pylist(self.catalog.rows(self.rowids), schema)
        return pa.RecordBatchReader.from_batches(schema, rows.combine_chunks().to_batches())


@contextmanager
def _write_trial(
    catalog: Catalog,
    selection: Selection,
    exporter: Exporter,
    columns: Sequence[str],
    shard_size: int,
    rowids: NDArray[np.int64],
) -> Iterator[Path]:
    """Export only these samples, to a temporary path that exists within the ``with`` block."""
    copies = np.zeros_like(selection.copies)
    np.add.at(copies, rowids, 1)
    request = _SmallRequest(
        catalog=catalog,
        selection=replace(selection, copies=copies),
        columns=columns,
        image_root=locations.parse(catalog.dataset.image_root),
        shard_size=shard_size,
        rowids=tuple(rowids.tolist()),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"trial{exporter.extension}"
        exporter.write(request, path)
        yield path


def _rowids(selection: Selection) -> NDArray[np.int64]:
    """The rowids of the selected samples, repeats kept."""
    rows = np.flatnonzero(selection.mask)
    return rows if len(rows) == selection.count else np.repeat(rows, selection.copies[rows])


def _first_rowids(selection: Selection, exporter: Exporter) -> NDArray[np.int64]:
    every = _rowids(selection)
    if exporter.sorts_by_uid:
        every = every[uids.order(selection.catalog.uids.words_of(every))]
    return every[:SHOWN]


def _is_local(catalog: Catalog, exporter: Exporter, rowids: NDArray[np.int64]) -> bool:
    """Whether these samples can be exported without reading from another machine."""
    if exporter.extension:
        return True
    if not locations.is_local(locations.parse(catalog.dataset.image_root)):
        return False
    return not catalog.images.with_url or all(
        row["image_file"] is not None for row in catalog.rows(rowids)
    )


def _size_of(path: Path) -> int:
    return sum(file.stat().st_size for file in manifest.files_of(path))
