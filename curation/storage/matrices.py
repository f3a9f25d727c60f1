"""Embedding matrices in ``.npy`` and ``.npz`` files, memory-mapped where possible.

A ``.npz`` is a zip of ``.npy`` files. ``np.savez`` does not compress them, so a member is mapped
inside the zip; ``np.savez_compressed`` deflates them, so a member is read into memory.
"""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from curation.errors import CurationError
from curation.storage import locations
from curation.storage.locations import Location

Rows = NDArray[np.floating[Any]]

# A zip's local file header: 26 bytes, then the lengths of the name and extra field that follow.
_LOCAL_HEADER = struct.Struct("<26xHH")

# What NumPy and zipfile raise for files that are damaged or of another format.
DAMAGED = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    SyntaxError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class Matrix:
    """Rows ``start`` to ``stop`` (exclusive) of a ``.npy``, or of a member of a ``.npz``."""

    file: Location
    member: str | None = None
    start: int = 0
    stop: int | None = None

    @property
    def name(self) -> str:
        """The name for display: that of the member or the file."""
        return self.member or self.file.name

    def open(self) -> Rows:
        """The rows (N, d), read-only.

        Raises:
            CurationError: as ``open_matrix``.
        """
        return open_matrix(self.file, self.member)[self.start : self.stop]


def open_matrix(path: Location, member: str | None = None) -> Rows:
    """A matrix of floats (N, d), read-only; memory-mapped if it is local and not compressed.

    Args:
        member: which array of a ``.npz``, as in ``np.load(path)[member]``.

    Raises:
        CurationError: the file or member does not exist, is not a matrix of floats, or is cut off.
    """
    try:
        if member is not None:
            return _member(path, member)
        with locations.open_binary(path) as file:
            if isinstance(path, Path):
                return _mapped(path, file, path.stat().st_size)
            return _read(path, file)
    except FileNotFoundError:
        raise CurationError(f"{path} does not exist") from None
    except DAMAGED as error:
        where = path if member is None else f"{member} in {path}"
        raise CurationError(f"{where} cannot be read as a matrix: {error}") from None


def save(path: Path, rows: NDArray[Any]) -> None:
    """Write an array as a ``.npy`` file.

    Unlike ``np.save``, it raises an error if the disk is full and the last bytes do not fit.

    Raises:
        OSError: the file cannot be written.
    """
    whole = np.ascontiguousarray(rows)
    with path.open("wb") as file:
        header = np.lib.format.header_data_from_array_1_0(whole)
        np.lib.format.write_array_header_1_0(file, header)
        file.write(whole.data if whole.size else b"")


def members(path: Location) -> list[str]:
    """The names of the arrays in a ``.npz``.

    Raises:
        CurationError: the file is not a ``.npz``.
    """
    try:
        with locations.open_binary(path) as file, zipfile.ZipFile(file) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except DAMAGED as error:
        raise CurationError(f"{path} cannot be read as a .npz: {error}") from None


def _member(path: Location, member: str) -> Rows:
    names = members(path)
    if member not in names:
        raise CurationError(f"{path} holds no {member}; it holds {', '.join(names) or 'nothing'}")
    with locations.open_binary(path) as file, zipfile.ZipFile(file) as archive:
        info = archive.getinfo(f"{member}.npy")
        if info.compress_type == zipfile.ZIP_STORED and isinstance(path, Path):
            file.seek(info.header_offset)
            name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
            file.seek(name_length + extra_length, 1)
            return _mapped(path, file, file.tell() + info.file_size)
        with archive.open(info) as unpacked:
            return _read(path, unpacked)


def _read(path: Location, file: IO[bytes]) -> Rows:
    array = np.lib.format.read_array(file, allow_pickle=False)
    _check(path, array.shape, array.dtype)
    array.flags.writeable = False
    rows: Rows = array
    return rows


def _mapped(path: Path, file: IO[bytes], end: int) -> Rows:
    """Map the array whose ``.npy`` header starts here and which must end by byte ``end``."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
    _check(path, shape, dtype)
    if file.tell() + shape[0] * shape[1] * dtype.itemsize > end:
        raise ValueError("it is cut off")
    # mmap refuses empty files.
    if not all(shape):
        return np.empty(shape, dtype)
    order = "F" if fortran else "C"
    rows: Rows = np.memmap(path, dtype, "r", file.tell(), shape, order)  # type: ignore[call-overload]
    return rows


def _check(path: Location, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if dtype.kind != "f" or len(shape) != 2:
        raise CurationError(
            f"{path} holds an array of {dtype} of shape {shape}; "
            "expected a matrix of floats, one row a sample"
        )
