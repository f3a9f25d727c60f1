"""Tables in which every row is a sample, because embeddings are aligned with the rows."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation import uids
from curation.errors import CurationError
from curation.readers import base
from curation.readers.shared import arrow_text, table_files
from curation.readers.shared.column_names import source_names, unique_names
from curation.readers.shared.column_roles import find_column
from curation.storage.locations import Location


def load_table(file: Location) -> pa.Table:
    """All rows of a Parquet file, without nested columns; invalid UTF-8 becomes U+FFFD.

    Raises:
        CurationError: the file cannot be read.
    """
    with table_files.open_table(file) as opened:
        parquet = pq.ParquetFile(opened)
        # Nested columns, such as boxes around faces, have no counterpart in most export formats.
        flat = [f.name for f in parquet.schema_arrow if not pa.types.is_nested(f.type)]
        table = parquet.read(columns=flat)
    # Of several columns with one name, Parquet reads all, nested ones too.
    kept = [n for n, field in enumerate(table.schema) if not pa.types.is_nested(field.type)]
    table = table.select(kept)
    return arrow_text.plain_table(table.rename_columns(unique_names(table.column_names)))


def caption_texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as text without surrounding white space; NULL becomes empty."""
    return pc.fill_null(pc.utf8_trim_whitespace(arrow_text.text(column)), "")


def checked_uids(column: pa.ChunkedArray, name: str, file: Location) -> pa.ChunkedArray:
    """A column of uids, in lower case.

    Args:
        name, file: the column's name and file, for the message.

    Raises:
        CurationError: an entry is not 32 hex digits.
    """
    texts = arrow_text.text(column)
    try:
        uids.to_words(texts)
    except ValueError as error:
        raise CurationError(f"{file}, column {name}: {error}") from None
    return pc.utf8_lower(texts)


def image_sizes(table: pa.Table, prefixes: Sequence[str]) -> dict[str, pa.ChunkedArray]:
    """The columns ``width`` and ``height`` as int32 pixels, as far as the table has them.

    Args:
        prefixes: prefixes of the table's column names, such as ``original_``, preferred first.
    """
    sizes = {}
    for side in ("width", "height"):
        for prefix in prefixes:
            if name := find_column(table.column_names, prefix + side):
                column = table.column(name)
                if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
                    sizes[side] = _pixels(column)
                    break
    return sizes


def _pixels(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers as int32; NULL if not between 1 and 2³¹ − 1."""
    wide = column.cast(pa.float64(), safe=False)
    is_valid = pc.and_(pc.greater_equal(wide, 1), pc.less(wide, 2**31))
    return pc.if_else(is_valid, wide, pa.scalar(None, pa.float64())).cast(pa.int32(), safe=False)


def all_samples(
    table: pa.Table, known: Mapping[str, pa.ChunkedArray], used: Collection[str]
) -> base.ShardSamples:
    """Every row as a sample; nothing is skipped.

    Args:
        known: sample columns by name; missing ones are NULL.
        used: columns of ``table`` that became ``known`` ones; the others are kept unchanged.
    """
    rest = [name for name in table.column_names if name not in used]
    columns = {f.name: pa.nulls(len(table), f.type) for f in base.SAMPLE_FIELDS}
    columns.update(known)
    if url := find_column(rest, base.URL):
        rest.remove(url)
        columns[base.URL] = arrow_text.text(table.column(url))
    for name, new_name in zip(rest, source_names(rest), strict=True):
        columns[new_name] = table.column(name)
    return base.ShardSamples(pa.table(columns), [])


def feature_name(name: str) -> str:
    """The embeddings' name in the catalog and as a folder: l14, oai_clip_vit_l14."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
