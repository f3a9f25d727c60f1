"""Columns as arrays, each read once and kept while it is in use."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.catalog.ranks import Ranks

# Columns in memory: more than a page shows, 40 MB each at ten million samples.
_MOST = 12


@dataclass
class _Column:
    array: NDArray[np.float32]
    ranks: Ranks | None = None


class Arrays(ABC):
    """Numeric columns in memory, those last asked for; safe to share between threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Column] = OrderedDict()
        self._lock = threading.Lock()
        # One a column, so that two columns can be read at once and none is read twice.
        self._turns: dict[str, threading.RLock] = {}

    @abstractmethod
    def _read(self, name: str) -> NDArray[np.float32]:
        """A column, (N,) by rowid, NaN where missing."""

    def array(self, name: str) -> NDArray[np.float32]:
        """A numeric column, shape (N,), float32, NaN where missing, by rowid. Do not change it.

        Raises:
            CurationError: there is no such column, or it does not hold numbers.
        """
        return self._column(name).array

    def ranks(self, name: str) -> Ranks:
        """Where a numeric column's known values stand, without sorting them."""
        with self._turn(name):
            column = self._column(name)
            if column.ranks is None:
                column.ranks = Ranks(column.array)
            return column.ranks

    def once(self, name: str) -> NDArray[np.float32]:
        """As ``array``, for a single look: a column that is not in memory is read and not kept."""
        with self._turn(name):
            column = self._kept.get(name)
            return self._read(name) if column is None else column.array

    def read_ahead(self, names: Sequence[str], wait: bool = True) -> None:
        """Read columns side by side, before they are asked for one by one."""
        known = {name for name, column in list(self._kept.items()) if column.ranks is not None}
        asked = [name for name in dict.fromkeys(names) if name not in known]
        threads = [threading.Thread(target=self.ranks, args=(name,)) for name in asked]
        for thread in threads:
            thread.start()
        for thread in threads if wait else ():
            thread.join()

    def _turn(self, name: str) -> threading.RLock:
        with self._lock:
            return self._turns.setdefault(name, threading.RLock())

    def _column(self, name: str) -> _Column:
        with self._turn(name):
            column = self._kept.get(name)
            if column is None:
                column = _Column(self._read(name))
                column.array.flags.writeable = False
            with self._lock:
                self._kept[name] = column
                self._kept.move_to_end(name)
                while len(self._kept) > _MOST:
                    self._kept.popitem(last=False)
            return column
