"""Numeric columns in memory, the most recently used."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.catalog.ranks import Ranks

Floats = NDArray[np.float32]

# More columns than a page shows. At ten million samples a column takes 40 MB, its ranks as much.
_CAPACITY = 12


@dataclass
class _Column:
    values: Floats
    ranks: Ranks | None = None


class ColumnCache:
    """Columns, each read once while it is in use. Safe to share between threads.

    Args:
        read: reads a column by its name: (N,) float32, NaN where missing.
    """

    def __init__(self, read: Callable[[str], Floats]) -> None:
        self._read = read
        self._columns: OrderedDict[str, _Column] = OrderedDict()
        self._lock = threading.Lock()
        # One lock a column: two columns can be read at once, and none is read twice.
        self._column_locks: dict[str, threading.RLock] = {}

    def array(self, name: str) -> Floats:
        """A column, (N,) float32, read-only."""
        return self._column(name).values

    def ranks(self, name: str) -> Ranks:
        """The order statistics of a column."""
        with self._column_lock(name):
            column = self._column(name)
            if column.ranks is None:
                column.ranks = Ranks(column.values)
            return column.ranks

    def read_uncached(self, name: str) -> Floats:
        """A column, (N,) float32; not kept in memory if it was not there already."""
        with self._column_lock(name):
            column = self._columns.get(name)
            return self._read(name) if column is None else column.values

    def preload(self, names: Sequence[str], wait: bool = True) -> None:
        """Read and rank columns in parallel, before they are needed one by one."""
        ranked = {name for name, column in list(self._columns.items()) if column.ranks is not None}
        missing = [name for name in dict.fromkeys(names) if name not in ranked]
        threads = [threading.Thread(target=self.ranks, args=(name,)) for name in missing]
        for thread in threads:
            thread.start()
        for thread in threads if wait else ():
            thread.join()

    def _column_lock(self, name: str) -> threading.RLock:
        with self._lock:
            return self._column_locks.setdefault(name, threading.RLock())

    def _column(self, name: str) -> _Column:
        with self._column_lock(name):
            column = self._columns.get(name)
            if column is None:
                column = _Column(self._read(name))
                column.values.flags.writeable = False
            with self._lock:
                self._columns[name] = column
                self._columns.move_to_end(name)
                while len(self._columns) > _CAPACITY:
                    self._columns.popitem(last=False)
            return column
