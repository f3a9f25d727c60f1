"""Float32 cosines of many embeddings with one query, fast enough to scan a dataset.

They are rough: the caller computes exact ones for the few rows that come near its cutoff. With
torch installed, float16 rows are widened by torch, which is about eight times as fast as NumPy.
"""

from __future__ import annotations

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from curation.analysis.embedding_store import Rows
from curation.extras import can_embed

Cosines: TypeAlias = NDArray[np.float32]

# dtypes that torch reads without a copy.
_NATIVE = (np.float16, np.float32, np.float64)


class RoughCosines:
    """Cosines with one query, a chunk of rows at a time. Use one object per thread.

    Attributes:
        error: upper bound on the rounding error of a cosine: that of a d-term dot product.
    """

    def __init__(self, query: NDArray[np.float64], chunk: int) -> None:
        """
        Args:
            query: shape (d,), of unit length.
            chunk: the largest number of rows in one call.
        """
        self.error = (len(query) + 8) * float(np.finfo(np.float32).eps)
        self._query = query.astype(np.float32)
        self._torch_buffer: Any = None
        if can_embed():
            import torch

            self._torch_buffer = torch.empty((chunk, len(query)))

    def of(self, rows: Rows) -> Cosines:
        """Cosines of rows of any length and float type, shape (n, d); NaN for rows that are zero.

        Returns:
            float32, shape (n,).
        """
        if self._torch_buffer is None:
            wide = rows.astype(np.float32)
            lengths = np.sqrt(np.einsum("ij,ij->i", wide, wide))
            with np.errstate(divide="ignore", invalid="ignore"):
                cosines: Cosines = np.einsum("ij,j->i", wide, self._query) / lengths
            return cosines
        import torch

        wide_rows = self._torch_buffer[: len(rows)].copy_(_shared(rows))
        products = torch.mv(wide_rows, torch.from_numpy(self._query))
        roughly: Cosines = (products / torch.linalg.vector_norm(wide_rows, dim=1)).numpy()
        return roughly


def _shared(rows: Rows) -> Any:
    """The rows as a tensor that shares their memory and is only read."""
    import torch

    if rows.dtype not in _NATIVE:
        rows = rows.astype(np.float32)
    with warnings.catch_warnings():
        # torch warns that it could write to memory that is mapped read-only.
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(rows)


@cache
def threads() -> ThreadPoolExecutor:
    """A thread per core, each with torch limited to one thread of its own.

    torch's own threads synchronize after every step, which makes a scan several times slower where
    other work shares the cores.
    """
    if not can_embed():
        return ThreadPoolExecutor(len(os.sched_getaffinity(0)), "search")
    import torch

    count = torch.get_num_threads()
    started = Barrier(count + 1)

    def limit() -> None:
        torch.set_num_threads(1)
        started.wait()

    pool = ThreadPoolExecutor(count, "search", initializer=limit)
    for _ in range(count):
        pool.submit(int)
    started.wait()
    # set_num_threads() also changes the default of new threads, so restore it.
    torch.set_num_threads(count)
    return pool
