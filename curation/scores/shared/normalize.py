"""Rows at unit length, checks of embeddings, and chunks of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.scores.base import Floats, Rows

# Between this and its inverse, a squared length has the full precision of float32.
_SMALL = 1e-20
# A model's float16 rows are within this of unit length.
_TOLERANCE = 1e-2


def unit(rows: Rows) -> tuple[Floats, NDArray[np.bool_]]:
    """Rows scaled to unit length, and which rows cannot be scaled.

    Args:
        rows: shape (N, d), any float type and any length.

    Returns:
        Unit rows, shape (N, d), float32; zeros where a row cannot be scaled. And whether it cannot
        (it is zero or not finite), shape (N,), bool.
    """
    with np.errstate(all="ignore"):
        plain = np.asarray(rows, dtype=np.float32)
        squares = np.einsum("ij,ij->i", plain, plain)
        scaled = plain / np.sqrt(squares)[:, None]
    odd = np.flatnonzero(~((squares > _SMALL) & (squares < 1 / _SMALL)))
    bad = np.zeros(len(rows), dtype=bool)
    if len(odd):
        # float64 holds the square of every float32 number.
        wide = np.asarray(rows[odd], dtype=np.float64)
        norms = lengths(wide)
        bad[odd] = ~np.isfinite(norms) | (norms == 0)
        with np.errstate(all="ignore"):
            scaled[odd] = wide / norms[:, None]
        scaled[bad] = 0
    return scaled, bad


@dataclass(frozen=True)
class Check:
    """Rows that are unlike a model's embeddings.

    Attributes:
        zero, not_finite: the indices of the rows that cannot be scaled to unit length.
        not_unit: how many of the others are not of unit length.
    """

    zero: NDArray[np.int64]
    not_finite: NDArray[np.int64]
    not_unit: int


def check(rows: Rows) -> Check:
    """Find rows (N, d) that are unlike a model's embeddings, in chunks."""
    norms = np.concatenate([np.empty(0), *(lengths(rows[part]) for part in chunks(len(rows)))])
    good = np.isfinite(norms) & (norms > 0)
    not_unit = int(np.count_nonzero(good & (np.abs(norms - 1) > _TOLERANCE)))
    return Check(np.flatnonzero(norms == 0), np.flatnonzero(~np.isfinite(norms)), not_unit)


def lengths(rows: Rows) -> NDArray[np.float64]:
    """The Euclidean length of each row (N, d): (N,), float64; NaN or infinite where the row is."""
    wide = np.asarray(rows, dtype=np.float64)
    result: NDArray[np.float64] = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    return result


def unusable(rows: Rows) -> NDArray[np.bool_]:
    """Which rows (N, d) cannot be scaled to unit length, because zero or not finite: (N,)."""
    result: NDArray[np.bool_] = ~np.isfinite(rows).all(axis=1) | ~(rows != 0).any(axis=1)
    return result


def chunks(length: int, size: int = 8192) -> Iterator[slice]:
    """Consecutive slices of ``size`` that cover ``range(length)``; the last may be shorter."""
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))
