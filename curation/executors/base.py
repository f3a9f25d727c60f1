"""What an executor is: something that does a task for each of many shards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

Shard = TypeVar("Shard")
Result = TypeVar("Result")


class Executor(Protocol):
    """Runs one task a shard. A task is safe to run again: what is done stays done."""

    def map(
        self,
        task: Callable[[Shard, str], Result],
        shards: Sequence[Shard],
        devices: Sequence[str] = ("cpu",),
    ) -> Iterator[Result]:
        """The results in the order of the shards; each device works on one shard at a time."""
        ...
