"""What a score is: what it declares, what it needs, and how it is computed shard by shard."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from curation import uids
from curation.errors import CurationError

Rows = NDArray[np.floating[Any]]
Floats = NDArray[np.float32]
Side = Literal["image", "text", "target"]


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


@dataclass(frozen=True)
class Column:
    """A column that a score makes in the catalog."""

    name: str
    title: str
    help: str
    target: str | None = None
    # A standard error describes another column; it is not a score to select by.
    of: str | None = None


@dataclass(frozen=True)
class Shard:
    """A shard's identifiers and embeddings, memory-mapped until they are asked for."""

    index: int
    uids: Callable[[], uids.Words]
    image_file: Path | Rows
    text_file: Path | Rows | None = None

    @cached_property
    def image(self) -> Rows:
        """Image embeddings (N, d)."""
        return _open(self.image_file)

    @cached_property
    def text(self) -> Rows:
        """Caption embeddings (N, d)."""
        if self.text_file is None:
            raise CurationError("these samples have no caption embeddings")
        return _open(self.text_file)

    def __len__(self) -> int:
        return len(self.image)


@dataclass(frozen=True)
class Data:
    """Everything a score may look at before it scores shards one by one."""

    shards: Sequence[Shard]
    targets: Mapping[str, Floats] = field(default_factory=dict)
    device: str = "auto"
    advance: Callable[[int], object] = lambda _: None


Scorer = Callable[[Shard], Mapping[str, Floats]]


class Score(Protocol):
    """One score. ``curation/scores/<name>.py`` holds one, and ``SCORES`` registers it."""

    name: str
    title: str
    help: str
    source: str
    needs: frozenset[Side]
    parameters: tuple[Parameter, ...]

    def columns(self, parameters: Mapping[str, Any], targets: Sequence[str]) -> list[Column]:
        """The columns it will make."""
        ...

    def prepare(self, data: Data, parameters: Mapping[str, Any]) -> Scorer:
        """Look over the whole dataset once; return what scores a shard, column by column."""
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


def in_memory(image: Rows, text: Rows | None = None) -> Data:
    """Arrays of one process as data of one shard, the row number standing for the uid.

    Raises:
        CurationError: the arrays are not matrices of the same shape.
    """
    if image.ndim != 2 or (text is not None and text.shape != image.shape):
        shapes = f"{image.shape}" if text is None else f"{image.shape} and {text.shape}"
        raise CurationError(f"embeddings have shape {shapes}; expected (N, d), the same for both")
    numbers = np.arange(len(image), dtype=np.uint64)
    words = np.stack([np.zeros_like(numbers), numbers], axis=1)
    return Data([Shard(0, lambda: words, image, text)])


def _open(source: Path | Rows) -> Rows:
    if isinstance(source, Path):
        mapped: Rows = np.load(source, mmap_mode="r", allow_pickle=False)
        return mapped
    return source
