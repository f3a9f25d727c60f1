"""One sample's image at the size of a detail view, created on request and not stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curation.errors import CurationError
from curation.images import decode, thumbnails
from curation.images.location import COLUMNS, ImageRef
from curation.storage.locations import Location

SIDE = 768


def load(image_root: Location, row: Mapping[str, Any], from_the_web: bool = False) -> bytes:
    """A JPEG of a sample's image, with sides of at most SIDE pixels.

    Args:
        row: a row of ``Catalog.rows``.
        from_the_web: whether an image that is only a URL is downloaded.

    Raises:
        CurationError: the sample has no image, or it cannot be read.
    """
    # Catalogs of earlier versions lack some of the columns.
    ref = ImageRef.of(dict.fromkeys(COLUMNS) | dict(row))
    if ref is None:
        raise CurationError("this sample has no image")
    if ref.is_on_the_web:
        if not from_the_web:
            raise CurationError(f"the image is on the web and was not downloaded: {ref.url}")
        # Do not repeat a download that failed minutes ago.
        if (reason := thumbnails.failure(ref.url or "")) is not None:
            raise CurationError(reason)
    return decode.thumbnail(ref.read(image_root), SIDE)
