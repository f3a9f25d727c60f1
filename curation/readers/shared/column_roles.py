"""Which columns of a table hold the image, the caption and the uid, and what a cell means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from curation.errors import CurationError
from curation.images.location import ImageRef
from curation.readers import base
from curation.storage.locations import Location

_WEB = ("http://", "https://")
_MAX_SIDE = 2**31


@dataclass(frozen=True)
class Columns:
    """The roles of a table's columns.

    Attributes:
        image, caption, uid: column names; None if there is no such column.
        holds_images: whether the image column may hold image bytes, not only paths.
        without: columns of bytes, which are not read with the rows.
    """

    image: str
    caption: str | None
    uid: str | None
    holds_images: bool
    without: tuple[str, ...]

    @property
    def needed(self) -> tuple[str, ...]:
        """The text columns that a row cannot do without."""
        image = None if self.holds_images else self.image
        return tuple(name for name in (image, self.caption, self.uid) if name is not None)


def pick_column(
    columns: Sequence[str],
    wanted: str | None,
    usual: Sequence[str],
    option: str,
    file: Location,
) -> str:
    """The column that the user named, or else the first with a usual name, ignoring case.

    Args:
        usual: usual names in lower case, most likely first.
        option: the command-line option that names the column, for the message.

    Raises:
        CurationError: there is no such column; lists the columns of the file.
    """
    if wanted is not None:
        if wanted in columns:
            return wanted
        raise CurationError(f"{file} has no column {wanted!r}; it has {', '.join(columns)}")
    for name in usual:
        if column := find_column(columns, name):
            return column
    names = " or ".join(filter(None, (", ".join(usual[:-1]), usual[-1])))
    raise CurationError(
        f"{file} has no column named {names}; it has {', '.join(columns)}: name one with {option}"
    )


def find_column(columns: Sequence[str], name: str) -> str | None:
    """The first column with a name, ignoring case; None if there is none.

    Args:
        name: in lower case.
    """
    return next((column for column in columns if column.lower() == name), None)


def caption_and_uid(
    columns: Sequence[str],
    image: str,
    options: base.Options,
    file: Location,
    usual_captions: Sequence[str] = base.CAPTION_COLUMNS,
) -> tuple[str | None, str | None]:
    """The columns of the captions and of the uids; None if there is no such column.

    Args:
        usual_captions: usual names of a caption column, in lower case.

    Raises:
        CurationError: a needed column is missing, or one column has two roles.
    """
    caption = uid = None
    # Captions that are not required are read if there are any.
    has_captions = any(name.lower() in usual_captions for name in columns)
    wanted = options.caption_column
    if options.captions_required or wanted is not None or has_captions:
        caption = pick_column(columns, wanted, usual_captions, "--caption-column", file)
        if caption == image:
            raise CurationError(f"{file}: {image!r} cannot be both the image and the caption")
    if options.uid_column is not None or find_column(columns, "uid"):
        uid = pick_column(columns, options.uid_column, ("uid",), "--uid-column", file)
        if uid in (image, caption):
            role = "image" if uid == image else "caption"
            raise CurationError(f"{file}: {uid!r} is the {role} column, not the uid column")
    return caption, uid


def holds_images(type_: pa.DataType) -> bool:
    """Whether a column holds bytes, or the ``bytes`` and ``path`` records of 🤗 datasets."""
    if pa.types.is_struct(type_):
        return type_.get_field_index("bytes") >= 0 and holds_images(type_.field("bytes").type)
    return bool(pa.types.is_binary(type_) or pa.types.is_large_binary(type_))


def image_at(text: str | None, root: Location) -> ImageRef | None:
    """The image that a cell's text points to: a path below the image root, or a URL.

    A full path or URL that starts with the image root counts as a path below it.
    """
    if text is None:
        return None
    stripped, start = text.strip(), root.as_posix().rstrip("/") + "/"
    if stripped.startswith(start):
        below = stripped.removeprefix(start)
        return ImageRef(unquote(below) if start.lower().startswith(_WEB) else below)
    if stripped.lower().startswith(_WEB):
        return ImageRef(None, url=stripped)
    return ImageRef(text)


def recorded_size(record: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """An image's width and height in pixels as its row records them.

    ``original_width`` is preferred to ``width``, which may be the size after a downloader
    resized the image.
    """
    by_lower = {name.lower(): value for name, value in record.items()}
    width, height = (
        next((side for name in names if (side := _pixels(by_lower.get(name)))), None)
        for names in ((f"original_{side}", f"source_{side}", side) for side in ("width", "height"))
    )
    return width, height


def _pixels(value: object) -> int | None:
    # pandas writes integers with gaps as floats.
    return int(value) if isinstance(value, int | float) and 0 < value < _MAX_SIDE else None
