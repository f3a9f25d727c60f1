"""The embeddings of a catalog's samples by rowid, memory-mapped shard by shard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.pipeline.ready_made import location, open_rows
from curation.scores.shared.normalize import unit
from curation.storage.workspace import Workspace

Side = Literal["image", "text"]
Rows = NDArray[np.floating[Any]]
Rowids = NDArray[np.int64]


@dataclass(frozen=True)
class ShardRows:
    """A shard's embeddings.

    Attributes:
        rowids: int64 (n,); −1 for rows that are not in the catalog.
        rows: (n, d) as stored, of approximately unit length; NaN for samples without an embedding.
    """

    rowids: Rowids
    rows: Rows


def iter_shards(
    workspace: Workspace, catalog: Catalog, side: Side, model: str | None = None
) -> Iterator[ShardRows]:
    """The embeddings of every sample, shard by shard, in the order of the catalog.

    Args:
        model: by default the model of the catalog's columns that name no model.

    Raises:
        CurationError: that side or model has no embeddings, or they changed after the
            catalog was published.
    """
    folder = workspace.embeddings(model or catalog.dataset.model)
    for shard, rowids in enumerate(_rowids(catalog)):
        try:
            rows = open_rows(location(folder, shard, side))
        except CurationError as problem:
            raise CurationError(f"the embeddings of {side}s cannot be read: {problem}") from None
        if len(rows) != len(rowids):
            raise CurationError(
                f"{folder.path} has changed since the catalog was published; score it again"
            )
        yield ShardRows(rowids, rows)


def load(
    workspace: Workspace,
    catalog: Catalog,
    side: Side,
    rowids: Sequence[int] | Rowids,
    model: str | None = None,
) -> NDArray[np.float32]:
    """Unit embeddings of some samples, float32 (n, d), in the order of ``rowids``; NaN if missing.

    Raises:
        CurationError: as ``iter_shards``.
    """
    wanted = np.asarray(rowids, dtype=np.int64)
    result: NDArray[np.float32] | None = None
    for part in iter_shards(workspace, catalog, side, model):
        if result is None:
            result = np.full((len(wanted), part.rows.shape[1]), np.nan, dtype=np.float32)
        known = np.flatnonzero(part.rowids >= 0)
        first, last = (part.rowids[known[k]] if len(known) else -1 for k in (0, -1))
        in_shard = np.flatnonzero((wanted >= first) & (wanted <= last))
        if len(in_shard):
            stored = known[np.searchsorted(part.rowids[known], wanted[in_shard])]
            rows, bad = unit(part.rows[stored])
            rows[bad] = np.nan
            result[in_shard] = rows
    if result is None:
        raise CurationError("the catalog has no samples")
    return result


def _rowids(catalog: Catalog) -> Iterator[Rowids]:
    """For each shard, the rowid of each row; −1 if the row is not in the catalog."""
    first = 0
    for samples, dropped in catalog.shards:
        kept = np.ones(samples, dtype=bool)
        kept[dropped] = False
        rowids = np.full(samples, -1, dtype=np.int64)
        rowids[kept] = np.arange(first, first + samples - len(dropped))
        first += samples - len(dropped)
        yield rowids
