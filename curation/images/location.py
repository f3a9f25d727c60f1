"""The location of a sample's image, and its bytes."""

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

# Bytes that are enough for nearly every image header.
_HEAD = 1 << 16

# Maximum number of bytes read from a file. Pillow would refuse a larger image.
_MAX_BYTES = 1 << 29

# The columns of a sample that locate its image, in the order of ImageRef's fields.
COLUMNS = ("image_file", "image_offset", "image_length", "image_column", "image_row", "url")


@dataclass(frozen=True)
class ImageRef:
    """The location of an image: a file, a range or cell of a file, or a URL.

    Attributes:
        file: path below the image root; None for an image on the web.
        offset, length: the range in bytes, for an image inside a tar or Arrow file.
        column, row: the cell, for an image inside a Parquet file; rows count from 0.
        url: the URL, for an image on the web.
    """

    file: str | None
    offset: int | None = None
    length: int | None = None
    column: str | None = None
    row: int | None = None
    url: str | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> ImageRef | None:
        """The image of a sample that has COLUMNS; None if it has no image."""
        ref = cls(*(row[name] for name in COLUMNS))
        return None if ref.file is None and ref.url is None else ref

    @property
    def is_on_the_web(self) -> bool:
        """Whether the image has to be downloaded."""
        return self.file is None

    def read(self, root: Location, at_most: int | None = None) -> bytes:
        """The image's bytes.

        Args:
            root: the image root.
            at_most: read no more than this many bytes of a file; ignored for cells and URLs.

        Raises:
            UnreadableError: the file or URL cannot be read now, but may be later.
            CurationError: the file is outside ``root`` or not a regular file, or the cell is empty.
        """
        if self.file is None:
            return fetch.fetch(self.url or "")
        path = inside(root, self.file)
        try:
            if self.row is not None:
                return parquet_cells.read(path, self.column or "", self.row)
            _check_regular(path, self.file)
            lengths = [length for length in (self.length, at_most) if length is not None]
            return locations.read_range(path, self.offset or 0, min(lengths, default=_MAX_BYTES))
        except FileNotFoundError:
            raise UnreadableError(f"file does not exist: {self.file}") from None
        except CurationError:
            raise
        except Exception as error:  # remote filesystems raise their own types
            if locations.is_local(path) and not isinstance(error, OSError):
                raise
            reason = getattr(error, "strerror", None) or error
            raise UnreadableError(f"file cannot be read: {self.file}: {reason}") from None

    def size(self, root: Location) -> tuple[int, int]:
        """Width and height in pixels; usually reads only the first 64 KiB.

        Raises:
            CurationError: as in ``read``; or the bytes are not an image in a supported format.
        """
        head = self.read(root, _HEAD)
        try:
            return decode.size(head)
        except CurationError:
            if len(head) < _HEAD:
                raise
        # The header comes after a long color profile, or the format needs the whole file.
        return decode.size(self.read(root))


def _check_regular(path: Location, name: str) -> None:
    """Refuse a local folder, pipe or device; reading a pipe could block forever.

    Raises:
        OSError: the file does not exist.
        CurationError: it is not a regular file.
    """
    if isinstance(path, Path) and not S_ISREG(path.stat().st_mode):
        raise CurationError(f"not a regular file: {name}")


def inside(root: Location, file: str) -> Location:
    """``root / file``, with links resolved.

    Raises:
        CurationError: the path is outside ``root`` (by ``..``, an absolute path or a link), or
            is not a valid path.
    """
    outside = f"file is outside the image root (set it with --image-root): {file}"
    if not isinstance(root, Path):
        parts = PurePosixPath(file)
        if parts.is_absolute() or ".." in parts.parts or "://" in file:
            raise CurationError(outside)
        return locations.join(root, parts.as_posix())
    try:
        path = _resolved(root / file)
    except (OSError, ValueError, RuntimeError) as error:  # a NUL, a lone surrogate, a loop of links
        raise CurationError(f"not a valid file name: {file!r} ({error})") from None
    if not path.is_relative_to(_resolved(root)):
        raise CurationError(outside)
    return path


@lru_cache(maxsize=256)
def _resolved(path: Path) -> Path:
    # Cached because all images of a tar have the same path, and all images the same root.
    return path.resolve()
