"""What a catalog tells of its dataset as a whole."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Dataset:
    """Where a catalog's samples come from."""

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
class Images:
    """How many images lie in files, have an address, and are only that."""

    in_files: int
    with_url: int
    only_url: int
