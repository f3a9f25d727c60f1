"""Running sums over the K batches of negCLIPLoss, and the columns that come of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curation.scores.base import Floats

COLUMNS = ("neg_clip_loss", "neg_clip_loss_se", "neg_clip_loss_image", "neg_clip_loss_text")

Halves = NDArray[np.float64]


class LossSums:
    """The two halves of N samples, each added up over the batches, and the spread of the whole.

    Twenty bytes a sample: a partition keeps them for the whole dataset.
    """

    def __init__(self, length: int, batches: int) -> None:
        self._batches = batches
        self._image = np.zeros(length)
        self._text = np.zeros(length)
        self._spread = np.zeros(length, dtype=np.float32)

    def add(
        self, draw: int, image: Halves, text: Halves, members: NDArray[np.int64] | slice
    ) -> None:
        """The halves τ·log Σ exp(S/τ) of some samples in their batch of a draw, 0 to K − 1."""
        # Welford's update, the mean had from the sums: the spread is tiny beside the values.
        old = (self._image[members] + self._text[members]) / 2 / max(draw, 1)
        self._image[members] += image
        self._text[members] += text
        mean = (self._image[members] + self._text[members]) / 2 / (draw + 1)
        if draw:
            value = (image + text) / 2
            self._spread[members] += ((value - old) * (value - mean)).astype(np.float32)

    def columns(
        self, own: Halves, bad: NDArray[np.bool_], exact: bool, rows: slice = slice(None)
    ) -> dict[str, Floats]:
        """The columns of some rows, from each pair's own cosine and which pairs are unusable."""
        count = self._batches
        image, text = self._image[rows] / count, self._text[rows] / count
        if exact:
            error = np.zeros(len(own))
        elif count == 1:
            error = np.full(len(own), np.nan)
        else:
            error = np.sqrt(self._spread[rows] / (count - 1) / count)
        # The sum of a softmax's terms is at least its own term; rounding may say otherwise.
        score = np.minimum(own - (image + text) / 2, 0)
        columns = dict(zip(COLUMNS, (score, error, image, text), strict=True))
        return {k: np.where(bad, np.nan, v).astype(np.float32) for k, v in columns.items()}


def own_cosines(image: Floats, text: Floats) -> Halves:
    """Each pair's own cosine from unit rows: (N,)."""
    cosines: Halves = np.einsum("ij,ij->i", image, text, dtype=np.float64)
    return cosines
