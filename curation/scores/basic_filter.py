"""DataComp's basic filter: an English caption of some length, an image of some size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curation.scores.base import Column, Data, Parameter, Score, Scorer, Shard, Side
from curation.scores.caption_length import caption_length
from curation.scores.image_size import image_size, sides
from curation.scores.language import language
from curation.scores.shared import captions

MORE_WORDS_THAN = 2
MORE_CHARACTERS_THAN = 5
SMALLEST_SIDE = 200
WIDEST_ASPECT_RATIO = 3.0


class BasicFilter:
    """Whether a pair passes the filter that DataComp's strongest baselines start from."""

    name = "basic_filter"
    title = "Basic filter"
    help = (
        f"Whether the pair passes DataComp's basic filter: an English caption of more than "
        f"{MORE_WORDS_THAN} words and {MORE_CHARACTERS_THAN} characters, an image of at least "
        f"{SMALLEST_SIDE} pixels on its smaller side and an aspect ratio of at most "
        f"{WIDEST_ASPECT_RATIO:g}. What is unknown does not pass."
    )
    source = "Gadre et al., NeurIPS 2023, arXiv 2304.14108"
    needs: frozenset[Side] = frozenset({"samples"})
    parameters: tuple[Parameter, ...] = ()
    default = True

    def columns(self, parameters: Mapping[str, Any], targets: Sequence[str]) -> list[Column]:
        return [Column(self.name, self.title, self.help, type="bool", kind="measure")]

    def passes(self, parameters: Mapping[str, Any]) -> int:
        return 1

    def prepare(self, data: Data, parameters: Mapping[str, Any]) -> Scorer:
        def score(shard: Shard, device: str) -> dict[str, NDArray[np.bool_]]:
            passes = basic_filter(captions.of(shard), *sides(shard))
            data.advance(len(shard))
            return {self.name: passes}

        return score


def basic_filter(texts: captions.Captions, width: pa.Array, height: pa.Array) -> NDArray[np.bool_]:
    """Which pairs pass, shape (N,); a missing caption, width or height does not.

    Args:
        texts: N captions.
        width: of the images before any resizing, in pixels; Arrow numbers (N,).
        height: likewise.
    """
    lines = captions.strings(texts)
    words, characters = caption_length(lines)
    smaller, ratio = image_size(width, height)
    large = pc.and_(
        pc.greater_equal(smaller, SMALLEST_SIDE), pc.less_equal(ratio, WIDEST_ASPECT_RATIO)
    )
    passes: NDArray[np.bool_] = np.asarray(large.fill_null(False), dtype=bool)
    passes &= (words > MORE_WORDS_THAN) & (characters > MORE_CHARACTERS_THAN)
    # The language takes longest, so only what passed so far is asked for it.
    passed = np.flatnonzero(passes)
    english = pc.equal(language(lines.take(pa.array(passed))).code, "en").fill_null(False)
    passes[passed] = np.asarray(english, dtype=bool)
    return passes


SCORE: Score = BasicFilter()
