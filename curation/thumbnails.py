"""Small pictures of samples, made when first looked at and kept in the workspace."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from curation import images
from curation.catalog import image_ref
from curation.errors import CurationError
from curation.files import atomic
from curation.workspace import Workspace

SIDE = 256


def load(
    workspace: Workspace, image_root: Path, rows: Sequence[dict[str, Any]]
) -> list[bytes | None]:
    """JPEGs no longer than SIDE pixels, one a row of ``Catalog.rows``; None where there is none."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda row: _one(workspace, image_root, row), rows))


def _one(workspace: Workspace, image_root: Path, row: dict[str, Any]) -> bytes | None:
    if row["image_file"] is None:
        return None
    uid = str(row["uid"])
    kept = workspace.thumbnails / uid[:2] / f"{uid}.jpg"
    if _is_newer(kept, image_root / str(row["image_file"])):
        return kept.read_bytes()
    try:
        small = images.thumbnail(image_ref(row).read(image_root), SIDE)
    except CurationError:
        return None
    try:
        with atomic(kept) as partial:
            partial.write_bytes(small)
    except (CurationError, OSError):
        # A workspace that cannot be written is still good to look at.
        return small
    return small


def _is_newer(kept: Path, source: Path) -> bool:
    try:
        return kept.stat().st_mtime_ns >= source.stat().st_mtime_ns
    except OSError:
        return False
