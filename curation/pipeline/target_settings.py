"""How NormSim measures against each target, and the columns that come of it.

Targets that are measured alike, as ``score`` does it, have the very columns of ``score``. One that
has captions only stands beside others that are measured by their images.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curation.catalog.columns import ALL_TARGETS
from curation.pipeline import score
from curation.scores.base import Column, check_parameters
from curation.scores.norm_sim import SCORE


@dataclass(frozen=True)
class Setting:
    """How NormSim measures against a target."""

    norms: tuple[float, ...]
    sides: tuple[str, ...]

    @property
    def parameters(self) -> dict[str, Any]:
        return {"p": self.norms, "target_side": self.sides}

    @property
    def pairs(self) -> list[tuple[float, str]]:
        return [(p, side) for side in self.sides for p in self.norms]


DEFAULT = Setting(*(check_parameters(SCORE, {})[name] for name in ("p", "target_side")))


def usual(settings: Mapping[str, Setting]) -> Setting:
    """The setting that most targets have."""
    counted = Counter(settings.values()).most_common(1)
    return counted[0][0] if counted else DEFAULT


def merged(settings: Mapping[str, Setting], name: str, setting: Setting) -> dict[str, Setting]:
    """With this target too, in the order of names; norms and sides in one order for all."""
    every = dict(sorted({**settings, name: setting}.items()))
    order = parameters(every)
    return {
        name: Setting(
            tuple(p for p in order["p"] if p in s.norms),
            tuple(side for side in order["target_side"] if side in s.sides),
        )
        for name, s in every.items()
    }


def columns(settings: Mapping[str, Setting]) -> list[Column]:
    """NormSim's columns toward these targets, and toward all that share a norm and a side.

    Raises:
        CurationError: two of them have one name.
    """
    own = [c for name, s in settings.items() for c in SCORE.columns(s.parameters, [name])]
    made = [*own, *(column for column, *_ in shared(settings))]
    score.check_distinct(SCORE, made)
    return made


def shared(
    settings: Mapping[str, Setting],
) -> list[tuple[Column, float, str, list[str]]]:
    """The columns of all targets together: with the norm, the side, and who has both."""
    found = []
    for p, side in dict.fromkeys(pair for s in settings.values() for pair in s.pairs):
        names = [name for name, s in settings.items() if (p, side) in s.pairs]
        made = toward(p, side, names)
        found += [(column, p, side, names) for column in made if column.target == ALL_TARGETS]
    return found


def toward(p: float, side: str, names: Sequence[str]) -> list[Column]:
    """NormSim's columns of one norm and side."""
    return SCORE.columns({"p": (p,), "target_side": (side,)}, names)


def parameters(settings: Mapping[str, Setting]) -> dict[str, Any]:
    """The norms and sides that any target has."""
    norms = dict.fromkeys(p for s in settings.values() for p in s.norms)
    sides = dict.fromkeys(side for s in settings.values() for side in s.sides)
    return {"p": tuple(norms), "target_side": tuple(sides)}
