"""Where a dataset's files lie: on this machine, or anywhere that fsspec reads."""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from upath import UPath

from curation.errors import CurationError

# A local path, or one with a protocol: s3://, gs://, hf://, https://, memory://.
Place = Path | UPath

# What a filesystem may tell of a file's version, best first.
_VERSIONS = ("ETag", "etag", "mtime", "LastModified", "last_modified", "updated", "created")


def of(text: str) -> Place:
    """The place that a path or a URL names.

    Raises:
        CurationError: no filesystem goes by that protocol, or its package is not installed.
    """
    if "://" not in text:
        return Path(text)
    protocol = text.partition("://")[0]
    try:
        place = UPath(text)
        if isinstance(place, Path) or place.protocol == "file":
            return Path(place.path)
        assert place.fs
    except ImportError as error:
        raise CurationError(f"{text} cannot be read without a package more: {error}") from None
    except ValueError:
        raise CurationError(
            f"{text}: {protocol!r} is no protocol known to fsspec (s3, gs, hf, https, …)"
        ) from None
    return place


def is_local(place: Place) -> bool:
    return isinstance(place, Path)


def resolved(place: Place) -> Place:
    """The place by its full name, links followed where it is local."""
    return place.resolve() if isinstance(place, Path) else place


def below(place: Place, root: Place) -> str | None:
    """The name of a file or folder below a root, parts parted by ``/``; None if it is not there."""
    if isinstance(place, Path) and isinstance(root, Path):
        return place.relative_to(root).as_posix() if place.is_relative_to(root) else None
    name, start = place.as_posix(), root.as_posix().rstrip("/") + "/"
    return name.removeprefix(start) if name.startswith(start) else None


def files_of(folder: Place, extensions: Container[str]) -> list[Place]:
    """The files of a folder with one of these extensions (``.csv``), in the order of their names.

    Hidden ones are left out.
    """
    found = [
        file
        for file in folder.iterdir()
        if file.suffix.lower() in extensions and not file.name.startswith(".") and file.is_file()
    ]
    return sorted(found, key=lambda file: file.name)


@contextmanager
def reading(place: Place) -> Iterator[BinaryIO]:
    """A file, open for reading bytes anywhere in it; a remote one is fetched as it is read.

    Raises:
        CurationError: it cannot be read, now or in the block.
    """
    with asking(place), place.open("rb") as file:
        yield file


@contextmanager
def asking(place: Place) -> Iterator[None]:
    """A block whose failure is told as one of this place's.

    Raises:
        CurationError: the file or folder cannot be read.
    """
    try:
        yield
    except CurationError:
        raise
    except FileNotFoundError:
        raise CurationError(f"{place} does not exist") from None
    except OSError as error:
        raise CurationError(f"{place} cannot be read: {error.strerror or error}") from None
    except Exception as error:
        # Each remote filesystem has errors of its own.
        if is_local(place):
            raise
        raise CurationError(f"{place} cannot be read: {error}") from error


def read_range(place: Place, start: int = 0, length: int | None = None) -> bytes:
    """Some bytes of a file, or all from ``start`` on.

    Raises:
        OSError: it cannot be read.
    """
    if isinstance(place, Path):
        with place.open("rb") as file:
            file.seek(start)
            return file.read(-1 if length is None else length)
    stop = None if length is None else start + length
    data: bytes = place.fs.cat_file(place.path, start or None, stop)
    if length is not None and len(data) > length:
        # A server that knows no ranges sends it all.
        return data[start:stop]
    return data


def stamp(place: Place) -> tuple[object, ...]:
    """What tells that a file has changed: its name, size, and version or modification time.

    Raises:
        OSError: it cannot be asked.
    """
    if isinstance(place, Path):
        status = place.stat()
        return place.name, status.st_size, status.st_mtime_ns
    info = place.fs.info(place.path)
    version = next((info[key] for key in _VERSIONS if info.get(key)), None)
    return place.name, info.get("size"), str(version)
