"""The interface of a reader: a dataset's files as shards of samples.

A reader lists its shards without reading images, then reads one shard at a time. Rows that cannot
be used are returned as skipped, each with a reason. A reader raises only if the source as a whole
cannot be read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import pyarrow as pa

from curation.images.location import ImageRef
from curation.storage.atomic import fingerprint
from curation.storage.locations import Location
from curation.storage.matrices import Matrix

# Column names that are recognized without an option, in lower case, most likely first.
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

# The columns that every sample has. All other columns come from the source.
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


@dataclass(frozen=True)
class Options:
    """How to read a source.

    Attributes:
        image_column, caption_column, uid_column: column names; None selects a usual name.
        image_root: folder that image paths are relative to; None is the source's folder.
        shard_size: rows in a shard at most.
        captions_required: whether a row without a caption is skipped.
        features: which embeddings to use if the source brings several, for example ``l14``.
    """

    image_column: str | None = None
    caption_column: str | None = None
    uid_column: str | None = None
    image_root: Location | None = None
    shard_size: int = 10_000
    captions_required: bool = True
    features: str | None = None

    def fingerprint_values(self) -> tuple[object, ...]:
        """The options that change which samples are read. ``image_root`` is not one of them."""
        columns = (self.image_column, self.caption_column, self.uid_column)
        # This text is part of the fingerprints in existing workspaces.
        return (*columns, self.shard_size, self.captions_required or "read where there are")


@dataclass(frozen=True)
class SourceShard:
    """One unit of work.

    Attributes:
        index: the shard's number in the dataset, from 0.
        path: the file or folder that is read.
        start, stop: rows of the file, or of the folder's listing; 0, 0 for a tar.
        fingerprint: changes when the shard's content or the options change.
    """

    index: int
    path: Location
    start: int
    stop: int
    fingerprint: str


@dataclass(frozen=True)
class Skipped:
    """A row that is not used.

    Attributes:
        where: the file and row.
        reason: rows with the same text before the first colon are counted together; the text
            after it is about this row.
        is_retryable: whether reading failed in a way that may not happen again.
    """

    where: str
    reason: str
    is_retryable: bool = False


@dataclass(frozen=True)
class ShardSamples:
    """The content of a shard.

    Attributes:
        samples: one row a sample: SAMPLE_FIELDS, then the source's own columns.
        skipped: the rows that are not used.
    """

    samples: pa.Table
    skipped: Sequence[Skipped]


@dataclass(frozen=True)
class Row:
    """One image-caption pair from a source, not yet checked.

    Attributes:
        where: the file and row, for messages.
        image: the image's location; None if the row has no image.
        extra: the source's other columns; its ``url`` becomes the sample's URL.
        size: width and height in pixels according to the source; used only if the image is not
            opened.
        problem: why the source itself marks the row as unusable.
    """

    where: str
    image: ImageRef | None
    caption: str | None
    uid: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)
    size: tuple[int | None, int | None] = (None, None)
    problem: str | None = None


class Reader(Protocol):
    """One input format.

    Attributes:
        name: the value of ``--reader``.
        description: one line for messages and menus.
        image_root: the folder that the samples' ``image_file`` is relative to.
    """

    name: str
    description: str
    image_root: Location

    def __init__(self, source: Location, options: Options) -> None:
        """Open a source.

        Raises:
            CurationError: the source does not have this format.
        """
        ...

    @classmethod
    def recognizes(cls, source: Location) -> bool:
        """Whether the file or folder looks like this format."""
        ...

    def shards(self) -> Sequence[SourceShard]:
        """All shards, listed without reading images.

        Raises:
            CurationError: a file cannot be read, or lacks a needed column.
        """
        ...

    def read(self, shard: SourceShard) -> ShardSamples:
        """The samples of one shard.

        Raises:
            CurationError: the shard as a whole cannot be read.
        """
        ...


@runtime_checkable
class BringsEmbeddings(Protocol):
    """A reader whose source holds embeddings, which are used unchanged.

    Every row of the source is a sample, so that samples and embeddings stay aligned.

    Attributes:
        features: the embeddings' name in the catalog, for example ``l14``.
    """

    features: str

    def embeddings(self, shard: SourceShard) -> Mapping[str, Matrix]:
        """The embeddings of a shard: ``image`` and ``text``, one row a sample each."""
        ...


def split_into_shards(
    path: Location, row_count: int, shard_size: int, first_index: int, version: object
) -> list[SourceShard]:
    """The shards of a file with ``row_count`` rows, numbered from ``first_index``.

    A file without rows is one empty shard, so that its problems are reported.

    Args:
        version: anything that changes when the rows of the file change.
    """
    shards: list[SourceShard] = []
    for start in range(0, max(row_count, 1), shard_size):
        stop = min(start + shard_size, row_count)
        mark = fingerprint(path.name, start, stop, version)
        shards.append(SourceShard(first_index + len(shards), path, start, stop, mark))
    return shards
