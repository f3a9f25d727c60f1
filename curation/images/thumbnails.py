"""Small pictures of samples, made when first looked at and kept in the workspace.

An image on the web that could not be had is not asked for again for some minutes, however often a
page is drawn.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import Any

from curation.errors import CurationError
from curation.images import decode
from curation.images.location import COLUMNS, ImageRef
from curation.storage import locations
from curation.storage.atomic import atomic
from curation.storage.locations import Location
from curation.storage.workspace import Workspace

SIDE = 256
# Threads that decode, and that wait for the web.
DECODERS = 8
FETCHERS = 24
# Seconds until a second look asks for an image again, and how many failures are remembered.
PATIENCE = 300.0
REMEMBERED = 10_000

_decoding = BoundedSemaphore(DECODERS)
_failed: dict[str, tuple[float, str]] = {}
_lock = Lock()


def load(
    workspace: Workspace,
    image_root: Location,
    rows: Sequence[dict[str, Any]],
    from_the_web: bool = False,
) -> list[bytes | None]:
    """JPEGs no longer than SIDE pixels, one a row of ``Catalog.rows``; None where there is none.

    Args:
        from_the_web: whether images that are only an address are fetched; there are none of them
            otherwise, though one may have been fetched before.
    """
    with ThreadPoolExecutor(FETCHERS if from_the_web else DECODERS) as pool:
        return list(pool.map(lambda row: _one(workspace, image_root, row, from_the_web), rows))


def failure(url: str) -> str | None:
    """Why there was no picture at an address when it was last asked, some minutes ago at most."""
    with _lock:
        until, reason = _failed.get(url, (0.0, ""))
    return reason if time.monotonic() < until else None


def _one(
    workspace: Workspace, image_root: Location, row: dict[str, Any], from_the_web: bool
) -> bytes | None:
    # A catalog of an earlier version lacks some of the columns.
    ref = ImageRef.of(dict.fromkeys(COLUMNS) | row)
    if ref is None or (ref.is_on_the_web and not from_the_web):
        return None
    uid = str(row["uid"])
    kept = workspace.thumbnails / uid[:2] / f"{uid}.jpg"
    if _is_good(kept, ref, image_root):
        return kept.read_bytes()
    if ref.url is not None and ref.is_on_the_web and failure(ref.url) is not None:
        return None
    try:
        data = ref.read(image_root)
        with _decoding:
            small = decode.thumbnail(data, SIDE)
    except CurationError as problem:
        if ref.url is not None and ref.is_on_the_web:
            _remember(ref.url, str(problem))
        return None
    try:
        with atomic(kept) as partial:
            partial.write_bytes(small)
    except (CurationError, OSError):
        # A workspace that cannot be written is still good to look at.
        return small
    return small


def _remember(url: str, reason: str) -> None:
    with _lock:
        if len(_failed) >= REMEMBERED:
            _failed.clear()
        _failed[url] = (time.monotonic() + PATIENCE, reason)


def _is_good(kept: Path, ref: ImageRef, image_root: Location) -> bool:
    """Whether a thumbnail is there, and no older than a local file that it was made of."""
    try:
        made = kept.stat().st_mtime_ns
        if ref.file is None or not locations.is_local(image_root):
            return True
        return made >= (image_root / ref.file).stat().st_mtime_ns
    except OSError:
        return False
