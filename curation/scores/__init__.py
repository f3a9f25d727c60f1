"""Scores: one file each, registered here.

The functions take and give NumPy arrays; ``SCORES`` holds what the command line, the pipeline
and the app read. torch is imported when a score is computed, not when it is declared.
"""

from __future__ import annotations

from curation.scores import clip_score as _clip_score
from curation.scores import neg_clip_loss as _neg_clip_loss
from curation.scores import norm_sim as _norm_sim
from curation.scores.base import Score
from curation.scores.clip_score import clip_score
from curation.scores.neg_clip_loss import neg_clip_loss
from curation.scores.norm_sim import norm_sim

SCORES: dict[str, Score] = {
    score.name: score for score in (_clip_score.SCORE, _neg_clip_loss.SCORE, _norm_sim.SCORE)
}

__all__ = ["SCORES", "Score", "clip_score", "neg_clip_loss", "norm_sim"]
