"""Size and aspect ratio of the image in the source."""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from curation.scores.base import Column, Columns, Score, Shard
from curation.scores.shared.simple_score import SimpleScore


class SizeResult(NamedTuple):
    """Sizes of N images: Arrow arrays of length N, NULL where a side is missing or below 1.

    Attributes:
        smaller_side: pixels, int32.
        aspect_ratio: longer side / shorter side, float32, at least 1.
    """

    smaller_side: pa.Array
    aspect_ratio: pa.Array


def image_size(width: pa.Array, height: pa.Array) -> SizeResult:
    """The shorter side and the aspect ratio of N images.

    Args:
        width: pixels, an Arrow array of N numbers.
        height: likewise.
    """
    smaller = pc.min_element_wise(width, height, skip_nulls=False)
    larger = pc.max_element_wise(width, height, skip_nulls=False)
    smaller = pc.if_else(pc.greater(smaller, 0), smaller, None)
    ratio = pc.divide(pc.cast(larger, pa.float64()), pc.cast(smaller, pa.float64()))
    return SizeResult(smaller.cast(pa.int32()), ratio.cast(pa.float32()))


def source_size(shard: Shard) -> tuple[pa.Array, pa.Array]:
    """Width and height of a shard's N images in pixels, int32, NULL where unknown.

    Download tools resize images. Where a source has both original sides, those count; otherwise
    the sides of the stored image do.
    """
    names = ["original_width", "original_height", "width", "height"]
    table = shard.columns(names)
    original_width, original_height, width, height = (_pixels(table, name) for name in names)
    known = pc.and_(pc.greater(original_width, 0), pc.greater(original_height, 0)).fill_null(False)
    return (
        pc.if_else(known, original_width, width),
        pc.if_else(known, original_height, height),
    )


def _pixels(table: pa.Table, name: str) -> pa.Array:
    """A column of N numbers of pixels as int32, NULL where it is missing or not 1 to 2³¹ − 1."""
    if name in table.column_names:
        column = table.column(name).combine_chunks()
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            valid = pc.and_(pc.greater(column, 0), pc.less(column, 2**31))
            return pc.if_else(valid, column, None).cast(pa.int32(), safe=False)
    return pa.nulls(len(table), pa.int32())


def _sizes(shard: Shard) -> Columns:
    return image_size(*source_size(shard))._asdict()


SCORE: Score = SimpleScore(
    name="image_size",
    title="Image size",
    help="How large the image is, and how far from square.",
    source="the image; used in DataComp's basic filter, arXiv 2304.14108",
    needs=frozenset({"samples"}),
    made=(
        Column(
            "smaller_side",
            "Smaller side of the image",
            "Pixels of the shorter side, before any resizing if the source has original_width and "
            "original_height.",
            type="int32",
            kind="measure",
        ),
        Column(
            "aspect_ratio",
            "Aspect ratio",
            "Longer side divided by shorter side: 1 is square. Banners have a high ratio.",
            kind="measure",
        ),
    ),
    compute=_sizes,
)
