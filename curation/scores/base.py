"""The interface of a score, and the data that a score reads."""

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

# Embeddings, shape (N, d), any float type.
Rows = NDArray[np.floating[Any]]
Floats = NDArray[np.float32]
# What a score reads: image embeddings, caption embeddings, targets, the samples' own columns.
Side = Literal["image", "text", "target", "samples"]


_KINDS: dict[type, tuple[Any, str]] = {
    int: ((int, np.integer), "a whole number"),
    float: ((int, float, np.integer, np.floating), "a number"),
}


@dataclass(frozen=True)
class Parameter:
    """One setting of a score; the command line makes an option of it.

    Attributes:
        name: the keyword argument and, with dashes, the option.
        type: of one value: int, float or str.
        default: a value, or a tuple of values if ``multiple``.
        help: what the option does, for the command line and the app.
        minimum, maximum: the range; both ends are allowed.
        exclusive: whether values must exceed ``minimum``.
        finite: whether infinity is refused.
        choices: the allowed values; empty for any.
        multiple: whether it takes several values, as a tuple.
    """

    name: str
    type: type
    default: object
    help: str
    minimum: float | None = None
    exclusive: bool = False
    maximum: float | None = None
    finite: bool = False
    choices: tuple[str, ...] = ()
    multiple: bool = False

    def check(self, value: Any) -> Any:
        """``value`` if it is allowed; repeated values of a ``multiple`` parameter are dropped.

        Raises:
            CurationError: it is not allowed; names the parameter, the value and what was expected.
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
            too_low = value <= self.minimum if self.exclusive else value < self.minimum
            if too_low or math.isnan(value):
                sign = ">" if self.exclusive else "≥"
                raise CurationError(f"{self.name} is {value}; expected {sign} {self.minimum:g}")
        if self.maximum is not None and not value <= self.maximum:
            raise CurationError(f"{self.name} is {value}; expected ≤ {self.maximum:g}")


@dataclass(frozen=True)
class Column:
    """A column that a score adds to the catalog.

    Attributes:
        name: in the catalog, for recipes and SQL.
        title, help: in the app.
        target: the target that it was measured against, if any.
        of: the column that it describes, such as the score of a standard error. Such a column is
            a detail, not offered for selection.
        type: of its values; a missing one is NaN in an array, NULL in an Arrow array.
        kind: ``score`` (how good a sample is) or ``measure`` (what it is: length, size, language).
    """

    name: str
    title: str
    help: str
    target: str | None = None
    of: str | None = None
    type: Literal["float", "int32", "bool", "string"] = "float"
    kind: Literal["score", "measure"] = "score"


@dataclass(frozen=True)
class Shard:
    """A shard of ``rows`` samples, whose uids, embeddings and columns are read on access.

    Each access to ``image`` or ``text`` maps the file again, which lets the system release the
    pages of shards that have been scored.

    Attributes:
        index: the number of the shard in its dataset.
        rows: N, the number of samples.
        uids: returns the uids, shape (N, 2), uint64.
        image_file, text_file: the embeddings, (N, d): a file, a matrix in a file, or an array.
        samples: returns those of the named columns that the samples have, as a table of N rows.
    """

    index: int
    rows: int
    uids: Callable[[], uids.Words]
    image_file: Path | Matrix | Rows | None = None
    text_file: Path | Matrix | Rows | None = None
    samples: Callable[[Sequence[str]], pa.Table] | None = None

    @property
    def image(self) -> Rows:
        """Image embeddings, shape (N, d).

        Raises:
            CurationError: the shard has none.
        """
        return _open(self.image_file, "image")

    @property
    def text(self) -> Rows:
        """Caption embeddings, shape (N, d).

        Raises:
            CurationError: the shard has none.
        """
        return _open(self.text_file, "caption")

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Those of the named columns that the samples have, as a table of N rows.

        Raises:
            CurationError: the shard has embeddings only.
        """
        if self.samples is None:
            raise CurationError("these samples have embeddings only, no columns")
        return self.samples(names)

    def __len__(self) -> int:
        return self.rows


@dataclass(frozen=True)
class Target:
    """The embeddings of a target's M items, each (M, d), float32; NaN rows where there is none."""

    image: Floats | None = None
    text: Floats | None = None


@dataclass(frozen=True)
class Data:
    """A dataset, as a score reads it.

    Attributes:
        shards: all shards of the dataset.
        targets: by name; empty for scores that need none.
        devices: torch's names of the devices to compute on. With several GPUs, each works on a
            shard of its own.
        advance: reports progress, in samples; safe to call from any thread.
    """

    shards: Sequence[Shard]
    targets: Mapping[str, Target] = field(default_factory=dict)
    devices: tuple[str, ...] = ("cpu",)
    advance: Callable[[int], object] = lambda _: None


# The values of a shard's N samples, N per column, by the column's name.
Columns = Mapping[str, NDArray[Any] | pa.Array]
# Scores a shard on the device with this name; several threads may call it at once.
Scorer = Callable[[Shard, str], Columns]


class Score(Protocol):
    """One score: ``curation/scores/<name>.py`` defines it as ``SCORE``, and ``SCORES`` lists it.

    A score whose columns depend on one shard alone and that has no parameters is a
    ``curation.scores.shared.simple_score.SimpleScore``.
    """

    @property
    def name(self) -> str:
        """The name on the command line and in Python, with which its folders' names begin."""
        ...

    @property
    def title(self) -> str:
        """The name in the app."""
        ...

    @property
    def help(self) -> str:
        """What the score says about a sample, in one to three sentences."""
        ...

    @property
    def source(self) -> str:
        """The paper or other origin of the score."""
        ...

    @property
    def needs(self) -> frozenset[Side]:
        """What it reads."""
        ...

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its settings; names are shared by all scores."""
        ...

    @property
    def default(self) -> bool:
        """Whether it is computed if the user names no scores."""
        ...

    def columns(self, parameters: Mapping[str, Any], targets: Sequence[str]) -> list[Column]:
        """The columns that it adds for these parameters and targets."""
        ...

    def prepare(self, data: Data, parameters: Mapping[str, Any]) -> Scorer:
        """Read whatever the score needs of the whole dataset; return the scorer of a shard.

        Args:
            data: the dataset.
            parameters: a value for each of the score's parameters, from ``check_parameters``.
        """
        ...

    def passes(self, parameters: Mapping[str, Any]) -> int:
        """How often ``prepare`` and the scorer together report progress on every sample."""
        ...


def check_parameters(score: Score, values: Mapping[str, Any]) -> dict[str, Any]:
    """A checked value for each parameter of a score.

    Args:
        score: whose parameters count; ``values`` may hold those of other scores too.
        values: by parameter name; None and an empty tuple mean the default.

    Raises:
        CurationError: a value is not allowed.
    """
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
