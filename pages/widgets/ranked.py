"""A catalog whose samples tell their percentiles by two scores too, for a gallery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.catalog import Catalog
from curation.columns import ColumnInfo
from curation.compare import Ranks


class RankedCatalog:
    """The catalog in everything, and two columns more: ``shown`` names what cards should say."""

    def __init__(self, catalog: Catalog, a: str, b: str, compared: Ranks) -> None:
        self._catalog = catalog
        self._compared = compared
        self._percentiles = (f"percentile of {a}", f"percentile of {b}")
        self.shown = (a, self._percentiles[0], b, self._percentiles[1])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._catalog, name)

    def __len__(self) -> int:
        return len(self._catalog)

    def column(self, name: str) -> ColumnInfo:
        if name in self._percentiles:
            return ColumnInfo(name, "detail", "INTEGER", "percentile")
        return self._catalog.column(name)

    def rows(self, rowids: Sequence[int] | NDArray[np.integer[Any]]) -> list[dict[str, Any]]:
        found = self._catalog.rows(rowids)
        places = np.array([row["row_id"] for row in found], dtype=np.int64)
        for name, values in zip(self._percentiles, self._compared.percentiles(places), strict=True):
            for row, value in zip(found, values, strict=True):
                # Whole ones below, as one says: the best is in the 99th.
                row[name] = None if np.isnan(value) else int(value)
        return found
