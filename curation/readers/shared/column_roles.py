"""Which columns of a table are the caption and the uid, and what a row says of its image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from curation.errors import CurationError
from curation.images.location import ImageRef
from curation.readers import base
from curation.readers.shared import rows
from curation.storage.locations import Location

_WEB = ("http://", "https://")
_LARGEST_SIDE = 2**31


def caption_and_uid(
    names: Sequence[str],
    image: str,
    options: base.Options,
    file: Location,
    captions: Sequence[str] = base.CAPTION_COLUMNS,
) -> tuple[str | None, str | None]:
    """The columns of the captions and of the uids; None where there is none.

    Args:
        captions: what a column of captions is usually called.

    Raises:
        CurationError: one that is needed is missing, or is two things at once.
    """
    caption = uid = None
    # Where captions need not be, those that are there are read all the same.
    has_captions = any(name.lower() in captions for name in names)
    wanted = options.caption_column
    if options.captions_required or wanted is not None or has_captions:
        caption = rows.pick_column(names, wanted, captions, "--caption-column", file)
        if caption == image:
            raise CurationError(f"{file}: {image!r} cannot be both the image and the caption")
    if options.uid_column is not None or "uid" in map(str.lower, names):
        uid = rows.pick_column(names, options.uid_column, ("uid",), "--uid-column", file)
        if uid in (image, caption):
            what = "image" if uid == image else "caption"
            raise CurationError(f"{file}: {uid!r} is the {what}, not the uid")
    return caption, uid


def holds_images(type_: pa.DataType) -> bool:
    """Whether a column has bytes, or 🤗 datasets' records of ``bytes`` and ``path``."""
    if pa.types.is_struct(type_):
        return type_.get_field_index("bytes") >= 0 and holds_images(type_.field("bytes").type)
    return bool(pa.types.is_binary(type_) or pa.types.is_large_binary(type_))


def image_named(named: str | None, root: Location) -> ImageRef | None:
    """What a cell names: a file below the image root, by its full path too, or an address."""
    if named is None:
        return None
    full, start = named.strip(), root.as_posix().rstrip("/") + "/"
    if full.startswith(start):
        below = full.removeprefix(start)
        return ImageRef(unquote(below) if start.lower().startswith(_WEB) else below)
    if full.lower().startswith(_WEB):
        return ImageRef(None, url=full)
    return ImageRef(named)


def told_size(record: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Width and height in pixels as a row tells them, before a downloader resized the image."""
    by_lower = {name.lower(): value for name, value in record.items()}
    width, height = (
        next((side for name in names if (side := _pixels(by_lower.get(name)))), None)
        for names in ((f"original_{side}", f"source_{side}", side) for side in ("width", "height"))
    )
    return width, height


def _pixels(told: object) -> int | None:
    # A column with gaps comes from pandas as floats.
    return int(told) if isinstance(told, int | float) and 0 < told < _LARGEST_SIDE else None
