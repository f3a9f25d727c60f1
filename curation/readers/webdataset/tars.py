"""The members of a tar with their offsets: images are read from the tar without unpacking it."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from curation.errors import CurationError
from curation.storage.locations import Location

EXTENSION = ".tar"
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")

TRUNCATED = "tar is truncated"

_COMPRESSIONS = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a tar.

    Attributes:
        offset, length: the range of its bytes in the tar.
        is_file: False for links and devices, which have no bytes.
        is_cut: whether the tar ends before the file does.
    """

    name: str
    offset: int
    length: int
    is_file: bool
    is_cut: bool


@dataclass(frozen=True)
class Listing:
    """The members of a tar that can be read, and what is wrong after the last one, if anything."""

    members: list[Member]
    damage: str | None


def is_tar(path: Location) -> bool:
    """Whether a file is named as a tar, compressed or not, and is not hidden."""
    name = path.name.lower()
    return name.endswith((EXTENSION, *COMPRESSED)) and not name.startswith(".")


def list_members(path: Location, file: BinaryIO) -> Listing:
    """Every member of an open tar except folders; only headers are read.

    Args:
        path: the tar's path, for messages.

    Raises:
        CurationError: the tar is compressed or has sparse files, whose offsets are meaningless.
    """
    refuse_compressed(path, file.read(8))
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    try:
        tar = tarfile.open(fileobj=file, mode="r:", encoding="utf-8")  # noqa: SIM115  caller closes file
    except (tarfile.TarError, ValueError):
        return Listing([], "not a tar" if size else "file is empty")
    members: list[Member] = []
    try:
        for info in _headers(tar):
            if info.issparse():
                raise CurationError(
                    f"{path}: {info.name} is stored as a sparse file, which cannot be read "
                    "without unpacking; create the tar again without --sparse"
                )
            is_cut = info.offset_data + info.size > size
            members.append(Member(info.name, info.offset_data, info.size, info.isreg(), is_cut))
    except (tarfile.TarError, ValueError, RecursionError):
        pass  # The bytes after the last good member decide below what is wrong.
    stopped = file.tell()
    file.seek(tar.offset)
    if file.read(tarfile.BLOCKSIZE) == bytes(tarfile.BLOCKSIZE):
        return Listing(members, None)
    if stopped >= size:
        return Listing(members, TRUNCATED)
    return Listing(members, f"tar is damaged: at byte {tar.offset}")


def refuse_compressed(path: Location, start: bytes = b"") -> None:
    """Refuse a tar that is compressed according to its name or its first bytes.

    Raises:
        CurationError: it is.
    """
    kind = next((kind for magic, kind in _COMPRESSIONS.items() if start.startswith(magic)), None)
    if kind or path.name.lower().endswith(COMPRESSED):
        how = f" with {kind}" if kind else ""
        raise CurationError(
            f"{path} is compressed{how}, but images are read without unpacking: decompress it to "
            "a plain .tar (compression hardly shrinks images)"
        )


def _headers(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while (info := tar.next()) is not None:
        # TarFile keeps every header otherwise: gigabytes for millions of members.
        tar.members.clear()  # type: ignore[attr-defined]  # not in typeshed
        if info.size < 0:
            raise ValueError("a negative size would lead back to earlier members")
        if not info.isdir():
            yield info
