"""One sample, explained: what its negCLIPLoss is made of, and where it stands in every score."""

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
    """negCLIPLoss taken apart: ``clip_score − image_side − text_side = score``.

    Attributes:
        clip_score: S_ii.
        image_side: (τ/2)·mean_k log Σ_j exp(S_ij/τ), over the very batches of the score.
        text_side: the same of its caption with other images, S_ji.
        error: the standard error over the batches; 0 where a batch is the whole dataset, NaN
            where there is only one.
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
        """Whether the batch is the whole dataset, so that no other can be drawn."""
        return self.error == 0


def explain_loss(catalog: Catalog, row: Mapping[str, Any]) -> Loss:
    """What the catalog's negCLIPLoss of a sample, a row of ``Catalog.rows``, is made of.

    Raises:
        CurationError: the catalog does not hold it, or this sample has none.
    """
    names = [LOSS, f"{LOSS}_se", f"{LOSS}_image", f"{LOSS}_text"]
    if any(name not in catalog.columns for name in names):
        raise CurationError(
            f"this catalog has no negCLIPLoss to take apart; score the dataset with --score {LOSS}"
        )
    score, error, image, text = (math.nan if row[n] is None else float(row[n]) for n in names)
    if math.isnan(score):
        raise CurationError("this sample has no negCLIPLoss: an embedding of it is not usable")
    # The catalog holds τ·log Σ, twice what is taken off, and need not hold S_ii.
    sides = image / 2, text / 2
    return Loss(score + sum(sides), *sides, score, error, catalog.column(LOSS).parameters or {})


def flip_probability(loss: Loss, line: float) -> float:
    """The chance that another draw of the batches puts the sample on a line's other side.

    Φ(−|score − line| / se): 0 where there is no other draw, NaN where its spread is not known.
    """
    if loss.is_exact:
        return 0.0
    return math.erfc(abs(loss.score - line) / loss.error / math.sqrt(2)) / 2


@dataclass(frozen=True)
class Standing:
    """Where a sample stands in a score: it is better than ``percentile`` percent of the scored."""

    column: ColumnInfo
    value: float | None
    percentile: float | None


def standings(catalog: Catalog, row: Mapping[str, Any]) -> list[Standing]:
    """Where a sample, a row of ``Catalog.rows``, stands in every score."""
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
