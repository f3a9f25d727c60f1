"""CLIPScore: the cosine of an image and its caption."""

from __future__ import annotations

import numpy as np

from curation.scores import in_memory
from curation.scores.base import Column, Columns, Floats, Rows, Score, Shard
from curation.scores.shared.normalize import chunks, unit
from curation.scores.shared.simple_score import SimpleScore

_TITLE = "CLIPScore"
_HELP = (
    "Cosine of the image's and the caption's embedding, −1 to 1, higher is better. The usual "
    "filter; it also favors pairs whose caption would fit many other images."
)


def clip_score(image: Rows, text: Rows) -> Floats:
    """CLIPScore of each pair: the cosine ⟨v_i, t_i⟩.

    This is the definition of arXiv 2405.19547; that of Hessel et al. is 2.5 · max(cosine, 0).

    Args:
        image: image embeddings, shape (N, d), any float type; rows are scaled to unit length.
        text: caption embeddings, shape (N, d), likewise.

    Returns:
        Cosines, shape (N,), float32, in [−1, 1]; NaN where an embedding is zero or not finite.

    Raises:
        CurationError: the shapes differ or are not (N, d).
    """
    return in_memory.score(SCORE, in_memory.data(image, text, device="cpu"), {})[SCORE.name]


def _cosines(shard: Shard) -> Columns:
    cosines = np.empty(len(shard), dtype=np.float32)
    for part in chunks(len(shard)):
        image, no_image = unit(shard.image[part])
        text, no_text = unit(shard.text[part])
        # Rounding can exceed the range of a cosine.
        cosines[part] = np.einsum("ij,ij->i", image, text).clip(-1, 1)
        cosines[part][no_image | no_text] = np.nan
    return {"clip_score": cosines}


SCORE: Score = SimpleScore(
    name="clip_score",
    title=_TITLE,
    help=_HELP,
    source="Hessel et al., EMNLP 2021, arXiv 2104.08718",
    needs=frozenset({"image", "text"}),
    made=(Column("clip_score", _TITLE, _HELP),),
    compute=_cosines,
)
