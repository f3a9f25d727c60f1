"""Scores: one file each, registered here.

The functions take and give NumPy arrays; ``SCORES`` holds what the command line, the pipeline
and the app read. torch is imported when a score is computed, not when it is declared.
"""

from __future__ import annotations

from curation.scores import basic_filter as _basic_filter
from curation.scores import caption_length as _caption_length
from curation.scores import clip_score as _clip_score
from curation.scores import duplicate_of as _duplicate_of
from curation.scores import image_size as _image_size
from curation.scores import language as _language
from curation.scores import nearest_neighbour as _nearest_neighbour
from curation.scores import neg_clip_loss as _neg_clip_loss
from curation.scores import norm_sim as _norm_sim
from curation.scores import norm_sim_d as _norm_sim_d
from curation.scores import vas as _vas
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

SCORES: dict[str, Score] = {
    score.name: score
    for score in (
        _clip_score.SCORE,
        _neg_clip_loss.SCORE,
        _norm_sim.SCORE,
        _norm_sim_d.SCORE,
        _nearest_neighbour.SCORE,
        _vas.SCORE,
        _caption_length.SCORE,
        _image_size.SCORE,
        _language.SCORE,
        _basic_filter.SCORE,
        _duplicate_of.SCORE,
    )
}

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
