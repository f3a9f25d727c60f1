"""A ready-made ``Score`` for columns that are computed from one shard alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curation.scores.base import Column, Columns, Data, Parameter, Scorer, Shard, Side


@dataclass(frozen=True)
class SimpleScore:
    """A score without parameters or targets, computed shard by shard on the CPU.

    Implements ``curation.scores.base.Score``. A score with parameters, with targets, or with
    values that depend on other shards implements that interface itself.

    Attributes:
        name, title, help, source, needs, default: as in ``Score``.
        made: the columns, in the order in which the catalog lists them.
        compute: from a shard of N samples to the values of each column, N per column, by name.
            Several threads may call it at once.
    """

    name: str
    title: str
    help: str
    source: str
    needs: frozenset[Side]
    made: tuple[Column, ...]
    compute: Callable[[Shard], Columns]
    default: bool = True

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return ()

    def columns(self, parameters: Mapping[str, Any], targets: Sequence[str]) -> list[Column]:
        return list(self.made)

    def passes(self, parameters: Mapping[str, Any]) -> int:
        return 1

    def prepare(self, data: Data, parameters: Mapping[str, Any]) -> Scorer:
        def score(shard: Shard, device: str) -> Columns:
            values = self.compute(shard)
            data.advance(len(shard))
            return values

        return score
