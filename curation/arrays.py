"""Columns as arrays, each read once and kept."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from curation.ranks import Ranks


class Arrays(ABC):
    """Numeric columns in memory; safe to share between threads."""

    def __init__(self) -> None:
        self._arrays: dict[str, NDArray[np.float32]] = {}
        self._ranked: dict[str, NDArray[np.float32]] = {}
        self._ranks: dict[str, Ranks] = {}
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
            if name not in self._arrays:
                array = self._read(name)
                array.flags.writeable = False
                self._arrays[name] = array
            return self._arrays[name]

    def ranked(self, name: str) -> NDArray[np.float32]:
        """A numeric column's known values, ascending. Do not change it.

        Of a large column ``ranks`` tells a few places sooner.
        """
        values = self.array(name)
        with self._turns[name]:
            if name not in self._ranked:
                # NaN sorts last.
                ranked = np.sort(values)
                known = ranked[: len(ranked) - int(np.count_nonzero(np.isnan(values)))]
                known.flags.writeable = False
                self._ranked[name] = known
            return self._ranked[name]

    def ranks(self, name: str) -> Ranks:
        """Where a numeric column's known values stand, without sorting them."""
        values = self.array(name)
        with self._turns[name]:
            if name not in self._ranks:
                self._ranks[name] = Ranks(values)
            return self._ranks[name]

    def read_ahead(self, names: Sequence[str], wait: bool = True) -> None:
        """Read columns side by side, before they are asked for one by one."""
        asked = [name for name in dict.fromkeys(names) if name not in self._ranks]
        threads = [threading.Thread(target=self.ranks, args=(name,)) for name in asked]
        for thread in threads:
            thread.start()
        for thread in threads if wait else ():
            thread.join()
