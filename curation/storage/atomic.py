"""Writing files so that they are whole or absent, and naming their content."""

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
    """Yield a temporary path beside ``final``; rename it there when the block ends well.

    Works for one file or one folder. A block that raises leaves nothing behind, and whoever
    has the old ``final`` open keeps it. A folder replaces an older folder of that name.

    Raises:
        CurationError: the folder cannot be written.
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
        # Where it could not be written there is nothing to take away.
        with suppress(OSError):
            if partial.is_dir():
                shutil.rmtree(partial, ignore_errors=True)
            else:
                partial.unlink()


def _exchange(new: Path, final: Path) -> None:
    """Put a folder in another's place: the old one is whole until the new one is there."""
    old = new.with_suffix(".old")
    final.replace(old)
    try:
        new.replace(final)
    except OSError:
        old.replace(final)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _cannot_write(final: Path, error: OSError) -> CurationError:
    # Arrow's own words are longer than what happened.
    reason = os.strerror(error.errno) if error.errno else error
    return CurationError(f"cannot write {final}: {reason}; choose a place you may write to")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(*parts: object) -> str:
    """A short name (16 hex digits) for a combination of values; equal values, equal name."""
    text = "\x1f".join(repr(part) for part in parts)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
