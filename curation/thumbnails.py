"""Small pictures of samples, made when first looked at and kept in the workspace."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from curation import images, places
from curation.errors import CurationError
from curation.files import atomic
from curation.image_ref import ImageRef
from curation.places import Place
from curation.workspace import Workspace

SIDE = 256


def load(
    workspace: Workspace,
    image_root: Place,
    rows: Sequence[dict[str, Any]],
    from_the_web: bool = False,
) -> list[bytes | None]:
    """JPEGs no longer than SIDE pixels, one a row of ``Catalog.rows``; None where there is none.

    Args:
        from_the_web: whether images that are only an address are fetched.
    """
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda row: _one(workspace, image_root, row, from_the_web), rows))


def _one(
    workspace: Workspace, image_root: Place, row: dict[str, Any], from_the_web: bool
) -> bytes | None:
    ref = ImageRef.of(row)
    if ref is None:
        return None
    uid = str(row["uid"])
    kept = workspace.thumbnails / uid[:2] / f"{uid}.jpg"
    if _is_good(kept, ref, image_root):
        return kept.read_bytes()
    if ref.is_on_the_web and not from_the_web:
        return None
    try:
        small = images.thumbnail(ref.read(image_root), SIDE)
    except CurationError:
        return None
    try:
        with atomic(kept) as partial:
            partial.write_bytes(small)
    except (CurationError, OSError):
        # A workspace that cannot be written is still good to look at.
        return small
    return small


def _is_good(kept: Path, ref: ImageRef, image_root: Place) -> bool:
    """Whether a thumbnail is there, and no older than a local file that it was made of."""
    try:
        made = kept.stat().st_mtime_ns
        if ref.file is None or not places.is_local(image_root):
            return True
        return made >= (image_root / ref.file).stat().st_mtime_ns
    except OSError:
        return False
