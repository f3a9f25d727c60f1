"""DataComp's subset file: the sorted uids as an .npy array of dtype ``u8,u8``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from curation import uids
from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.exporters.base import ColumnChoice, ExportRequest, LeftOut, Preview
from curation.storage import matrices

DTYPE = np.dtype("u8,u8")


class DatacompExporter:
    name = "datacomp"
    extension = ".npy"
    title = "DataComp subset"
    description = "sorted uids as a u8,u8 .npy array, for DataComp's resharder"
    takes_columns: ColumnChoice = "none"
    takes_shard_size = False
    sorts_by_uid = True
    bytes_per_uid: int | None = 16

    def default_columns(self, catalog: Catalog) -> list[str]:
        return ["uid"]

    def write(self, request: ExportRequest, path: Path) -> Sequence[LeftOut]:
        words = np.ascontiguousarray(request.selection.sorted_uids)
        matrices.save(path, words.view(DTYPE).ravel())
        # Check, because the resharder loses samples of an unsorted file without an error.
        saved = load(path)
        if not (np.array_equal(saved, words) and uids.is_sorted(saved)):
            raise CurationError(
                f"{path} does not contain what was written to it; check that the disk is not full"
            )
        request.advance(len(words))
        return []

    def preview(self, path: Path) -> Preview:
        words = load(path)
        names = uids.to_hex(words).to_pylist()
        # As text, because a browser cannot show integers of 64 bits.
        return Preview(
            rows=tuple(
                {"u8,u8": f"({first}, {second})", "uid": name}
                for (first, second), name in zip(words.tolist(), names, strict=True)
            )
        )


def resharder_command(path: Path) -> str:
    """The command of DataComp's ``resharder.py`` that writes shards of a subset file's samples."""
    return (
        "python resharder.py --input-dir SHARDS --output-dir NEW_SHARDS "
        f"--subset-file {shlex.quote(str(path))}"
    )


def load(path: Path) -> uids.Words:
    """The uids of a DataComp subset file, (M, 2) uint64, in the file's order, repeats kept.

    Raises:
        CurationError: the file is not a DataComp subset file.
    """
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CurationError(f"{path} is not an .npy file of uids: {error}") from None
    if not isinstance(array, np.ndarray):
        raise CurationError(f"{path} is an .npz file; expected an .npy file of uids")
    if array.dtype != DTYPE or array.ndim != 1:
        raise CurationError(
            f"{path} has dtype {array.dtype} and {array.ndim} dimensions; "
            "a DataComp subset file has dtype u8,u8 and one dimension"
        )
    return array.view("u8").reshape(-1, 2)
