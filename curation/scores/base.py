"""What a score is: what it declares, what it needs, and how it is computed shard by shard."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation import uids
from curation.errors import CurationError
from curation.storage.matrices import Matrix

Rows = NDArray[np.floating[Any]]
Floats = NDArray[np.float32]
# What a score looks at: embeddings of images and captions, targets, or the samples' own columns.
Side = Literal["image", "text", "target", "samples"]


_KINDS: dict[type, tuple[Any, str]] = {
    int: ((int, np.integer), "a whole number"),
    float: ((int, float, np.integer, np.floating), "a number"),
}


@dataclass(frozen=True)
class Parameter:
    """One setting of a score; the command line makes its options from it."""

    name: str
    type: type
    default: object
    help: str
    minimum: float | None = None
    exclusive: bool = False
    maximum: float | None = None
    finite: bool = False
    choices: tuple[str, ...] = ()
    # Takes several values: its default and its values are tuples.
    multiple: bool = False

    def check(self, value: Any) -> Any:
        """``value`` if it is allowed.

        Raises:
            CurationError: it is not; names the parameter, the value and what was expected.
        """
        if self.multiple and not isinstance(value, tuple | list):
            raise CurationError(f"{self.name} is {value!r}; expected several values")
        for single in value if self.multiple else (value,):
            self._check_one(single)
        return tuple(dict.fromkeys(value)) if self.multiple else value

    def _check_one(self, value: Any) -> None:
        if self.choices and value not in self.choices:
            raise CurationError(f"{self.name} is {value!r}; expected {' or '.join(self.choices)}")
        kinds, noun = _KINDS.get(self.type, ((self.type,), self.type.__name__))
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise CurationError(f"{self.name} is {value!r}; expected {noun}")
        if self.finite and math.isinf(value):
            raise CurationError(f"{self.name} is {value}; expected a finite number")
        if self.minimum is not None:
            low = value <= self.minimum if self.exclusive else value < self.minimum
            if low or value != value:
                sign = ">" if self.exclusive else "≥"
                raise CurationError(f"{self.name} is {value}; expected {sign} {self.minimum:g}")
        if self.maximum is not None and not value <= self.maximum:
            raise CurationError(f"{self.name} is {value}; expected ≤ {self.maximum:g}")


@dataclass(frozen=True)
class Column:
    """A column that a score makes in the catalog."""

    name: str
    title: str
    help: str
    target: str | None = None
    # A standard error describes another column; it is not a score to select by.
    of: str | None = None
    type: Literal["float", "int32", "bool", "string"] = "float"
    # A measure tells what a sample is (its length, size, language), not how good it is.
    kind: Literal["score", "measure"] = "score"


@dataclass(frozen=True)
class Shard:
    """A shard of ``rows`` samples: identifiers, embeddings and columns, opened when asked for.

    Embeddings are mapped anew at each look, so that the pages of a shard that has been scored
    are given back.
    """

    index: int
    rows: int
    uids: Callable[[], uids.Words]
    image_file: Path | Matrix | Rows | None = None
    text_file: Path | Matrix | Rows | None = None
    samples: Callable[[Sequence[str]], pa.Table] | None = None

    @property
    def image(self) -> Rows:
        """Image embeddings (N, d)."""
        return _open(self.image_file, "image")

    @property
    def text(self) -> Rows:
        """Caption embeddings (N, d)."""
        return _open(self.text_file, "caption")

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Some of the samples' own columns, N rows."""
        if self.samples is None:
            raise CurationError("these samples have no columns beside their embeddings")
        return self.samples(names)

    def __len__(self) -> int:
        return self.rows


@dataclass(frozen=True)
class Target:
    """A target's embeddings, float32, one row a reference item; NaN where an item has none."""

    image: Floats | None = None
    text: Floats | None = None


@dataclass(frozen=True)
class Data:
    """Everything a score may look at before it scores shards one by one.

    Attributes:
        devices: where to compute, by torch's names; several GPUs take shards side by side.
        advance: called with how many samples have been worked on, from any thread.
    """

    shards: Sequence[Shard]
    targets: Mapping[str, Target] = field(default_factory=dict)
    devices: tuple[str, ...] = ("cpu",)
    advance: Callable[[int], object] = lambda _: None


# Column by column, N values each.
Columns = Mapping[str, NDArray[Any] | pa.Array]
# Scores a shard on one of the devices; several threads may call it at once.
Scorer = Callable[[Shard, str], Columns]


class Score(Protocol):
    """One score. ``curation/scores/<name>.py`` holds one, and ``SCORES`` registers it."""

    name: str
    title: str
    help: str
    source: str
    needs: frozenset[Side]
    parameters: tuple[Parameter, ...]
    # Whether it is made where no scores are named.
    default: bool

    def columns(self, parameters: Mapping[str, Any], targets: Sequence[str]) -> list[Column]:
        """The columns it will make."""
        ...

    def prepare(self, data: Data, parameters: Mapping[str, Any]) -> Scorer:
        """Look over the whole dataset; return what scores a shard, column by column."""
        ...

    def passes(self, parameters: Mapping[str, Any]) -> int:
        """How often ``prepare`` and the scorer together advance over every sample."""
        ...


def check_parameters(score: Score, values: Mapping[str, Any]) -> dict[str, Any]:
    """The score's own parameters among ``values``, defaults filled in, each checked."""
    return {
        p.name: p.check(p.default if values.get(p.name) in (None, ()) else values[p.name])
        for p in score.parameters
    }


def _open(source: Path | Matrix | Rows | None, side: str) -> Rows:
    if source is None:
        raise CurationError(f"these samples have no {side} embeddings")
    if isinstance(source, Path):
        source = Matrix(source)
    return source.open() if isinstance(source, Matrix) else source
