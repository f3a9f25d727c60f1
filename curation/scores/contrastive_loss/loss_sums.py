"""Running sums over the K batches of negCLIPLoss, and the score's columns from them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curation.scores.base import Floats

COLUMNS = ("neg_clip_loss", "neg_clip_loss_se", "neg_clip_loss_image", "neg_clip_loss_text")

Doubles = NDArray[np.float64]


class LossSums:
    """Sums over K batches for N samples: τ·log Σ exp(S/τ) of both sides, and its spread.

    It takes 20 bytes per sample, because the partition estimator keeps the whole dataset's.
    """

    def __init__(self, length: int, batches: int) -> None:
        self._batches = batches
        self._image = np.zeros(length)
        self._text = np.zeros(length)
        self._spread = np.zeros(length, dtype=np.float32)

    def add(
        self, draw: int, image: Doubles, text: Doubles, members: NDArray[np.int64] | slice
    ) -> None:
        """Add one batch of some samples; each sample needs exactly one batch per draw.

        Args:
            draw: the number of the draw, 0 to K − 1, in ascending order.
            image: τ·log Σ_j exp(S_ij/τ) of n samples, shape (n,).
            text: τ·log Σ_j exp(S_ji/τ), likewise.
            members: which samples those are.
        """
        # Welford's update of the sum of squared deviations, with the means taken from the sums:
        # the deviations are tiny compared with the values.
        old_mean = (self._image[members] + self._text[members]) / 2 / max(draw, 1)
        self._image[members] += image
        self._text[members] += text
        mean = (self._image[members] + self._text[members]) / 2 / (draw + 1)
        if draw:
            value = (image + text) / 2
            self._spread[members] += ((value - old_mean) * (value - mean)).astype(np.float32)

    def columns(
        self, cosines: Doubles, bad: NDArray[np.bool_], exact: bool, rows: slice = slice(None)
    ) -> dict[str, Floats]:
        """The score's columns for n samples, each of shape (n,), by name.

        Args:
            cosines: of each image and its caption, shape (n,).
            bad: which samples get NaN, shape (n,).
            exact: whether a batch is the whole dataset, so that the standard error is 0.
            rows: which samples those are.
        """
        count = self._batches
        image, text = self._image[rows] / count, self._text[rows] / count
        if exact:
            error = np.zeros(len(cosines))
        elif count == 1:
            error = np.full(len(cosines), np.nan)
        else:
            error = np.sqrt(self._spread[rows] / (count - 1) / count)
        # A sum of exponentials is at least its own term, but rounding can break that.
        score = np.minimum(cosines - (image + text) / 2, 0)
        columns = dict(zip(COLUMNS, (score, error, image, text), strict=True))
        return {k: np.where(bad, np.nan, v).astype(np.float32) for k, v in columns.items()}


def pair_cosines(image: Floats, text: Floats) -> Doubles:
    """The cosine of each image and its caption, from unit rows (N, d): shape (N,), float64."""
    cosines: Doubles = np.einsum("ij,ij->i", image, text, dtype=np.float64)
    return cosines
