"""Runs a score on NumPy arrays: one shard in memory, with row numbers as uids."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from curation.errors import CurationError
from curation.models import devices
from curation.scores.base import Columns, Data, Rows, Score, Shard, Target
from curation.scores.shared.normalize import check


class EmbeddingWarning(UserWarning):
    """Some embeddings are unlike a model's: not of unit length, zero, or not finite."""


def data(
    image: Rows, text: Rows | None = None, target: Rows | None = None, device: str = "auto"
) -> Data:
    """Arrays as a dataset of one shard.

    Args:
        image: image embeddings, shape (N, d).
        text: caption embeddings, shape (N, d).
        target: image embeddings of a target, shape (M, d); the target gets the name ``target``.
        device: ``auto``, ``cuda``, ``mps`` or ``cpu``.

    Warns:
        EmbeddingWarning: once for each side with rows that are not of unit length (they are scaled)
            or cannot be scaled (they get no score); says how many, and which cannot be scaled.

    Raises:
        CurationError: the arrays are not matrices of the same shape, or the device is missing.
    """
    image = np.asarray(image)
    text = None if text is None else np.asarray(text)
    if image.ndim != 2 or (text is not None and text.shape != image.shape):
        shapes = f"{image.shape}" if text is None else f"{image.shape} and {text.shape}"
        raise CurationError(f"embeddings have shape {shapes}; expected (N, d), the same for both")
    numbers = np.arange(len(image), dtype=np.uint64)
    words = np.stack([np.zeros_like(numbers), numbers], axis=1)
    for side, rows in (("image", image), ("caption", text)):
        if rows is not None:
            _warn_of_odd_rows(side, rows)
    shard = Shard(0, len(image), lambda: words, image, text)
    targets = {} if target is None else {"target": Target(np.asarray(target))}
    return Data([shard], targets, devices.names(device))


def score(score: Score, data: Data, parameters: Mapping[str, Any]) -> Columns:
    """The columns of a score for a dataset of one shard, N values each."""
    return score.prepare(data, parameters)(data.shards[0], data.devices[0])


def _warn_of_odd_rows(side: str, rows: Rows) -> None:
    odd = check(rows)
    unusable = np.union1d(odd.zero, odd.not_finite)
    parts = []
    if odd.not_unit:
        parts.append(f"{odd.not_unit} not of unit length (scaled to it)")
    if len(unusable):
        listed = ", ".join(map(str, unusable[:5])) + (", …" if len(unusable) > 5 else "")
        parts.append(f"{len(unusable)} zero or not finite (no score; row {listed})")
    if parts:
        message = f"{len(rows)} {side} embeddings: {', '.join(parts)}"
        # The warning names the line that called the score's function.
        warnings.warn(message, EmbeddingWarning, stacklevel=4)
