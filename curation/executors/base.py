"""What an executor is: something that does a task for each of many shards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

Shard = TypeVar("Shard")
Result = TypeVar("Result")


class Executor(Protocol):
    """Runs one task a shard. A task is safe to run again: what is done stays done."""

    def map(self, task: Callable[[Shard], Result], shards: Sequence[Shard]) -> Iterator[Result]:
        """The results in the order of the shards."""
        ...
