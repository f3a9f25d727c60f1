"""What a catalog records about its dataset as a whole."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Dataset:
    """The one row of the table ``dataset``.

    Attributes:
        source: the path or URL that was read.
        reader: the name of the reader that read it.
        image_root: the folder that the samples' ``image_file`` is relative to.
        model: the model of the columns that name no model.
        targets: the names of the targets, separated by commas.
        samples, skipped: the number of samples in the catalog, and of those left out.
        published: when the catalog was written, as ISO 8601 in UTC.
        version: the version of this project that wrote it.
    """

    source: str
    reader: str
    image_root: str
    model: str
    targets: str
    samples: int
    skipped: int
    published: str
    version: str


@dataclass(frozen=True)
class ImageCounts:
    """How many samples have an image file, how many a URL, and how many a URL alone."""

    in_files: int
    with_url: int
    only_url: int
