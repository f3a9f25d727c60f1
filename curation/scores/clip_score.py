"""CLIPScore: the cosine of a pair's image and caption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from curation.scores import in_memory
from curation.scores.base import (
    Column,
    Data,
    Floats,
    Parameter,
    Rows,
    Score,
    Scorer,
    Shard,
    Side,
)
from curation.scores.shared.normalize import chunks, unit


class ClipScore:
    """⟨v_i, t_i⟩ for unit rows; higher is better."""

    name = "clip_score"
    title = "CLIPScore"
    help = (
        "Cosine of the image's and the caption's embedding, −1 to 1, higher is better. The "
        "usual filter; it also favors pairs whose caption would fit many other images."
    )
    source = "Hessel et al., EMNLP 2021, arXiv 2104.08718"
    needs: frozenset[Side] = frozenset({"image", "text"})
    parameters: tuple[Parameter, ...] = ()
    default = True

    def columns(self, parameters: Mapping[str, Any], targets: Sequence[str]) -> list[Column]:
        return [Column(self.name, self.title, self.help)]

    def passes(self, parameters: Mapping[str, Any]) -> int:
        return 1

    def prepare(self, data: Data, parameters: Mapping[str, Any]) -> Scorer:
        def score(shard: Shard, device: str) -> dict[str, Floats]:
            result = np.empty(len(shard), dtype=np.float32)
            for part in chunks(len(shard)):
                image, no_image = unit(shard.image[part])
                text, no_text = unit(shard.text[part])
                # Rounding may lead a little beyond the cosine's range.
                result[part] = np.einsum("ij,ij->i", image, text).clip(-1, 1)
                result[part][no_image | no_text] = np.nan
                data.advance(part.stop - part.start)
            return {self.name: result}

        return score


def clip_score(image: Rows, text: Rows) -> Floats:
    """CLIPScore of each pair.

    Args:
        image: image embeddings, shape (N, d); rows are brought to unit length.
        text: caption embeddings, shape (N, d).

    Returns:
        Cosines, shape (N,), float32, in [−1, 1]; NaN where an embedding is zero or not finite.

    Raises:
        CurationError: the shapes differ.
    """
    return in_memory.score(SCORE, in_memory.data(image, text, device="cpu"), {})[SCORE.name]


SCORE: Score = ClipScore()
