"""Rows of a Parquet file, without reading more row groups than needed."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Sequence
from itertools import accumulate

import pyarrow as pa
import pyarrow.parquet as pq

from curation.readers.base import SourceShard
from curation.readers.shared import arrow_text
from curation.readers.shared.table_files import ORIGIN, column_names, open_table
from curation.storage.locations import Location


def read_schema(path: Location) -> pa.Schema:
    """The columns of a Parquet file, with the names that ``load_groups`` gives them.

    Raises:
        CurationError: the file cannot be read.
    """
    with open_table(path) as file:
        schema = pq.read_schema(file)
    names = column_names(schema.names)
    fields = [field.with_name(name) for field, name in zip(schema, names, strict=True)]
    return pa.schema(fields, schema.metadata)


def group_starts(path: Location) -> list[int]:
    """The first row of each row group, and, last, the number of rows.

    Raises:
        CurationError: the file cannot be read.
    """
    with open_table(path) as file:
        metadata = pq.read_metadata(file)
    sizes = (metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))
    return list(accumulate(sizes, initial=0))


def load_groups(
    path: Location,
    start: int = 0,
    stop: int | None = None,
    without: Sequence[str] = (),
    needed: Collection[str] = (),
) -> pa.Table:
    """Some row groups as a plain table, with the column ORIGIN ("a.parquet row 17", from 0).

    Args:
        start, stop: only the row groups that start in this range of rows; ``start`` must be the
            first row of one.
        without: columns that are not read.
        needed: as in ``arrow_text.plain_table``.

    Raises:
        CurationError: the file cannot be read.
    """
    starts = group_starts(path)
    last = starts[-1] if stop is None else stop
    groups = [group for group, first in enumerate(starts[:-1]) if start <= first < last]
    with open_table(path) as file:
        parquet = pq.ParquetFile(file)
        stored = parquet.schema_arrow.names
        pairs = list(zip(column_names(stored), stored, strict=True))
        wanted = {name: old for name, old in pairs if name not in without}
        table = parquet.read_row_groups(groups, columns=list(wanted.values()))
    # Of several columns with one name, Parquet reads all or none.
    read = set(table.column_names)
    table = table.rename_columns([name for name, old in pairs if old in read])
    table = arrow_text.plain_table(table.select(list(wanted)), needed)
    origins = [f"{path.name} row {row}" for row in range(start, start + len(table))]
    return table.append_column(ORIGIN, pa.array(origins, pa.string()))


def load_shard(
    load: Callable[..., pa.Table],
    shard: SourceShard,
    without: Sequence[str],
    needed: Sequence[str],
) -> pa.Table:
    """A shard's rows of a Parquet file, from the row groups that hold them.

    Args:
        load: ``load_groups``, or a cached form of it.
        without, needed: as in ``load_groups``.
    """
    starts = group_starts(shard.path)
    first = starts[max(bisect_right(starts, shard.start) - 1, 0)]
    last = starts[min(bisect_left(starts, shard.stop), len(starts) - 1)]
    table = load(shard.path, first, last, without, needed)
    return table.slice(shard.start - first, shard.stop - shard.start)
