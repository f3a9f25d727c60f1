"""A recipe: the steps that select samples, and its YAML and URL forms."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from curation import uids
from curation.errors import CurationError

Rule = Literal["top", "count", "at_least", "at_most"]
RULES: tuple[Rule, ...] = ("top", "count", "at_least", "at_most")
SET_OPERATIONS = ("union", "intersect", "except")
# Bytes. Limits what a crafted link can unpack to.
_MAX_UNPACKED = 1 << 20


@dataclass(frozen=True)
class ScoreStep:
    """Keep the survivors of the steps before that a score ranks highest, or that meet a cutoff.

    Attributes:
        score: the column of the score.
        rule: what ``value`` is. ``top``: the fraction to keep, in [0, 1]. ``count``: the number
            of samples to keep. ``at_least``, ``at_most``: a cutoff, inclusive.
        of: what ``top`` is a fraction of: the ``pool`` (all samples) or the ``survivors``.
    """

    score: str
    rule: Rule
    value: float
    of: Literal["pool", "survivors"] = "pool"

    def record(self) -> dict[str, Any]:
        value = int(self.value) if self.rule == "count" else self.value
        record: dict[str, Any] = {"score": self.score, self.rule: value}
        return record | ({"of": self.of} if self.rule == "top" else {})


@dataclass(frozen=True)
class WhereStep:
    """Keep the survivors that meet a condition (see ``where.py``)."""

    condition: str

    def record(self) -> dict[str, Any]:
        return {"where": self.condition}


@dataclass(frozen=True)
class SetStep:
    """Combine the survivors with a saved selection or an imported uid list.

    Attributes:
        operation: one of SET_OPERATIONS.
    """

    operation: str
    name: str

    def record(self) -> dict[str, Any]:
        return {self.operation: self.name}


Step = ScoreStep | WhereStep | SetStep


@dataclass(frozen=True)
class Recipe:
    """Steps in order, then single samples.

    Attributes:
        keep: uids to add after the last step.
        drop: uids to remove after that.
    """

    name: str
    steps: tuple[Step, ...] = ()
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()

    @classmethod
    def load(cls, path: Path) -> Recipe:
        """Read a recipe from a YAML file.

        Raises:
            CurationError: the file cannot be read or is not a recipe.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CurationError(f"the recipe {path} cannot be read: {error}") from None
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, origin: str = "recipe") -> Recipe:
        """Read a recipe from YAML.

        Args:
            origin: names the text in error messages.

        Raises:
            CurationError: the text is not a recipe.
        """
        try:
            record = yaml.safe_load(text)
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise CurationError(f"{origin} is not YAML: {error}") from None
        return cls._from_record(record, origin)

    @classmethod
    def unpack(cls, text: str, origin: str = "recipe") -> Recipe:
        """Read a recipe from the text that ``packed`` returns.

        Args:
            origin: names the text in error messages.

        Raises:
            CurationError: the text is truncated or changed, or is not a recipe.
        """
        try:
            data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            inflater = zlib.decompressobj(-15)
            record = json.loads(inflater.decompress(data, _MAX_UNPACKED))
        except (ValueError, zlib.error, RecursionError):
            raise CurationError(f"{origin} cannot be read: it is truncated or changed") from None
        return cls._from_record(record, origin)

    @classmethod
    def _from_record(cls, record: Any, origin: str) -> Recipe:
        if not isinstance(record, dict):
            raise CurationError(f"{origin} is not a recipe: it should have `name:` and `steps:`")
        unknown = set(record) - {"name", "steps", "keep", "drop"}
        if unknown:
            raise CurationError(
                f"{origin} has {min(unknown, key=str)!r}; a recipe has name, steps, keep and drop"
            )
        steps = record.get("steps") or []
        if not isinstance(steps, list):
            raise CurationError(f"{origin}: steps should be a list")
        return cls(
            name=str(record.get("name") or "unnamed"),
            steps=tuple(_parse_step(s, f"{origin}, step {n}") for n, s in enumerate(steps, 1)),
            keep=_parse_uids(record.get("keep"), f"{origin}: keep"),
            drop=_parse_uids(record.get("drop"), f"{origin}: drop"),
        )

    def to_yaml(self) -> str:
        return yaml.safe_dump(self._record(), sort_keys=False, allow_unicode=True)

    def packed(self) -> str:
        """The recipe as a short text for a URL: only letters, digits, - and _."""
        text = json.dumps(self._record(), separators=(",", ":"), ensure_ascii=False)
        deflater = zlib.compressobj(9, wbits=-15)
        data = deflater.compress(text.encode()) + deflater.flush()
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    def _record(self) -> dict[str, Any]:
        record: dict[str, Any] = {
            "name": self.name,
            "steps": [step.record() for step in self.steps],
        }
        return record | {k: list(v) for k, v in (("keep", self.keep), ("drop", self.drop)) if v}


def describe(step: Step) -> str:
    """neg_clip_loss: top 30 % of the pool"""
    match step:
        case ScoreStep(score, "top", value, of):
            whole = "the pool" if of == "pool" else "what is left"
            return f"{score}: top {100 * value:g} % of {whole}"
        case ScoreStep(score, "count", value):
            return f"{score}: best {value:,.0f}"
        case ScoreStep(score, rule, value):
            return f"{score} {'≥' if rule == 'at_least' else '≤'} {value:.6g}"
        case WhereStep(condition):
            return f"where {condition}"
        case SetStep(operation, name):
            return f"{operation} {name}"


def _parse_step(record: Any, where: str) -> Step:
    if not isinstance(record, Mapping):
        raise CurationError(f"{where}: {record!r} is not a step")
    if "score" in record:
        return _parse_score_step(record, where)
    if set(record) == {"where"}:
        return WhereStep(str(record["where"]))
    if len(record) == 1 and next(iter(record)) in SET_OPERATIONS:
        operation, name = next(iter(record.items()))
        return SetStep(str(operation), str(name))
    raise CurationError(
        f"{where}: {dict(record)} is not a step; a step has score, where, "
        "union, intersect or except"
    )


def _parse_score_step(record: Mapping[str, Any], where: str) -> ScoreStep:
    rules = [rule for rule in RULES if rule in record]
    unknown = set(record) - {"score", "of", *RULES}
    if len(rules) != 1 or unknown or ("of" in record and rules[0] != "top"):
        raise CurationError(
            f"{where}: {dict(record)} should have a score and one of {', '.join(RULES)} "
            "(`of: pool` or `of: survivors` goes with top)"
        )
    rule, value, of = rules[0], record[rules[0]], record.get("of", "pool")
    if isinstance(value, bool) or not isinstance(value, int | float) or not _fits_float(value):
        raise CurationError(f"{where}: {rule} is {value!r}; expected a number")
    if rule == "top" and not 0 <= value <= 1:
        raise CurationError(f"{where}: top is {value}; expected a fraction from 0 to 1")
    if rule == "count" and (value < 0 or not float(value).is_integer()):
        raise CurationError(f"{where}: count is {value}; expected a whole number, 0 or more")
    if of not in ("pool", "survivors"):
        raise CurationError(f"{where}: of is {of!r}; expected pool or survivors")
    return ScoreStep(str(record["score"]), rule, float(value), of)


def _fits_float(value: float) -> bool:
    """Whether a number is neither NaN nor an integer too large for a float."""
    try:
        return float(value) == value
    except OverflowError:
        return False


def _parse_uids(values: Any, where: str) -> tuple[str, ...]:
    if values is None:
        return ()
    if not isinstance(values, list):
        raise CurationError(f"{where} should be a list of uids")
    bad = [v for v in values if not uids.is_uid(str(v).lower())]
    if bad:
        raise CurationError(f"{where}: {bad[0]!r} is not a uid (32 hex digits)")
    return tuple(str(v).lower() for v in values)
