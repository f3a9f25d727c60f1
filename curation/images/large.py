"""One sample's picture, large enough to look at: made when it is looked at, and not kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curation.errors import CurationError
from curation.images import decode, thumbnails
from curation.images.location import COLUMNS, ImageRef
from curation.storage.locations import Location

SIDE = 768


def load(image_root: Location, row: Mapping[str, Any], from_the_web: bool = False) -> bytes:
    """A JPEG no longer than SIDE pixels, of a row of ``Catalog.rows``.

    Args:
        from_the_web: whether an image that is only an address is fetched.

    Raises:
        CurationError: there is no image, or it cannot be had or read; says why.
    """
    # A catalog of an earlier version lacks some of the columns.
    ref = ImageRef.of(dict.fromkeys(COLUMNS) | dict(row))
    if ref is None:
        raise CurationError("this sample has no image")
    if ref.is_on_the_web:
        if not from_the_web:
            raise CurationError(f"the image is on the web and was not fetched: {ref.url}")
        # What did not answer a moment ago is not asked again for every look.
        if (reason := thumbnails.failure(ref.url or "")) is not None:
            raise CurationError(reason)
    return decode.thumbnail(ref.read(image_root), SIDE)
