"""What lies in a tar, and where: its members are read by their offset, never unpacked."""

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

_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a tar: its bytes are ``length`` from ``offset`` on.

    Attributes:
        is_file: False of links and devices, which have no bytes of their own.
        is_cut: whether the tar ends before the file does.
    """

    name: str
    offset: int
    length: int
    is_file: bool
    is_cut: bool


@dataclass(frozen=True)
class Listing:
    """What a tar holds as far as it can be read, and what is wrong with it after that."""

    members: list[Member]
    damage: str | None


def is_tar(path: Location) -> bool:
    """Whether a file is called as tars are, compressed ones included; hidden ones are not."""
    name = path.name.lower()
    return name.endswith((EXTENSION, *COMPRESSED)) and not name.startswith(".")


def listing(path: Location, file: BinaryIO) -> Listing:
    """Every member of an open tar that is not a folder, from the headers alone.

    Raises:
        CurationError: the tar is compressed or holds sparse files, so that offsets mean nothing.
    """
    refuse_compressed(path, file.read(8))
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    try:
        tar = tarfile.open(fileobj=file, mode="r:", encoding="utf-8")  # noqa: SIM115
    except (tarfile.TarError, ValueError):
        return Listing([], "not a tar" if size else "the file is empty")
    members: list[Member] = []
    try:
        for info in _infos(tar):
            if info.issparse():
                raise CurationError(
                    f"{path}: {info.name} is stored as a sparse file and cannot be read in its "
                    "place; pack the tar again without --sparse"
                )
            is_cut = info.offset_data + info.size > size
            place = info.name, info.offset_data, info.size
            members.append(Member(*place, is_file=info.isreg(), is_cut=is_cut))
    except (tarfile.TarError, ValueError, RecursionError):
        pass  # told by what stands where the members end
    stopped = file.tell()
    file.seek(tar.offset)
    if file.read(tarfile.BLOCKSIZE) == bytes(tarfile.BLOCKSIZE):
        return Listing(members, None)
    if stopped >= size:
        return Listing(members, "the tar ends early")
    return Listing(members, f"the tar is damaged: at byte {tar.offset}")


def refuse_compressed(path: Location, start: bytes = b"") -> None:
    """Raises:
    CurationError: the file's name or its first bytes are those of a compressed tar.
    """
    by_bytes = next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), None)
    if by_bytes or path.name.lower().endswith(COMPRESSED):
        how = f" with {by_bytes}" if by_bytes else ""
        raise CurationError(
            f"{path} is compressed{how}: images are read in their place, so unpack it to a "
            "plain .tar (images hardly shrink)"
        )


def _infos(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while (info := tar.next()) is not None:
        # Or the tar would remember every header of a file of millions.
        tar.members.clear()  # type: ignore[attr-defined]
        if info.size < 0:
            raise ValueError("a negative size leads back to what was read")
        if not info.isdir():
            yield info
