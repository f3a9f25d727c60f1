"""The uids of a catalog's samples: looked up in the database, or all in memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from curation import uids
from curation.catalog.database import Database

# Up to this many uids are looked up. Reading all takes seconds and 160 MB at ten million samples.
_MAX_LOOKUPS = 10_000


class UidIndex:
    """From uid to rowid, and back.

    Args:
        database: holds a table ``samples`` with a column ``uid``.
        count: the number of its rows.
    """

    def __init__(self, database: Database, count: int) -> None:
        self._database = database
        self._count = count

    @cached_property
    def words(self) -> uids.Words:
        """The uid of every sample in 128-bit form, (N, 2) uint64 by rowid; kept once it is read."""
        words = np.empty((self._count, 2), dtype=np.uint64)
        start = 0
        for batch in self._database.stream("SELECT uid FROM samples"):
            words[start : start + len(batch)] = uids.to_words(batch.column(0))
            start += len(batch)
        return words

    def words_of(self, rowids: NDArray[np.int64]) -> uids.Words:
        """The uids of some samples in 128-bit form, (n, 2) uint64, in the order of ``rowids``."""
        if self._is_loaded or len(rowids) > _MAX_LOOKUPS:
            return self.words[rowids]
        wanted = rowids.tolist()
        query = "SELECT rowid, uid FROM samples WHERE rowid IN (SELECT unnest($1::BIGINT[]))"
        uid_of = dict(self._database.tuples(query, [wanted]))
        return uids.to_words([uid_of[row] for row in wanted])

    def find_rows(self, wanted: Sequence[str]) -> dict[str, int]:
        """The rowid of each uid that the catalog holds, in the order of the uids.

        A repeated uid is a key once, as it is written first.

        Raises:
            ValueError: an entry is not a uid.
        """
        if not wanted:
            return {}
        words = uids.to_words(wanted)
        first = uids.first_occurrences(words)
        if self._is_loaded or len(first) > _MAX_LOOKUPS:
            positions = uids.find(self.words, words[first])
            rows = {int(positions[row]): int(row) for row in np.flatnonzero(positions >= 0)}
        else:
            lookups = [uids.to_hex(words[first]).to_pylist(), list(range(len(first)))]
            table = "(SELECT unnest($1) AS uid, unnest($2) AS i)"
            query = f"SELECT i, rowid FROM samples JOIN {table} USING (uid)"
            rows = dict(self._database.tuples(query, lookups))
        return {wanted[first[position]]: rows[position] for position in sorted(rows)}

    @property
    def _is_loaded(self) -> bool:
        return "words" in self.__dict__
