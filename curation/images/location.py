"""Where a sample's image lies, and its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from stat import S_ISREG
from typing import Any

from curation.errors import CurationError, UnreadableError
from curation.images import decode, fetch, parquet_cells
from curation.storage import locations
from curation.storage.locations import Location

# Bytes: more than nearly every header.
_HEAD = 1 << 16

# Bytes that are read of a file at most: what is larger is no image that Pillow would open.
_LARGEST = 1 << 29

# The columns of a sample that say where its image lies.
COLUMNS = ("image_file", "image_offset", "image_length", "image_column", "image_row", "url")


@dataclass(frozen=True)
class ImageRef:
    """An image: a file below the image root, a part of one, or what an address on the web holds.

    Attributes:
        offset, length: the range of the file's bytes, as of an image inside a tar.
        column, row: the cell of a Parquet file.
        url: where it is fetched from if it is in no file.
    """

    file: str | None
    offset: int | None = None
    length: int | None = None
    column: str | None = None
    row: int | None = None
    url: str | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> ImageRef | None:
        """The image of a sample with COLUMNS; None where it has none."""
        found = cls(*(row[name] for name in COLUMNS))
        return None if found.file is None and found.url is None else found

    @property
    def is_on_the_web(self) -> bool:
        return self.file is None

    def read(self, root: Location, at_most: int | None = None) -> bytes:
        """The image's bytes, or the first ``at_most`` of them.

        Raises:
            CurationError: the file is missing, or lies outside ``root``; the URL has no answer.
        """
        if self.file is None:
            return fetch.fetch(self.url or "")
        path = inside(root, self.file)
        try:
            if self.row is not None:
                return parquet_cells.read(path, self.column or "", self.row)
            _check_file(path)
            lengths = [length for length in (self.length, at_most) if length is not None]
            return locations.read_range(path, self.offset or 0, min(lengths, default=_LARGEST))
        except FileNotFoundError:
            raise UnreadableError(f"the file does not exist: {self.file}") from None
        except CurationError:
            raise
        except Exception as error:  # each remote filesystem has errors of its own
            if locations.is_local(path) and not isinstance(error, OSError):
                raise
            told = getattr(error, "strerror", None) or error
            raise UnreadableError(f"the file cannot be read: {self.file}: {told}") from None

    def size(self, root: Location) -> tuple[int, int]:
        """Width and height in pixels, reading no more of the image than that takes, as a rule.

        Raises:
            CurationError: as ``read``; or it is not an image that can be read.
        """
        head = self.read(root, _HEAD)
        try:
            return decode.size(head)
        except CurationError:
            if len(head) < _HEAD:
                raise
        # A header behind a long profile, or a format whose header is checked against the whole.
        return decode.size(self.read(root))


def _check_file(path: Location) -> None:
    """Raises:
    OSError: there is no such file.
    CurationError: it is a folder, a pipe or a device, which one might wait for forever.
    """
    if isinstance(path, Path) and not S_ISREG(path.stat().st_mode):
        raise CurationError("not a file but a folder, a pipe or a device")


def inside(root: Location, file: str) -> Location:
    """``root / file``, resolved.

    Raises:
        CurationError: the path leads out of ``root`` (by ``..``, an absolute path or a link).
    """
    outside = f"the file lies outside the image root (--image-root sets it): {file}"
    if not isinstance(root, Path):
        parts = PurePosixPath(file)
        if parts.is_absolute() or ".." in parts.parts or "://" in file:
            raise CurationError(outside)
        return locations.join(root, parts.as_posix())
    try:
        path = _resolved(root / file)
    except (OSError, ValueError, RuntimeError) as error:  # a NUL, a lone surrogate, a loop of links
        raise CurationError(f"{file!r} is not the name of a file ({error})") from None
    if not path.is_relative_to(_resolved(root)):
        raise CurationError(outside)
    return path


@lru_cache(maxsize=256)
def _resolved(path: Path) -> Path:
    # A root, and a tar, come with every image of theirs.
    return path.resolve()
