"""An image's pixels.

Images come from strangers: every one is opened with Pillow's decompression-bomb warning as
an error.
"""

from __future__ import annotations

import io
import math
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from curation.errors import CurationError

EXTENSIONS = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".png",
        ".webp",
        ".gif",
        ".bmp",
        ".tif",
        ".tiff",
        ".avif",
        ".jp2",
        ".ico",
        ".ppm",
        ".tga",
        ".dds",
        ".pcx",
        ".sgi",
    }
)


def size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels, from the header alone.

    Raises:
        CurationError: these bytes are not an image that can be read.
    """
    with _open(data) as image:
        return image.size


def rgb(data: bytes, at_least: int | None = None, *, longer_side: bool = False) -> Image.Image:
    """The picture in RGB, upright, transparency laid on white.

    Args:
        data: an encoded image.
        at_least: JPEGs may be decoded at a reduced size as long as neither side falls below
            this many pixels; None decodes every pixel.
        longer_side: whether that is asked of the longer side only.

    Raises:
        CurationError: the image does not decode (truncated, damaged, too large).
    """
    with _open(data) as image:
        try:
            if at_least is not None and image.format == "JPEG":
                asked = max(image.size) if longer_side else min(image.size)
                # Pillow keeps both sides above what it is given.
                width, height = (math.ceil(side * at_least / asked) for side in image.size)
                image.draft("RGB", (width, height))
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I;16"):
                # Pillow would cut 16 bits off at 255, which is white.
                upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
            if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
                upright = upright.convert("RGBA")
                white = Image.new("RGBA", upright.size, (255, 255, 255, 255))
                upright = Image.alpha_composite(white, upright)
            return upright.convert("RGB")
        except Exception as error:  # Pillow's decoders raise many kinds over damaged files
            raise CurationError(f"the image does not decode: {error}") from None


def without_far_ends(picture: Image.Image, longest: int = 20) -> Image.Image:
    """The middle of a picture that is more than ``longest`` times as long as wide.

    Models resize the shorter side and cut out the middle: a line of 1 by 30,000 pixels would
    first become gigabytes.
    """
    limit = longest * min(picture.size)
    if max(picture.size) <= limit:
        return picture
    width, height = (min(side, limit) for side in picture.size)
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))


def thumbnail(data: bytes, side: int) -> bytes:
    """A JPEG of the picture, neither side longer than ``side`` pixels."""
    picture = rgb(data, at_least=side)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _open(data: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data))
    except UnidentifiedImageError:
        raise CurationError("not an image in a format that can be read") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise CurationError("the image has too many pixels to be opened safely") from None
    except Exception as error:  # as above
        raise CurationError(f"the image cannot be opened: {error}") from None
    # Filters of warnings belong to the process: another thread may have put ours away.
    if image.width * image.height > (Image.MAX_IMAGE_PIXELS or math.inf):
        raise CurationError("the image has too many pixels to be opened safely")
    return image
