"""Tables whose every row is a sample, as embeddings that came with them are aligned with it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation import uids
from curation.errors import CurationError
from curation.readers import base
from curation.readers.shared import arrow_text, rows
from curation.storage.locations import Location


def table(file: Location) -> pa.Table:
    """A Parquet file, but for its nested columns; what of its text is not UTF-8 is U+FFFD."""
    with rows.reading(file) as opened:
        parquet = pq.ParquetFile(opened)
        # Boxes of faces and the like are of no column type that every format can hold.
        flat = [f.name for f in parquet.schema_arrow if not pa.types.is_nested(f.type)]
        found = parquet.read(columns=flat)
    # Asked for one column, Parquet gives all of its name.
    kept = [at for at, field in enumerate(found.schema) if not pa.types.is_nested(field.type)]
    found = found.select(kept)
    return arrow_text.table(found.rename_columns(base.distinct(found.column_names)))


def pick(table: pa.Table, wanted: str | None, guesses: Sequence[str], file: Location) -> str:
    """The column that was named, or else the first of the usual names.

    Raises:
        CurationError: there is none; lists those there are.
    """
    if wanted in table.column_names:
        return str(wanted)
    for guess in () if wanted else guesses:
        if name := called(table, guess):
            return name
    sought = wanted or " or ".join(guesses)
    raise CurationError(f"{file} has no column {sought}; it has {', '.join(table.column_names)}")


def called(table: pa.Table, name: str) -> str | None:
    """What a table calls a column, in capitals or not; None where it has none."""
    return next((own for own in table.column_names if own.lower() == name), None)


def text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as text without white space around it, empty where it is NULL."""
    return pc.fill_null(pc.utf8_trim_whitespace(arrow_text.text(column)), "")


def uid(column: pa.ChunkedArray, name: str, file: Location) -> pa.ChunkedArray:
    """A column of uids, in small letters.

    Raises:
        CurationError: an entry is no uid.
    """
    found = arrow_text.text(column)
    try:
        uids.to_words(found)
    except ValueError as error:
        raise CurationError(f"{file}, column {name}: {error}") from None
    return pc.utf8_lower(found)


def sides(table: pa.Table, prefixes: Sequence[str]) -> dict[str, pa.ChunkedArray]:
    """``width`` and ``height``, each from the column with the first prefix that is of numbers."""
    found = {}
    for side in ("width", "height"):
        for prefix in prefixes:
            if name := called(table, prefix + side):
                column = table.column(name)
                if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
                    found[side] = _pixels(column)
                    break
    return found


def _pixels(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers as pixels, NULL where they cannot be so many."""
    wide = column.cast(pa.float64(), safe=False)
    can_be = pc.and_(pc.greater_equal(wide, 1), pc.less(wide, 2**31))
    return pc.if_else(can_be, wide, pa.scalar(None, pa.float64())).cast(pa.int32(), safe=False)


def samples(
    table: pa.Table, known: Mapping[str, pa.ChunkedArray], used: Sequence[str]
) -> base.ShardSamples:
    """Every row as a sample.

    Args:
        known: columns of samples; those that are missing are NULL.
        used: columns of the table that are in ``known``; the others are kept as they are.
    """
    rest = [name for name in table.column_names if name not in used]
    own = dict(known)
    if url := called(table.select(rest), base.URL):
        rest.remove(url)
        own[base.URL] = arrow_text.text(table.column(url))
    nothing = {f.name: pa.nulls(len(table), f.type) for f in base.SAMPLE_FIELDS}
    free = base.distinct([base.source_name(name) for name in rest], base.SAMPLE_COLUMNS)
    kept = {new: table.column(old) for new, old in zip(free, rest, strict=True)}
    return base.ShardSamples(pa.table(nothing | own | kept), [])


def features(name: str) -> str:
    """What the catalog calls embeddings, as a folder's name: l14, oai_clip_vit_l14."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
