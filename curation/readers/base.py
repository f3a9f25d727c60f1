"""What a reader is: a dataset's files seen as shards of samples.

A reader lists its shards cheaply and reads one at a time. What it cannot use it returns as
skipped rows with a reason; it raises only where the source as a whole makes no sense.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import pyarrow as pa

from curation import uids
from curation.errors import CurationError, UnreadableError
from curation.images.location import ImageRef
from curation.storage import locations
from curation.storage.atomic import fingerprint
from curation.storage.locations import Location
from curation.storage.matrices import Matrix

CAPTION_COLUMNS = ("caption", "text", "title", "alt", "alt_text", "description")
IMAGE_COLUMNS = (
    "file_name",
    "image_path",
    "image",
    "path",
    "filepath",
    "filename",
    "image_bytes",
    "img",
    "jpg",
    "png",
    "webp",
)
URL = "url"
URL_COLUMNS = (URL, "image_url", "img_url", "image_link", "link")

# The columns every sample has; everything else is what the source told.
SAMPLE_FIELDS = (
    pa.field("uid", pa.string()),
    pa.field("caption", pa.string()),
    pa.field("image_file", pa.string()),
    pa.field("image_offset", pa.int64()),
    pa.field("image_length", pa.int64()),
    pa.field("image_column", pa.string()),
    pa.field("image_row", pa.int64()),
    pa.field("url", pa.string()),
    pa.field("width", pa.int32()),
    pa.field("height", pa.int32()),
)
SAMPLE_COLUMNS = tuple(f.name for f in SAMPLE_FIELDS)
_Sample = tuple[object, ...]

# Remote images whose headers are read side by side.
_AT_ONCE = 32


@dataclass(frozen=True)
class Options:
    """How to read a source; what is None is guessed."""

    image_column: str | None = None
    caption_column: str | None = None
    uid_column: str | None = None
    image_root: Location | None = None
    shard_size: int = 10_000
    captions_required: bool = True
    features: str | None = None

    def mark(self) -> tuple[object, ...]:
        """What of the options decides the samples: not where the images happen to lie."""
        columns = (self.image_column, self.caption_column, self.uid_column)
        return (*columns, self.shard_size, self.captions_required or "read where there are")


@dataclass(frozen=True)
class SourceShard:
    """One unit of work: rows ``start`` to ``stop`` of a file (or of a folder's listing), or a tar.

    The fingerprint changes when what the shard covers changes.
    """

    index: int
    path: Location
    start: int
    stop: int
    fingerprint: str


@dataclass(frozen=True)
class Skipped:
    """A sample that is left out, and why.

    Attributes:
        again: whether it could not be read, so that another run may find it.
    """

    where: str
    reason: str
    again: bool = False


@dataclass(frozen=True)
class ShardSamples:
    """The usable samples of a shard (SAMPLE_FIELDS, then the source's columns) and the rest."""

    samples: pa.Table
    skipped: Sequence[Skipped]


@dataclass(frozen=True)
class Row:
    """One pair as the source gives it, before it is checked.

    Attributes:
        where: the file and row, or whatever else finds it.
        image: where its image lies; None where it has none.
        extra: what else the source tells; its ``url`` is that of the sample.
        problem: why the row cannot be used, where the source says so itself.
        size: width and height as the source tells them, of an image that is not looked at.
    """

    where: str
    image: ImageRef | None
    caption: str | None
    uid: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)
    size: tuple[int | None, int | None] = (None, None)
    problem: str | None = None


class Reader(Protocol):
    """One input format. Construct it with the source's path and the options."""

    name: str
    description: str
    image_root: Location

    def __init__(self, source: Location, options: Options) -> None: ...

    @classmethod
    def recognizes(cls, source: Location) -> bool:
        """Whether what lies at ``source`` looks like this format."""
        ...

    def shards(self) -> Sequence[SourceShard]: ...

    def read(self, shard: SourceShard) -> ShardSamples: ...


@runtime_checkable
class BringsEmbeddings(Protocol):
    """A reader whose source holds embeddings: they are used as they are.

    Its samples are every row of the source, so that they stay aligned with the embeddings.
    """

    # What the catalog calls them, as `l14`.
    features: str

    def embeddings(self, shard: SourceShard) -> Mapping[str, Matrix]:
        """A shard's embeddings, of ``image`` and ``text``."""
        ...


def check(rows: Iterable[Row], root: Location, captions_required: bool) -> ShardSamples:
    """Open every image's header and keep the rows that are an image with a caption."""
    good: list[_Sample] = []
    extras: list[Mapping[str, object]] = []
    skipped: list[Skipped] = []
    for row, found in _each(rows, lambda row: _checked(row, root, captions_required), root):
        if isinstance(found, CurationError):
            again = isinstance(found, UnreadableError)
            skipped.append(Skipped(row.where, str(found), again))
        else:
            good.append(found)
            extras.append({k: v for k, v in row.extra.items() if k.lower() != URL})
    columns = list(zip(*good, strict=True)) if good else [()] * len(SAMPLE_FIELDS)
    arrays = [
        pa.array(column, type=f.type) for column, f in zip(columns, SAMPLE_FIELDS, strict=True)
    ]
    table = pa.Table.from_arrays(arrays, schema=pa.schema(SAMPLE_FIELDS))
    keys = list(dict.fromkeys(name for extra in extras for name in extra))
    names = distinct([source_name(key) for key in keys], SAMPLE_COLUMNS)
    for key, name in zip(keys, names, strict=True):
        table = table.append_column(name, plain_array([extra.get(key) for extra in extras]))
    return ShardSamples(table, skipped)


def is_text(value: object) -> bool:
    """Whether every string in a JSON value can be written as UTF-8: JSON allows half characters."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def distinct(names: Sequence[str], taken: Iterable[str] = ()) -> list[str]:
    """Column names, none empty, none twice, none taken (capitals and small letters alike)."""
    used = {name.lower() for name in taken}
    result = []
    for position, name in enumerate(names, 1):
        stem = name.encode("utf-8", "replace").decode() or f"column_{position}"
        new, number = stem, 2
        while new.lower() in used:
            new, number = f"{stem}_{number}", number + 1
        used.add(new.lower())
        result.append(new)
    return result


def source_name(name: str) -> str:
    """The name a source's column gets: its own, unless every sample has a column so called.

    DuckDB does not tell capitals from small letters.
    """
    return f"source_{name}" if name.lower() in SAMPLE_COLUMNS else name


def plain_array(values: Sequence[object]) -> pa.Array:
    """Values as one Arrow array; lists and records as JSON text, mixed types as text."""
    flat = [
        json.dumps(v, ensure_ascii=False, default=str) if isinstance(v, list | dict) else v
        for v in values
    ]
    try:
        return pa.array(flat)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if v is None else str(v) for v in flat], type=pa.string())


def cut(path: Location, total: int, size: int, first: int, mark: object) -> list[SourceShard]:
    """The shards of a file of ``total`` rows, numbered from ``first``.

    A file without a single row is one shard: what is wrong with it is to be listed.
    """
    return [
        SourceShard(
            first + number,
            path,
            start,
            min(start + size, total),
            fingerprint(path.name, start, min(start + size, total), mark),
        )
        for number, start in enumerate(range(0, max(total, 1), size))
    ]


def _each(
    rows: Iterable[Row], check: Callable[[Row], _Sample | CurationError], root: Location
) -> Iterator[tuple[Row, _Sample | CurationError]]:
    """Each row with what came of it; remote images are asked for many at a time."""
    if locations.is_local(root):
        yield from ((row, check(row)) for row in rows)
        return
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        several = list(rows)
        yield from zip(several, pool.map(check, several), strict=True)


def _checked(row: Row, root: Location, captions_required: bool) -> _Sample | CurationError:
    try:
        return _sample(row, root, captions_required)
    except CurationError as problem:
        return problem


def _sample(row: Row, root: Location, captions_required: bool) -> _Sample:
    if row.problem is not None:
        raise CurationError(row.problem)
    image = row.image
    if image is None or not (image.file or image.url or "").strip():
        raise CurationError("no image is named")
    if captions_required and (row.caption is None or not row.caption.strip()):
        raise CurationError("the caption is empty")
    told = (row.uid or "").lower()
    if told and not uids.is_uid(told):
        raise CurationError(f"the uid is not 32 hex digits: {row.uid!r}")
    if image.is_on_the_web:
        # Fetched once, when it is embedded.
        width, height = row.size
    else:
        width, height = image.size(root)
    caption = (row.caption or "").strip()
    named = image.url or image.file
    if image.row is not None:
        named = f"{named}\0{image.row}"
    uid = told or uids.from_key(f"{named}\0{caption}")
    url = next((str(v) for k, v in row.extra.items() if k.lower() == URL and v), None)
    place = (image.file, image.offset, image.length, image.column, image.row)
    return uid, caption, *place, image.url or url, width, height
