"""DataComp's basic filter: an English caption of some length and an image of some size."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curation.scores.base import Column, Columns, Score, Shard
from curation.scores.caption_length import caption_length
from curation.scores.image_size import image_size, source_size
from curation.scores.language import language
from curation.scores.shared import captions
from curation.scores.shared.simple_score import SimpleScore

MORE_WORDS_THAN = 2
MORE_CHARACTERS_THAN = 5
SMALLEST_SIDE = 200
WIDEST_ASPECT_RATIO = 3.0

_TITLE = "Basic filter"
_HELP = (
    f"Whether the pair passes DataComp's basic filter: an English caption of more than "
    f"{MORE_WORDS_THAN} words and {MORE_CHARACTERS_THAN} characters, an image of at least "
    f"{SMALLEST_SIDE} pixels on its smaller side and an aspect ratio of at most "
    f"{WIDEST_ASPECT_RATIO:g}. A pair whose language or size is unknown does not pass."
)


def basic_filter(texts: captions.Captions, width: pa.Array, height: pa.Array) -> NDArray[np.bool_]:
    """Which of N pairs pass DataComp's basic filter (arXiv 2304.14108).

    Args:
        texts: N captions.
        width: pixels before any resizing, an Arrow array of N numbers.
        height: likewise.

    Returns:
        Shape (N,), bool; False where the caption, the width or the height is missing.
    """
    lines = captions.to_arrow(texts)
    words, characters = caption_length(lines)
    smaller, ratio = image_size(width, height)
    large = pc.and_(
        pc.greater_equal(smaller, SMALLEST_SIDE), pc.less_equal(ratio, WIDEST_ASPECT_RATIO)
    )
    passes: NDArray[np.bool_] = np.asarray(large.fill_null(False), dtype=bool)
    passes &= (words > MORE_WORDS_THAN) & (characters > MORE_CHARACTERS_THAN)
    # Language detection is the slowest test, so only the remaining pairs take it.
    remaining = np.flatnonzero(passes)
    english = pc.equal(language(lines.take(pa.array(remaining))).code, "en").fill_null(False)
    passes[remaining] = np.asarray(english, dtype=bool)
    return passes


def _passes(shard: Shard) -> Columns:
    return {"basic_filter": basic_filter(captions.of_shard(shard), *source_size(shard))}


SCORE: Score = SimpleScore(
    name="basic_filter",
    title=_TITLE,
    help=_HELP,
    source="Gadre et al., NeurIPS 2023, arXiv 2304.14108",
    needs=frozenset({"samples"}),
    made=(Column("basic_filter", _TITLE, _HELP, type="bool", kind="measure"),),
    compute=_passes,
)
