"""Size and shape of the image as the source had it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from curation.scores.base import Column, Data, Parameter, Score, Scorer, Shard, Side

# Downloaders resize images; where the source tells the size before, that is the image's.
_SIDES = (("original_width", "width"), ("original_height", "height"))


class ImageSize:
    """Smaller side in pixels, and larger side / smaller side."""

    name = "image_size"
    title = "Image size"
    help = "How large the image is, and how far from square."
    source = "the image; the basic filter of DataComp, arXiv 2304.14108, uses it"
    needs: frozenset[Side] = frozenset({"samples"})
    parameters: tuple[Parameter, ...] = ()
    default = True

    def columns(self, parameters: Mapping[str, Any], targets: Sequence[str]) -> list[Column]:
        return [
            Column(
                "smaller_side",
                "Smaller side of the image",
                "Pixels of the shorter side, before it was resized where the source tells "
                "(original_width, original_height).",
                type="int32",
                kind="measure",
            ),
            Column(
                "aspect_ratio",
                "Aspect ratio",
                "Longer side over shorter side: 1 is square. Banners have a high one.",
                kind="measure",
            ),
        ]

    def passes(self, parameters: Mapping[str, Any]) -> int:
        return 1

    def prepare(self, data: Data, parameters: Mapping[str, Any]) -> Scorer:
        def score(shard: Shard, device: str) -> dict[str, pa.Array]:
            sizes = image_size(*sides(shard))
            data.advance(len(shard))
            return sizes._asdict()

        return score


class SizeResult(NamedTuple):
    """Arrow arrays of shape (N,), NULL where a side is missing or not above 0.

    Attributes:
        smaller_side: pixels, int32.
        aspect_ratio: larger side / smaller side, float32, at least 1.
    """

    smaller_side: pa.Array
    aspect_ratio: pa.Array


def image_size(width: pa.Array, height: pa.Array) -> SizeResult:
    """Smaller side and aspect ratio of images of these sizes in pixels: Arrow numbers, (N,)."""
    smaller = pc.min_element_wise(width, height, skip_nulls=False)
    larger = pc.max_element_wise(width, height, skip_nulls=False)
    smaller = pc.if_else(pc.greater(smaller, 0), smaller, None)
    ratio = pc.divide(pc.cast(larger, pa.float64()), pc.cast(smaller, pa.float64()))
    return SizeResult(smaller.cast(pa.int32()), ratio.cast(pa.float32()))


def sides(shard: Shard) -> tuple[pa.Array, pa.Array]:
    """Width and height of a shard's images, before they were resized where both are known."""
    table = shard.columns([name for names in _SIDES for name in names])
    original, stored = ([_pixels(table, names[k]) for names in _SIDES] for k in (0, 1))
    known = pc.and_(*(pc.greater(side, 0) for side in original))
    use = pc.fill_null(known, False)
    width, height = (pc.if_else(use, *two) for two in zip(original, stored, strict=True))
    return width, height


def _pixels(table: pa.Table, name: str) -> pa.Array:
    """A column of whole numbers (N,); NULL where there is none or it holds something else."""
    if name in table.column_names:
        column = table.column(name).combine_chunks()
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            whole = pc.and_(pc.greater(column, 0), pc.less(column, 2**31))
            return pc.if_else(whole, column, None).cast(pa.int32(), safe=False)
    return pa.nulls(len(table), pa.int32())


SCORE: Score = ImageSize()
