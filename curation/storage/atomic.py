"""Atomic writes, and hashes of files and values."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from curation.errors import CurationError

_CANNOT_WRITE = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.EEXIST,
        errno.ENOTEMPTY,
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
        errno.ENAMETOOLONG,
        errno.ELOOP,
    }
)


@contextmanager
def atomic(final: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; rename it to ``final`` after the block.

    The block creates one file or one folder at that path. It replaces an existing file or folder
    of the same kind; a process that has the old file open keeps reading it. A block that raises
    leaves ``final`` as it was, and no temporary file.

    Raises:
        CurationError: ``final`` cannot be written: no permission, disk full, or the like.
    """
    partial = final.with_name(f".{final.name}.{uuid4().hex[:8]}.partial")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(final, error) from error
    try:
        yield partial
        if partial.is_dir() and final.is_dir():
            _exchange(partial, final)
        else:
            partial.replace(final)
    except OSError as error:
        if error.errno not in _CANNOT_WRITE:
            raise
        raise _cannot_write(final, error) from error
    finally:
        # If nothing could be written there is nothing to delete.
        with suppress(OSError):
            if partial.is_dir():
                shutil.rmtree(partial, ignore_errors=True)
            else:
                partial.unlink()


def _exchange(new: Path, final: Path) -> None:
    """Replace a folder; if that fails, the old one is put back."""
    old = new.with_suffix(".old")
    final.replace(old)
    try:
        new.replace(final)
    except OSError:
        old.replace(final)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _cannot_write(final: Path, error: OSError) -> CurationError:
    # Arrow's messages are long: use the operating system's.
    reason = os.strerror(error.errno) if error.errno else error
    return CurationError(
        f"cannot write {final}: {reason}; check the free space and your permissions, "
        "or choose another folder"
    )


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(*parts: object) -> str:
    """A hash of some values by their ``repr``, as 16 hex digits."""
    text = "\x1f".join(repr(part) for part in parts)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
