"""This process, one shard after another: each task uses the whole machine by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Shard = TypeVar("Shard")
Result = TypeVar("Result")


class LocalExecutor:
    def map(self, task: Callable[[Shard], Result], shards: Sequence[Shard]) -> Iterator[Result]:
        return map(task, shards)
