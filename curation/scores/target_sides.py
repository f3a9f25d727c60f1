"""Which items of a target a score measures against: its images, its captions, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.errors import CurationError
from curation.scores.base import Floats, Parameter, Target
from curation.scores.shared.normalize import unit

# Shared by every score that measures against a target.
TARGET_SIDE = Parameter(
    "target_side",
    str,
    ("image",),
    "measure against the target's images, its captions (text), or both as one set",
    choices=("image", "text", "both"),
    multiple=True,
)

_NOUNS = {"image": "images", "text": "captions", "both": "images and captions"}


@dataclass(frozen=True)
class Items:
    """The usable embeddings of a target on one side.

    Attributes:
        target, side: the target's name; ``image``, ``text`` or ``both``.
        rows: unit rows (M, d), float32; for ``both`` the images, then the captions.
        target_rows: (M,), int64: for each, the row of its item in the whole target.
    """

    target: str
    side: str
    rows: Floats
    target_rows: NDArray[np.int64]

    def check_length(self, length: int) -> None:
        """Raises:
        CurationError: the dataset's embeddings are not as long as the target's.
        """
        if self.rows.shape[1] != length:
            raise CurationError(
                f"the target {self.target} has embeddings of length {self.rows.shape[1]}, the "
                f"dataset of length {length}: embed both with one model"
            )


def all_items(targets: Mapping[str, Target], sides: Sequence[str]) -> list[Items]:
    """Every target on every side, the sides of one target next to each other.

    Raises:
        CurationError: a target has no usable item on a side.
    """
    return [_items(name, target, side) for name, target in targets.items() for side in sides]


def suffix(target: str, side: str) -> str:
    """The end of a column's name for this target and side: food, food_text, food_both."""
    return target if side == "image" else f"{target}_{side}"


def label(target: str, side: str) -> str:
    """The same in a title: food; food, captions; food, images and captions."""
    return target if side == "image" else f"{target}, {_NOUNS[side]}"


def _items(name: str, target: Target, side: str) -> Items:
    wanted = ("image", "text") if side == "both" else (side,)
    parts = [_usable(name, target, one) for one in wanted]
    rows, target_rows = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Items(name, side, rows, target_rows)


def _usable(name: str, target: Target, side: str) -> tuple[Floats, NDArray[np.int64]]:
    rows = target.image if side == "image" else target.text
    if rows is not None and (rows.ndim != 2 or not len(rows)):
        raise CurationError(
            f"the target {name} is empty: it has shape {rows.shape}; expected (M, d), M ≥ 1"
        )
    scaled, bad = unit(np.empty((0, 0)) if rows is None else rows)
    if bad.all():
        other = "text" if side == "image" else "image"
        raise CurationError(
            f"the target {name} has no usable embedding of its {_NOUNS[side]}, which target_side "
            f"{side} needs; use target_side {other} or another target"
        )
    return scaled[~bad], np.flatnonzero(~bad)
