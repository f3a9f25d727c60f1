"""Columns as arrays, each read once and kept while it is in use."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict, defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from curation.ranks import Ranks

# Columns in memory: more than a page shows, 40 MB each at ten million samples.
_KEPT = 12


class Arrays(ABC):
    """Numeric columns in memory, those last asked for; safe to share between threads."""

    def __init__(self) -> None:
        self._arrays: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._ranks: dict[str, Ranks] = {}
        self._lock = threading.Lock()
        # One a column, so that two columns can be read at once and none is read twice.
        self._turns: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)

    @abstractmethod
    def _read(self, name: str) -> NDArray[np.float32]:
        """A column, (N,) by rowid, NaN where missing."""

    def array(self, name: str) -> NDArray[np.float32]:
        """A numeric column, shape (N,), float32, NaN where missing, by rowid. Do not change it.

        Raises:
            CurationError: there is no such column, or it does not hold numbers.
        """
        with self._turns[name]:
            array = self._arrays.get(name)
            if array is None:
                array = self._read(name)
                array.flags.writeable = False
            self._keep(name, array)
            return array

    def ranks(self, name: str) -> Ranks:
        """Where a numeric column's known values stand, without sorting them."""
        with self._turns[name]:
            values = self.array(name)
            if name not in self._ranks:
                self._ranks[name] = Ranks(values)
            return self._ranks[name]

    def once(self, name: str) -> NDArray[np.float32]:
        """As ``array``, for a single look: a column that is not in memory is read and not kept."""
        with self._turns[name]:
            array = self._arrays.get(name)
            return self._read(name) if array is None else array

    def read_ahead(self, names: Sequence[str], wait: bool = True) -> None:
        """Read columns side by side, before they are asked for one by one."""
        asked = [name for name in dict.fromkeys(names) if name not in self._ranks]
        threads = [threading.Thread(target=self.ranks, args=(name,)) for name in asked]
        for thread in threads:
            thread.start()
        for thread in threads if wait else ():
            thread.join()

    def _keep(self, name: str, array: NDArray[np.float32]) -> None:
        with self._lock:
            self._arrays[name] = array
            self._arrays.move_to_end(name)
            while len(self._arrays) > _KEPT:
                oldest, _ = self._arrays.popitem(last=False)
                self._ranks.pop(oldest, None)
