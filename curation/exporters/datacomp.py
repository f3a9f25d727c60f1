"""DataComp's subset file: the sorted uids as a ``u8,u8`` array, for its resharder."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from curation import uids
from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.exporters.base import ColumnChoice, LeftOut, Look, Order
from curation.storage import matrices

DTYPE = np.dtype("u8,u8")


class DatacompExporter:
    name = "datacomp"
    extension = ".npy"
    title = "DataComp subset"
    description = "the sorted uids as a u8,u8 .npy, as DataComp's resharder reads them"
    takes_columns: ColumnChoice = "none"
    takes_shard_size = False
    sorts = True
    uid_bytes: int | None = 16

    def default_columns(self, catalog: Catalog) -> list[str]:
        return ["uid"]

    def write(self, order: Order, path: Path) -> Sequence[LeftOut]:
        ranked = np.ascontiguousarray(order.selection.ranked)
        matrices.save(path, ranked.view(DTYPE).ravel())
        # The resharder does not notice an unsorted file: it silently loses samples.
        found = load(path)
        if not (np.array_equal(found, ranked) and uids.is_sorted(found)):
            raise CurationError(f"{path} does not read back as it was written; is the disk full?")
        order.advance(len(ranked))
        return []

    def look(self, path: Path) -> Look:
        words = load(path)
        names = uids.to_hex(words).to_pylist()
        # As text: so large a number is none in a browser.
        return Look(
            rows=tuple(
                {"u8,u8": f"({first}, {second})", "uid": name}
                for (first, second), name in zip(words.tolist(), names, strict=True)
            )
        )


def resharder(path: Path) -> str:
    """The command that makes shards of a subset file's samples: DataComp's ``resharder.py``."""
    return (
        "python resharder.py --input-dir SHARDS --output-dir NEW_SHARDS "
        f"--subset-file {shlex.quote(str(path))}"
    )


def load(path: Path) -> uids.Words:
    """The uids (M, 2) of a DataComp subset file.

    Raises:
        CurationError: the file is not one.
    """
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CurationError(f"{path} is not a .npy file of uids: {error}") from None
    if not isinstance(array, np.ndarray):
        raise CurationError(f"{path} is not a .npy file of uids but a .npz")
    if array.dtype != DTYPE or array.ndim != 1:
        raise CurationError(f"{path} holds {array.dtype}; a DataComp subset holds u8,u8")
    return array.view("u8").reshape(-1, 2)
