"""One sample explained: the terms of its negCLIPLoss, and its percentile in every score."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from curation.catalog.catalog import Catalog
from curation.catalog.columns import ColumnInfo
from curation.errors import CurationError
from curation.scores.neg_clip_loss import SCORE

LOSS = SCORE.name


@dataclass(frozen=True)
class Loss:
    """The terms of negCLIPLoss: ``clip_score − image_side − text_side = score``.

    Attributes:
        clip_score: S_ii.
        image_side: (τ/2)·mean_k log Σ_j exp(S_ij/τ), over the batches of the score.
        text_side: the same for its caption and other images, S_ji.
        error: the standard error over the batches; 0 if a batch is the whole dataset, NaN if
            there is only one.
        parameters: τ, |B|, K and how the batches were drawn.
    """

    clip_score: float
    image_side: float
    text_side: float
    score: float
    error: float
    parameters: Mapping[str, Any]

    @property
    def is_exact(self) -> bool:
        """Whether the batch is the whole dataset, so that there is no sampling error."""
        return self.error == 0


def explain_loss(catalog: Catalog, row: Mapping[str, Any]) -> Loss:
    """The terms of a sample's negCLIPLoss.

    Args:
        row: the sample, from ``Catalog.rows``.

    Raises:
        CurationError: the catalog has no negCLIPLoss, or this sample has none.
    """
    names = [LOSS, f"{LOSS}_se", f"{LOSS}_image", f"{LOSS}_text"]
    if any(name not in catalog.columns for name in names):
        raise CurationError(
            f"this catalog has no negCLIPLoss to explain; score the dataset with --score {LOSS}"
        )
    score, error, image, text = (math.nan if row[n] is None else float(row[n]) for n in names)
    if math.isnan(score):
        raise CurationError("this sample has no negCLIPLoss: one of its embeddings is not usable")
    # The catalog holds τ·log Σ, twice the term that is subtracted; it may lack S_ii.
    sides = image / 2, text / 2
    return Loss(score + sum(sides), *sides, score, error, catalog.column(LOSS).parameters or {})


def flip_probability(loss: Loss, line: float) -> float:
    """The probability that other batches would put the sample on the other side of a cutoff.

    Φ(−|score − line| / se): 0 if the batch is the whole dataset, NaN if se is unknown.
    """
    if loss.is_exact:
        return 0.0
    return math.erfc(abs(loss.score - line) / loss.error / math.sqrt(2)) / 2


@dataclass(frozen=True)
class Standing:
    """A sample in one score: it is better than ``percentile`` percent of the scored samples."""

    column: ColumnInfo
    value: float | None
    percentile: float | None


def standings(catalog: Catalog, row: Mapping[str, Any]) -> list[Standing]:
    """The value and the percentile of a sample, a row of ``Catalog.rows``, in every score."""
    values = {column.name: row[column.name] for column in catalog.scores}
    below = catalog.count_below(
        {name: value for name, value in values.items() if value is not None}
    )
    return [
        Standing(
            column,
            values[column.name],
            100 * below[column.name][0] / below[column.name][1] if column.name in below else None,
        )
        for column in catalog.scores
    ]
