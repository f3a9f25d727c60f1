"""What every score does to embeddings first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from curation.scores.base import Floats, Rows


def unit(rows: Rows) -> tuple[Floats, NDArray[np.bool_]]:
    """Rows at unit length, float32, and which of them cannot be (zero, NaN or infinite).

    Rows that cannot be are returned as zeros.
    """
    # float64 holds the square of anything that float32 holds.
    wide = np.asarray(rows, dtype=np.float64)
    norms = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    bad = ~np.isfinite(norms) | (norms == 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = (wide / norms[:, None]).astype(np.float32)
    scaled[bad] = 0
    return scaled, bad


def chunks(length: int, size: int = 8192) -> Iterator[slice]:
    """Slices that cover ``range(length)``."""
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))
