"""Decoding of untrusted images; those with too many pixels are refused."""

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

    Args:
        data: an encoded image, or enough of its beginning.

    Raises:
        CurationError: the bytes are not an image in a supported format.
    """
    with _open(data) as image:
        return image.size


def rgb(data: bytes, at_least: int | None = None, *, longer_side: bool = False) -> Image.Image:
    """The image in RGB, rotated as its EXIF data says, with transparency on white.

    Args:
        data: an encoded image.
        at_least: a JPEG may be decoded at a reduced size whose shorter side has at least this
            many pixels, which is faster; None decodes at full size.
        longer_side: whether ``at_least`` applies to the longer side instead.

    Raises:
        CurationError: the image cannot be decoded (truncated, damaged, too many pixels).
    """
    with _open(data) as image:
        try:
            if at_least is not None and image.format == "JPEG":
                limited = max(image.size) if longer_side else min(image.size)
                # The reduced size is never smaller than the size requested here.
                width, height = (math.ceil(side * at_least / limited) for side in image.size)
                image.draft("RGB", (width, height))
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I;16"):
                # Pillow clips 16-bit values at 255, so almost everything would be white.
                upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
            if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
                upright = upright.convert("RGBA")
                white = Image.new("RGBA", upright.size, (255, 255, 255, 255))
                upright = Image.alpha_composite(white, upright)
            return upright.convert("RGB")
        except Exception as error:  # Pillow's decoders raise many types for damaged files
            raise CurationError(f"image cannot be decoded: {error}") from None


def crop_extreme_aspect(picture: Image.Image, max_ratio: int = 20) -> Image.Image:
    """The center of an image whose longer side is more than ``max_ratio`` times the shorter.

    Models resize the shorter side and then crop the center. Resizing 1 by 30,000 pixels like that
    takes gigabytes.
    """
    limit = max_ratio * min(picture.size)
    if max(picture.size) <= limit:
        return picture
    width, height = (min(side, limit) for side in picture.size)
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))


def thumbnail(data: bytes, side: int) -> bytes:
    """The image as a JPEG whose sides have at most ``side`` pixels.

    Raises:
        CurationError: the image cannot be decoded.
    """
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
        raise CurationError("not an image in a supported format") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise CurationError("image has too many pixels to be opened safely") from None
    except Exception as error:  # many types, as in rgb
        raise CurationError(f"image cannot be opened: {error}") from None
    # Warning filters are global, so another thread may have removed the one set above.
    if image.width * image.height > (Image.MAX_IMAGE_PIXELS or math.inf):
        raise CurationError("image has too many pixels to be opened safely")
    return image
