"""Scores: one file each, registered here.

The functions take and return NumPy or Arrow arrays. The command line, the pipeline and the app
read ``SCORES``. Importing a score must stay cheap, so torch is imported when one is computed.
"""

from __future__ import annotations

from importlib import import_module

from curation.scores.base import Score
from curation.scores.basic_filter import basic_filter
from curation.scores.caption_length import caption_length
from curation.scores.clip_score import clip_score
from curation.scores.duplicate_of import duplicate_of
from curation.scores.image_size import image_size
from curation.scores.language import language
from curation.scores.nearest_neighbour import nearest_neighbour
from curation.scores.neg_clip_loss import neg_clip_loss
from curation.scores.norm_sim import nearest, norm_sim
from curation.scores.norm_sim_d import norm_sim_d
from curation.scores.vas import vas

# The registry: the file of each score, whose SCORE has the same name. The command line and the app
# list scores in this order.
_NAMES = (
    "clip_score",
    "neg_clip_loss",
    "norm_sim",
    "norm_sim_d",
    "nearest_neighbour",
    "vas",
    "caption_length",
    "image_size",
    "language",
    "basic_filter",
    "duplicate_of",
)

SCORES: dict[str, Score] = {name: import_module(f"curation.scores.{name}").SCORE for name in _NAMES}

__all__ = [
    "SCORES",
    "Score",
    "basic_filter",
    "caption_length",
    "clip_score",
    "duplicate_of",
    "image_size",
    "language",
    "nearest",
    "nearest_neighbour",
    "neg_clip_loss",
    "norm_sim",
    "norm_sim_d",
    "vas",
]
