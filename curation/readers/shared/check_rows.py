"""The check that turns a source's rows into samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from curation import uids
from curation.errors import CurationError, UnreadableError
from curation.readers.base import SAMPLE_FIELDS, URL, Row, ShardSamples, Skipped
from curation.readers.shared import arrow_text
from curation.readers.shared.column_names import source_names
from curation.storage import locations
from curation.storage.locations import Location

# The values of SAMPLE_FIELDS for one sample.
_Sample = tuple[object, ...]

# Number of remote images whose headers are read concurrently.
_CONCURRENT_READS = 32


def check_rows(rows: Iterable[Row], root: Location, captions_required: bool) -> ShardSamples:
    """The rows that have an image and a caption as samples; all others as skipped.

    The header of every image is read, except that of images on the web.

    Args:
        root: folder that the rows' image files are relative to.
        captions_required: whether a row without a caption is skipped.
    """
    samples: list[_Sample] = []
    extras: list[Mapping[str, object]] = []
    skipped: list[Skipped] = []

    def check(row: Row) -> _Sample | CurationError:
        try:
            return _sample(row, root, captions_required)
        except CurationError as problem:
            return problem

    for row, result in _map_rows(rows, check, root):
        if isinstance(result, CurationError):
            is_retryable = isinstance(result, UnreadableError)
            skipped.append(Skipped(row.where, str(result), is_retryable))
        else:
            samples.append(result)
            extras.append({k: v for k, v in row.extra.items() if k.lower() != URL})
    columns = list(zip(*samples, strict=True)) if samples else [()] * len(SAMPLE_FIELDS)
    arrays = [
        pa.array(column, type=f.type) for column, f in zip(columns, SAMPLE_FIELDS, strict=True)
    ]
    table = pa.Table.from_arrays(arrays, schema=pa.schema(SAMPLE_FIELDS))
    keys = list(dict.fromkeys(key for extra in extras for key in extra))
    for key, name in zip(keys, source_names(keys), strict=True):
        values = arrow_text.plain_array([extra.get(key) for extra in extras])
        table = table.append_column(name, values)
    return ShardSamples(table, skipped)


def _map_rows(
    rows: Iterable[Row], check: Callable[[Row], _Sample | CurationError], root: Location
) -> Iterator[tuple[Row, _Sample | CurationError]]:
    """Each row with the result of its check; remote images are checked concurrently."""
    if locations.is_local(root):
        yield from ((row, check(row)) for row in rows)
        return
    with ThreadPoolExecutor(_CONCURRENT_READS) as pool:
        listed = list(rows)
        yield from zip(listed, pool.map(check, listed), strict=True)


def _sample(row: Row, root: Location, captions_required: bool) -> _Sample:
    """Raises:
    CurationError: the row cannot be used; the message is the reason for skipping it.
    """
    if row.problem is not None:
        raise CurationError(row.problem)
    image = row.image
    if image is None or not (image.file or image.url or "").strip():
        raise CurationError("no image")
    if captions_required and (row.caption is None or not row.caption.strip()):
        raise CurationError("caption is empty")
    uid = (row.uid or "").lower()
    if uid and not uids.is_uid(uid):
        raise CurationError(f"uid is not 32 hex digits: {row.uid!r}")
    # An image on the web is downloaded once, when it is embedded.
    width, height = row.size if image.is_on_the_web else image.size(root)
    caption = (row.caption or "").strip()
    if not uid:
        key = image.url or image.file
        if image.row is not None:
            key = f"{key}\0{image.row}"
        uid = uids.from_key(f"{key}\0{caption}")
    url = next((str(v) for k, v in row.extra.items() if k.lower() == URL and v), None)
    location = (image.file, image.offset, image.length, image.column, image.row)
    return uid, caption, *location, image.url or url, width, height
