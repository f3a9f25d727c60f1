"""Thumbnails of samples, created on first use and cached in the workspace.

A download that failed is not repeated for some minutes, however often a page is drawn.
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
# Images that are decoded at once, and downloaded at once.
DECODERS = 8
FETCHERS = 24
# Seconds before a failed download is tried again.
RETRY_AFTER = 300.0
# Failed downloads that are remembered at most.
MAX_FAILURES = 10_000

_decoding = BoundedSemaphore(DECODERS)
_failed: dict[str, tuple[float, str]] = {}
_lock = Lock()


def load(
    workspace: Workspace,
    image_root: Location,
    rows: Sequence[dict[str, Any]],
    from_the_web: bool = False,
) -> list[bytes | None]:
    """JPEGs with sides of at most SIDE pixels, one for each row; None if there is no image.

    Args:
        rows: rows of ``Catalog.rows``.
        from_the_web: whether images that are only a URL are shown, and downloaded if necessary.
    """
    with ThreadPoolExecutor(FETCHERS if from_the_web else DECODERS) as pool:
        return list(pool.map(lambda row: _load_one(workspace, image_root, row, from_the_web), rows))


def failure(url: str) -> str | None:
    """Why the last download of a URL failed, if that was within RETRY_AFTER; None otherwise."""
    with _lock:
        until, reason = _failed.get(url, (0.0, ""))
    return reason if time.monotonic() < until else None


def _load_one(
    workspace: Workspace, image_root: Location, row: dict[str, Any], from_the_web: bool
) -> bytes | None:
    # Catalogs of earlier versions lack some of the columns.
    ref = ImageRef.of(dict.fromkeys(COLUMNS) | row)
    if ref is None or (ref.is_on_the_web and not from_the_web):
        return None
    uid = str(row["uid"])
    cached = workspace.thumbnails / uid[:2] / f"{uid}.jpg"
    if _is_current(cached, ref, image_root):
        return cached.read_bytes()
    if ref.url is not None and ref.is_on_the_web and failure(ref.url) is not None:
        return None
    try:
        data = ref.read(image_root)
        with _decoding:
            thumbnail = decode.thumbnail(data, SIDE)
    except CurationError as problem:
        if ref.url is not None and ref.is_on_the_web:
            _remember_failure(ref.url, str(problem))
        return None
    try:
        with atomic(cached) as partial:
            partial.write_bytes(thumbnail)
    except (CurationError, OSError):
        # A read-only workspace can still be browsed.
        return thumbnail
    return thumbnail


def _remember_failure(url: str, reason: str) -> None:
    with _lock:
        if len(_failed) >= MAX_FAILURES:
            _failed.clear()
        _failed[url] = (time.monotonic() + RETRY_AFTER, reason)


def _is_current(cached: Path, ref: ImageRef, image_root: Location) -> bool:
    """Whether a thumbnail exists and is not older than its local image file."""
    try:
        created = cached.stat().st_mtime_ns
        if ref.file is None or not locations.is_local(image_root):
            return True
        return created >= (image_root / ref.file).stat().st_mtime_ns
    except OSError:
        return False
