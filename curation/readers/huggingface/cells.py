"""Which cells of a Parquet column hold an image, read without the images where possible."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.images import parquet_cells
from curation.readers.shared import arrow_text


def image_paths(images: pa.ChunkedArray) -> Sequence[str | None]:
    """The ``path`` of each record of a column; None for a column that has no paths."""
    if not _has_path(images.type):
        return [None] * len(images)
    paths: Sequence[str | None] = arrow_text.text(pc.struct_field(images, "path")).to_pylist()
    return paths


def embedded_or_paths(
    parquet: pq.ParquetFile, group: int, column: str
) -> tuple[Sequence[bool], Sequence[str | None]]:
    """For each row of a row group, whether the cell holds an image, and its ``path``.

    The paths are not read if every cell holds an image.
    """
    metadata = parquet.metadata.row_group(group)
    row_count = metadata.num_rows
    nulls = _null_count(metadata, f"{column}.bytes")
    position = parquet.schema_arrow.get_field_index(column)
    has_path = position >= 0 and _has_path(parquet.schema_arrow.field(position).type)
    if not has_path or nulls == 0:
        return [True] * row_count, [None] * row_count
    if nulls == row_count:
        records = parquet.read_row_group(group, columns=[f"{column}.path"]).column(0)
        return [False] * row_count, image_paths(records)
    is_embedded: list[bool] = []
    paths: list[str | None] = []
    parts = [f"{column}.bytes", f"{column}.path"]
    for batch in parquet.iter_batches(parquet_cells.WINDOW, [group], parts, use_threads=False):
        images = pa.chunked_array([batch.column(0)])
        is_embedded += parquet_cells.image_bytes(images).is_valid().to_pylist()
        paths += image_paths(images)
    return is_embedded, paths


def _has_path(type_: pa.DataType) -> bool:
    return bool(pa.types.is_struct(type_) and type_.get_field_index("path") >= 0)


def _null_count(group: pq.RowGroupMetaData, column: str) -> int | None:
    """The number of NULLs in a column according to the statistics; None if there are none."""
    for number in range(group.num_columns):
        chunk = group.column(number)
        statistics = chunk.statistics
        is_known = statistics is not None and statistics.has_null_count
        if chunk.path_in_schema == column and is_known:
            return int(statistics.null_count)
    return None
