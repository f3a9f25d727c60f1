"""What a column of a catalog's samples is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# The target of a column that was measured against all targets as one.
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
    """What a column of the samples is.

    Attributes:
        kind: ``score`` (how good a sample is), ``measure`` (what it is: its length, size,
            language), ``detail`` (describes one of those), ``source`` (what the source told) or
            ``sample`` (what every sample has).
        of: the column that a detail describes.
        parameters: how a score was made.
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
