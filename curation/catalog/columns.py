"""The description of a catalog's columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# The target of columns that are measured against the union of all targets.
ALL_TARGETS = "all"

_NUMBERS = (
    "FLOAT",
    "DOUBLE",
    "DECIMAL",
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "UHUGEINT",
)


@dataclass(frozen=True)
class ColumnInfo:
    """A column of the samples. Text that does not apply is "".

    Attributes:
        kind: ``score`` (how good a sample is), ``measure`` (a property, such as its length, size or
            language), ``detail`` (more about a score or measure), ``source`` (a column of the
            source) or ``sample`` (a column of every dataset: uid, caption, …).
        type: the DuckDB type.
        title, help: the label and its explanation, for display.
        score: the name of the score or measure that computed it.
        target: the target that it is measured against.
        of: the column that a detail describes.
        model: the model of the embeddings that it is computed from.
        parameters: the parameters of the score; None if it has none.
        reference: where the score is published.
        version: the version of this project that computed it.
        created: when it was computed, as ISO 8601 in UTC.
    """

    name: str
    kind: str
    type: str
    title: str
    help: str = ""
    score: str = ""
    target: str = ""
    of: str = ""
    model: str = ""
    parameters: Mapping[str, Any] | None = None
    reference: str = ""
    version: str = ""
    created: str = ""

    @property
    def is_number(self) -> bool:
        return self.type.partition("(")[0] in _NUMBERS

    @property
    def is_whole(self) -> bool:
        return self.type.endswith(("INT", "INTEGER"))

    @property
    def is_label(self) -> bool:
        return self.type == "BOOLEAN"
