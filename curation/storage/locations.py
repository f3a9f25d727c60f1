"""Where a dataset's files lie: on this machine, or anywhere that fsspec reads."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISDIR
from tempfile import TemporaryFile
from typing import Any, BinaryIO, cast
from urllib.parse import quote, unquote

from upath import UPath

from curation import extras
from curation.errors import CurationError

# A local path, or one with a protocol: s3://, gs://, hf://, https://, memory://.
Location = Path | UPath

# What a filesystem may tell of a file's version, best first.
_VERSIONS = (
    "ETag",
    "etag",
    "blob_id",
    "sha",
    "CRC",
    "mtime",
    "LastModified",
    "last_modified",
    "modificationTime",
    "modify",
    "updated",
    "created",
)

# Remote files that are asked for side by side.
_AT_ONCE = 32


def parse(text: str) -> Location:
    """The place that a path or a URL names.

    Raises:
        CurationError: no filesystem goes by that protocol, or its package is not installed.
    """
    if "://" not in text:
        return Path(text)
    protocol = text.partition("://")[0]
    try:
        place = UPath(text.rstrip("/") if "://" in text.rstrip("/") else text)
        if isinstance(place, Path) or place.protocol == "file":
            return Path(place.path)
        assert place.fs
    except ImportError as error:
        advice = extras.missing(error) or error
        raise CurationError(f"{text} cannot be read: {advice}") from None
    except ValueError:
        raise CurationError(
            f"{text}: {protocol!r} is no protocol known to fsspec (s3, gs, hf, https, …)"
        ) from None
    return place


def is_local(place: Location) -> bool:
    return isinstance(place, Path)


def is_file(place: Location, *, guessed: bool = False) -> bool:
    """Whether there is a file.

    Args:
        guessed: whether its name is a guess: a server that forbids to look for it has none.

    Raises:
        CurationError: it cannot be told: there is no connection, or no leave to look.
    """
    return place.is_file() if isinstance(place, Path) else _is_dir(place, guessed) is False


def is_dir(place: Location) -> bool:
    """Raises:
    CurationError: as ``is_file``.
    """
    return place.is_dir() if isinstance(place, Path) else _is_dir(place) is True


def _is_dir(place: UPath, guessed: bool = False) -> bool | None:
    """Whether it is a folder; None where there is nothing."""
    with translate_errors(place):
        try:
            # Asked of stat: on the web, UPath takes a list of files for both a file and a folder.
            return S_ISDIR(place.stat().st_mode)
        except PermissionError:
            if not guessed:
                raise
            return None
        except (FileNotFoundError, NotADirectoryError) as error:
            # So says fsspec, too, where nobody answers, or nothing to us.
            cause = error.__cause__
            is_missing = cause is None or isinstance(cause, FileNotFoundError)
            status = getattr(cause, "status", None)
            if is_missing or status in (404, 410) or (guessed and status in (401, 403)):
                return None
            raise CurationError(f"{place} cannot be reached: {cause}") from None
    raise AssertionError


def resolve(place: Location) -> Location:
    """The place by its full name, links followed where it is local."""
    return place.resolve() if isinstance(place, Path) else place


def relative_name(place: Location, root: Location) -> str | None:
    """The name of a file or folder below a root, parts parted by ``/``; None if it is not there."""
    if isinstance(place, Path) and isinstance(root, Path):
        return place.relative_to(root).as_posix() if place.is_relative_to(root) else None
    name, start = place.as_posix(), root.as_posix().rstrip("/") + "/"
    if not name.startswith(start):
        return None
    return unquote(name.removeprefix(start)) if _is_web(place) else name.removeprefix(start)


def join(folder: Location, name: str) -> Location:
    """A file or folder by its name below a folder, parts parted by ``/``; ``below``'s reverse."""
    return folder / (quote(name) if _is_web(folder) else name)


def list_files(folder: Location, wanted: Callable[[Location], bool]) -> list[Location]:
    """The files of a folder that are wanted, by their names, in the order of their names.

    Hidden ones are left out.

    Raises:
        CurationError: the folder cannot be listed.
    """
    with translate_errors(folder):
        if isinstance(folder, Path):
            # A link that leads nowhere is a file: that it cannot be read is to be said.
            found: list[Location] = [file for file in folder.iterdir() if not file.is_dir()]
        else:
            listed = folder.fs.ls(folder.path, detail=True)
            names = [_last(i["name"].rstrip("/")) for i in listed if i["type"] == "file"]
            # On the web they come quoted already.
            found = [folder / name for name in names]
    there = (file for file in found if not file.name.startswith(".") and wanted(file))
    return sorted(there, key=lambda file: file.name)


def walk(folder: Location) -> Iterator[Location]:
    """Every file anywhere below a folder, hidden ones left out.

    Raises:
        CurationError: a folder cannot be listed.
    """
    with translate_errors(folder):
        if isinstance(folder, Path):
            yield from _walk(folder, set())
        else:
            yield from (join(folder, name) for name in change_stamps(folder))


def _walk(folder: Path, seen: set[Path]) -> Iterator[Path]:
    """As ``walk``; links to folders are followed, but in no circle."""
    if folder.resolve() in seen:
        return
    seen.add(folder.resolve())
    for found in sorted(folder.iterdir()):
        if found.name.startswith("."):
            continue
        if found.is_dir():
            yield from _walk(found, seen)
        else:
            yield found


def change_stamps(folder: UPath) -> dict[str, tuple[object, ...]]:
    """The ``stamp`` of every file below a remote folder, by its name there, in one listing."""
    start = folder.path.rstrip("/") + "/"
    with translate_errors(folder):
        listed = folder.fs.find(folder.path, detail=True)
        if any(info.get("size") is None for info in listed.values()):
            # The list of a web server tells names alone.
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                listed = dict(zip(listed, pool.map(folder.fs.info, listed), strict=True))
    names = {str(name).removeprefix(start): info for name, info in listed.items()}
    if _is_web(folder):
        names = {unquote(name): info for name, info in names.items()}
    return {n: _stamp(n, info) for n, info in names.items() if not _last(n).startswith(".")}


def _is_web(place: Location) -> bool:
    return isinstance(place, UPath) and place.protocol in ("http", "https")


def base_name(place: Location) -> str:
    """The last part of its name, as a local file would have it."""
    return unquote(place.name) if _is_web(place) else place.name


def _last(name: str) -> str:
    return name.rpartition("/")[2]


@contextmanager
def open_file(place: Location) -> Iterator[BinaryIO]:
    """A file, open for reading bytes anywhere in it; a remote one is fetched as it is read.

    Raises:
        CurationError: it cannot be read, now or in the block.
    """
    with translate_errors(place), open_binary(place) as file:
        yield file


def open_binary(place: Location) -> BinaryIO:
    """As ``reading``, in the errors of whoever reads."""
    if isinstance(place, Path) or not _is_web(place) or place.fs.info(place.path).get("partial"):
        return place.open("rb")
    # A server that knows no ranges: the whole, once, so that it can be read anywhere.
    whole = TemporaryFile()  # noqa: SIM115
    with place.fs.open(place.path, "rb", block_size=0) as stream:
        shutil.copyfileobj(stream, whole)
    whole.seek(0)
    return cast(BinaryIO, whole)


@contextmanager
def translate_errors(place: Location) -> Iterator[None]:
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


def read_range(place: Location, start: int = 0, length: int | None = None) -> bytes:
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


def change_stamp(place: Location) -> tuple[object, ...]:
    """What tells that a file has changed: its name, size, and version or modification time.

    Raises:
        OSError: it cannot be asked.
    """
    if isinstance(place, Path):
        status = place.stat()
        return place.name, status.st_size, status.st_mtime_ns
    return _stamp(place.name, place.fs.info(place.path))


def _stamp(name: str, info: Mapping[str, Any]) -> tuple[object, ...]:
    version = next((info[key] for key in _VERSIONS if info.get(key)), None)
    return _last(name), info.get("size"), str(version)
