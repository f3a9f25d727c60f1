"""The scores' functions on arrays: one shard in memory, its row number standing for the uid."""

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
    """Some embeddings are not what a model makes: not of unit length, zero, or not finite."""


def data(
    image: Rows, text: Rows | None = None, target: Rows | None = None, device: str = "auto"
) -> Data:
    """Arrays as data of one shard; a target, where there is one, is called ``target``.

    Warns:
        EmbeddingWarning: once for each side with rows that are not of unit length (they are
            brought to it) or that cannot be used (they have no score); says how many and which.

    Raises:
        CurationError: the arrays are not matrices of the same shape.
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
            _notice(side, rows)
    shard = Shard(0, len(image), lambda: words, image, text)
    targets = {} if target is None else {"target": Target(np.asarray(target))}
    return Data([shard], targets, devices.names(device))


def score(score: Score, data: Data, parameters: Mapping[str, Any]) -> Columns:
    """The columns of data of one shard."""
    return score.prepare(data, parameters)(data.shards[0], data.devices[0])


def _notice(side: str, rows: Rows) -> None:
    found = check(rows)
    unusable = np.union1d(found.zero, found.not_finite)
    told = []
    if found.not_unit:
        told.append(f"{found.not_unit} not of unit length, brought to it")
    if len(unusable):
        which = ", ".join(map(str, unusable[:5])) + (", …" if len(unusable) > 5 else "")
        told.append(f"{len(unusable)} zero or not finite, without a score (row {which})")
    if told:
        message = f"of {len(rows)} {side} embeddings {'; '.join(told)}"
        warnings.warn(message, EmbeddingWarning, stacklevel=4)
