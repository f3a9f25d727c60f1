"""Length of the caption, in words and in characters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from curation.scores.base import Column, Data, Parameter, Score, Scorer, Shard, Side
from curation.scores.shared import captions


class CaptionLength:
    """Words and characters of each caption."""

    name = "caption_length"
    title = "Caption length"
    help = "How long the caption is. Very short ones rarely describe the image."
    source = "the caption; the basic filter of DataComp, arXiv 2304.14108, uses it"
    needs: frozenset[Side] = frozenset({"samples"})
    parameters: tuple[Parameter, ...] = ()
    default = True

    def columns(self, parameters: Mapping[str, Any], targets: Sequence[str]) -> list[Column]:
        return [
            Column(
                "word_count",
                "Words in the caption",
                "Pieces of the caption between white space. Languages that write without "
                "spaces have few.",
                type="int32",
                kind="measure",
            ),
            Column(
                "character_count",
                "Characters in the caption",
                "Code points of the caption without white space around it.",
                type="int32",
                kind="measure",
            ),
        ]

    def passes(self, parameters: Mapping[str, Any]) -> int:
        return 1

    def prepare(self, data: Data, parameters: Mapping[str, Any]) -> Scorer:
        def score(shard: Shard, device: str) -> dict[str, NDArray[np.int32]]:
            lengths = caption_length(captions.of(shard))
            data.advance(len(shard))
            return {"word_count": lengths.words, "character_count": lengths.characters}

        return score


class LengthResult(NamedTuple):
    """Words and characters, each of shape (N,), int32, at least 0."""

    words: NDArray[np.int32]
    characters: NDArray[np.int32]


def caption_length(texts: captions.Captions) -> LengthResult:
    """How long each caption is.

    Args:
        texts: N captions; a missing one has length 0.

    Returns:
        Words, as ``str.split`` cuts at white space, and characters, the code points that
        ``str.strip`` leaves.
    """
    stripped = pc.utf8_trim_whitespace(captions.strings(texts))
    characters = np.asarray(pc.utf8_length(stripped)).astype(np.int32)
    pieces = np.asarray(pc.list_value_length(pc.utf8_split_whitespace(stripped)))
    # Nothing splits into one empty piece.
    return LengthResult(np.where(characters == 0, 0, pieces).astype(np.int32), characters)


SCORE: Score = CaptionLength()
