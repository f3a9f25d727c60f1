"""Length of the caption, in words and in characters."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from curation.scores.base import Column, Columns, Score, Shard
from curation.scores.shared import captions
from curation.scores.shared.simple_score import SimpleScore


class LengthResult(NamedTuple):
    """Words and characters of N captions, each of shape (N,), int32, at least 0."""

    words: NDArray[np.int32]
    characters: NDArray[np.int32]


def caption_length(texts: captions.Captions) -> LengthResult:
    """The length of each caption.

    Args:
        texts: N captions; a missing one has length 0.

    Returns:
        Words: the pieces that ``str.split()`` returns. Characters: the code points that
        ``str.strip()`` leaves.
    """
    stripped = pc.utf8_trim_whitespace(captions.to_arrow(texts))
    characters = np.asarray(pc.utf8_length(stripped)).astype(np.int32)
    pieces = np.asarray(pc.list_value_length(pc.utf8_split_whitespace(stripped)))
    # Arrow splits an empty string into one empty piece.
    return LengthResult(np.where(characters == 0, 0, pieces).astype(np.int32), characters)


def _lengths(shard: Shard) -> Columns:
    lengths = caption_length(captions.of_shard(shard))
    return {"word_count": lengths.words, "character_count": lengths.characters}


SCORE: Score = SimpleScore(
    name="caption_length",
    title="Caption length",
    help="How long the caption is. Very short captions rarely describe the image.",
    source="the caption; used in DataComp's basic filter, arXiv 2304.14108",
    needs=frozenset({"samples"}),
    made=(
        Column(
            "word_count",
            "Words in the caption",
            "Parts of the caption separated by white space. Languages written without spaces "
            "have few.",
            type="int32",
            kind="measure",
        ),
        Column(
            "character_count",
            "Characters in the caption",
            "Code points of the caption, without white space at either end.",
            type="int32",
            kind="measure",
        ),
    ),
    compute=_lengths,
)
