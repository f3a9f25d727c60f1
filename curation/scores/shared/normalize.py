"""What every score does to embeddings first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.scores.base import Floats, Rows

# Squared lengths that float32 holds to its full precision.
_SMALL = 1e-20
# float16 rows of a model stay within this of unit length.
_TOLERANCE = 1e-2


def unit(rows: Rows) -> tuple[Floats, NDArray[np.bool_]]:
    """Rows at unit length, float32, and which of them cannot be (zero, NaN or infinite).

    Rows that cannot be are returned as zeros.
    """
    with np.errstate(all="ignore"):
        plain = np.asarray(rows, dtype=np.float32)
        squares = np.einsum("ij,ij->i", plain, plain)
        scaled = plain / np.sqrt(squares)[:, None]
    odd = np.flatnonzero(~((squares > _SMALL) & (squares < 1 / _SMALL)))
    bad = np.zeros(len(rows), dtype=bool)
    if len(odd):
        # float64 holds the square of anything that float32 holds.
        wide = np.asarray(rows[odd], dtype=np.float64)
        norms = lengths(wide)
        bad[odd] = ~np.isfinite(norms) | (norms == 0)
        with np.errstate(all="ignore"):
            scaled[odd] = wide / norms[:, None]
        scaled[bad] = 0
    return scaled, bad


@dataclass(frozen=True)
class Check:
    """Rows that are not what a model makes: by number, zero or not finite; how many not unit."""

    zero: NDArray[np.int64]
    not_finite: NDArray[np.int64]
    not_unit: int


def check(rows: Rows) -> Check:
    """Look over embeddings that came from elsewhere, a chunk at a time."""
    long = np.concatenate([np.empty(0), *(lengths(rows[part]) for part in chunks(len(rows)))])
    good = np.isfinite(long) & (long > 0)
    other = int(np.count_nonzero(good & (np.abs(long - 1) > _TOLERANCE)))
    return Check(np.flatnonzero(long == 0), np.flatnonzero(~np.isfinite(long)), other)


def lengths(rows: Rows) -> NDArray[np.float64]:
    """The Euclidean length of each row; NaN or infinite where the row is."""
    wide = np.asarray(rows, dtype=np.float64)
    result: NDArray[np.float64] = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    return result


def unusable(rows: Rows) -> NDArray[np.bool_]:
    """Which rows cannot be brought to unit length: zero, NaN or infinite."""
    result: NDArray[np.bool_] = ~np.isfinite(rows).all(axis=1) | ~(rows != 0).any(axis=1)
    return result


def chunks(length: int, size: int = 8192) -> Iterator[slice]:
    """Slices that cover ``range(length)``."""
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))
