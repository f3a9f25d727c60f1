"""The uids of a catalog's samples: of all, read once and kept, or of a few, looked up."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation import uids

# Samples that are looked up: those of all take seconds and 160 MB at ten million.
_FEW = 10_000


class Identified(ABC):
    """Samples with a uid each, in a table ``samples``."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def _stream(self, query: str) -> Iterator[pa.RecordBatch]: ...

    @abstractmethod
    def _all(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...

    @cached_property
    def words(self) -> uids.Words:
        """Every sample's uid in 128-bit form, shape (N, 2), by rowid."""
        words = np.empty((len(self), 2), dtype=np.uint64)
        read = 0
        for batch in self._stream("SELECT uid FROM samples"):
            words[read : read + len(batch)] = uids.to_words(batch.column(0))
            read += len(batch)
        return words

    def words_of(self, rowids: NDArray[np.int64]) -> uids.Words:
        """Some samples' uids, as ``words``."""
        if "words" in self.__dict__ or len(rowids) > _FEW:
            return self.words[rowids]
        asked = rowids.tolist()
        query = "SELECT rowid, uid FROM samples WHERE rowid IN (SELECT unnest($1::BIGINT[]))"
        found = dict(self._all(query, [asked]))
        return uids.to_words([found[row] for row in asked])

    def located(self, wanted: Sequence[str]) -> dict[str, int]:
        """The rowids of those of some uids that are here, in the order of the uids.

        Raises:
            ValueError: one of them is no uid.
        """
        if not wanted:
            return {}
        asked = uids.to_words(wanted)
        first = uids.first_of_each(asked)
        if "words" in self.__dict__ or len(first) > _FEW:
            place = uids.find(self.words, asked[first])
            rows = {int(place[row]): int(row) for row in np.flatnonzero(place >= 0)}
        else:
            known = [uids.to_hex(asked[first]).to_pylist(), list(range(len(first)))]
            few = "(SELECT unnest($1) AS uid, unnest($2) AS i)"
            rows = dict(self._all(f"SELECT i, rowid FROM samples JOIN {few} USING (uid)", known))
        return {wanted[first[place]]: rows[place] for place in sorted(rows)}
