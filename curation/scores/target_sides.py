"""Which items of a target a score measures against: its images, its captions, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.errors import CurationError
from curation.scores.base import Floats, Parameter, Target
from curation.scores.shared.normalize import unit

# Shared by every score that looks at a target.
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
        target, side: of which target; ``image``, ``text`` or ``both``.
        rows: unit rows (M, d), float32; for ``both`` the images, then the captions.
        places: (M,), int64: the item, by its row in the whole target, that each belongs to.
    """

    target: str
    side: str
    rows: Floats
    places: NDArray[np.int64]

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
    """Every target on every side, the sides of a target in a row.

    Raises:
        CurationError: a target has nothing usable on a side.
    """
    return [_items(name, target, side) for name, target in targets.items() for side in sides]


def suffix(target: str, side: str) -> str:
    """How a column of this target and side ends: food, food_text, food_both."""
    return target if side == "image" else f"{target}_{side}"


def shown(target: str, side: str) -> str:
    """The same for people: food; food, captions; food, images and captions."""
    return target if side == "image" else f"{target}, {_NOUNS[side]}"


def _items(name: str, target: Target, side: str) -> Items:
    wanted = ("image", "text") if side == "both" else (side,)
    found = [_usable(name, target, one) for one in wanted]
    rows, places = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Items(name, side, rows, places)


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
