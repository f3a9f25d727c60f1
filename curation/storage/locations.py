"""Paths of files: local ones, and those of any filesystem that fsspec reads."""

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

# The fields in which filesystems report a file's version, best first.
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

# Remote files whose status is requested in parallel.
_AT_ONCE = 32


def parse(text: str) -> Location:
    """The location that a path or a URL names.

    Raises:
        CurationError: the protocol is unknown, or the package that reads it is not installed.
    """
    if "://" not in text:
        return Path(text)
    protocol = text.partition("://")[0]
    try:
        location = UPath(text.rstrip("/") if "://" in text.rstrip("/") else text)
        if isinstance(location, Path) or location.protocol == "file":
            return Path(location.path)
        assert location.fs
    except ImportError as error:
        advice = extras.missing(error) or error
        raise CurationError(f"{text} cannot be read: {advice}") from None
    except ValueError:
        raise CurationError(
            f"{text}: {protocol!r} is not a protocol known to fsspec (s3, gs, hf, https, …)"
        ) from None
    return location


def is_local(location: Location) -> bool:
    """Whether the location is on this machine's filesystem."""
    return isinstance(location, Path)


def is_file(location: Location, *, guessed: bool = False) -> bool:
    """Whether the location is a file.

    Args:
        guessed: whether its name is a guess; then a server that denies access counts as "no".

    Raises:
        CurationError: there is no connection, or access is denied.
    """
    return location.is_file() if isinstance(location, Path) else _is_dir(location, guessed) is False


def is_dir(location: Location) -> bool:
    """Whether the location is a folder.

    Raises:
        CurationError: as ``is_file``.
    """
    return location.is_dir() if isinstance(location, Path) else _is_dir(location) is True


def _is_dir(location: UPath, guessed: bool = False) -> bool | None:
    """Whether it is a folder; None if nothing exists there."""
    with translate_errors(location):
        try:
            # UPath.is_file() and is_dir() are both true for a folder on the web.
            return S_ISDIR(location.stat().st_mode)
        except PermissionError:
            if not guessed:
                raise
            return None
        except (FileNotFoundError, NotADirectoryError) as error:
            # fsspec raises the same error if the server does not answer or denies access.
            cause = error.__cause__
            is_missing = cause is None or isinstance(cause, FileNotFoundError)
            status = getattr(cause, "status", None)
            if is_missing or status in (404, 410) or (guessed and status in (401, 403)):
                return None
            raise CurationError(f"{location} cannot be reached: {cause}") from None
    raise AssertionError


def resolve(location: Location) -> Location:
    """The absolute path of a local location, links resolved; a remote one unchanged."""
    return location.resolve() if isinstance(location, Path) else location


def relative_name(location: Location, root: Location) -> str | None:
    """The path of a file or folder relative to ``root``, with ``/``; None if it is not below it."""
    if isinstance(location, Path) and isinstance(root, Path):
        return location.relative_to(root).as_posix() if location.is_relative_to(root) else None
    name, start = location.as_posix(), root.as_posix().rstrip("/") + "/"
    if not name.startswith(start):
        return None
    return unquote(name.removeprefix(start)) if _is_web(location) else name.removeprefix(start)


def join(folder: Location, name: str) -> Location:
    """A file or folder by its relative path with ``/``: the inverse of ``relative_name``."""
    return folder / (quote(name) if _is_web(folder) else name)


def list_files(folder: Location, wanted: Callable[[Location], bool]) -> list[Location]:
    """The files directly in a folder for which ``wanted`` is true, sorted by name.

    Hidden files are left out.

    Raises:
        CurationError: the folder cannot be listed.
    """
    with translate_errors(folder):
        if isinstance(folder, Path):
            # A broken link counts as a file, so that reading it reports the error.
            files: list[Location] = [file for file in folder.iterdir() if not file.is_dir()]
        else:
            listed = folder.fs.ls(folder.path, detail=True)
            names = [_last(i["name"].rstrip("/")) for i in listed if i["type"] == "file"]
            # Names from the web are quoted already.
            files = [folder / name for name in names]
    matches = (file for file in files if not file.name.startswith(".") and wanted(file))
    return sorted(matches, key=lambda file: file.name)


def walk(folder: Location) -> Iterator[Location]:
    """Every file below a folder, at any depth; hidden files and folders are left out.

    Raises:
        CurationError: a folder cannot be listed.
    """
    with translate_errors(folder):
        if isinstance(folder, Path):
            yield from _walk(folder, set())
        else:
            yield from (join(folder, name) for name in change_stamps(folder))


def _walk(folder: Path, seen: set[Path]) -> Iterator[Path]:
    """As ``walk`` for a local folder. Links to folders are followed, each folder once."""
    if folder.resolve() in seen:
        return
    seen.add(folder.resolve())
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _walk(path, seen)
        else:
            yield path


def change_stamps(folder: UPath) -> dict[str, tuple[object, ...]]:
    """The change stamp of every file below a remote folder by its relative path, in one listing."""
    start = folder.path.rstrip("/") + "/"
    with translate_errors(folder):
        listed = folder.fs.find(folder.path, detail=True)
        if any(info.get("size") is None for info in listed.values()):
            # A web server lists names without sizes.
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                listed = dict(zip(listed, pool.map(folder.fs.info, listed), strict=True))
    names = {str(name).removeprefix(start): info for name, info in listed.items()}
    if _is_web(folder):
        names = {unquote(name): info for name, info in names.items()}
    return {n: _stamp(n, info) for n, info in names.items() if not _last(n).startswith(".")}


def _is_web(location: Location) -> bool:
    return isinstance(location, UPath) and location.protocol in ("http", "https")


def base_name(location: Location) -> str:
    """The file name, unquoted."""
    return unquote(location.name) if _is_web(location) else location.name


def _last(name: str) -> str:
    return name.rpartition("/")[2]


@contextmanager
def open_file(location: Location) -> Iterator[BinaryIO]:
    """Open a file for reading, with random access. A remote file is fetched as it is read.

    Raises:
        CurationError: the file cannot be opened, or reading fails in the block.
    """
    with translate_errors(location), open_binary(location) as file:
        yield file


def open_binary(location: Location) -> BinaryIO:
    """As ``open_file``, but the errors of the filesystem are not translated."""
    if (
        isinstance(location, Path)
        or not _is_web(location)
        or location.fs.info(location.path).get("partial")
    ):
        return location.open("rb")
    # The server does not support ranges: fetch the whole file once, for random access.
    whole = TemporaryFile()  # noqa: SIM115
    with location.fs.open(location.path, "rb", block_size=0) as stream:
        shutil.copyfileobj(stream, whole)
    whole.seek(0)
    return cast(BinaryIO, whole)


@contextmanager
def translate_errors(location: Location) -> Iterator[None]:
    """Turn errors of the block into errors that name the location.

    Raises:
        CurationError: the file or folder cannot be read.
    """
    try:
        yield
    except CurationError:
        raise
    except FileNotFoundError:
        raise CurationError(f"{location} does not exist") from None
    except OSError as error:
        raise CurationError(f"{location} cannot be read: {error.strerror or error}") from None
    except Exception as error:
        # Remote filesystems raise exceptions of many types.
        if is_local(location):
            raise
        raise CurationError(f"{location} cannot be read: {error}") from error


def read_range(location: Location, start: int = 0, length: int | None = None) -> bytes:
    """``length`` bytes of a file from ``start`` on, or all bytes from there.

    Raises:
        OSError: the file cannot be read.
    """
    if isinstance(location, Path):
        with location.open("rb") as file:
            file.seek(start)
            return file.read(-1 if length is None else length)
    stop = None if length is None else start + length
    data: bytes = location.fs.cat_file(location.path, start or None, stop)
    if length is not None and len(data) > length:
        # A server that does not support ranges sends the whole file.
        return data[start:stop]
    return data


def change_stamp(location: Location) -> tuple[object, ...]:
    """Name, size, and version or modification time: if one differs, the file has changed.

    Raises:
        OSError: the file's status cannot be read.
    """
    if isinstance(location, Path):
        status = location.stat()
        return location.name, status.st_size, status.st_mtime_ns
    return _stamp(location.name, location.fs.info(location.path))


def _stamp(name: str, info: Mapping[str, Any]) -> tuple[object, ...]:
    version = next((info[key] for key in _VERSIONS if info.get(key)), None)
    return _last(name), info.get("size"), str(version)
