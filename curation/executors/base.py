"""The interface of an executor, which runs a task for each of many shards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

Shard = TypeVar("Shard")
Result = TypeVar("Result")


class Executor(Protocol):
    """Runs one task per shard. A task may run again: it must keep what it finished before."""

    def map(
        self,
        task: Callable[[Shard, str], Result],
        shards: Sequence[Shard],
        devices: Sequence[str] = ("cpu",),
    ) -> Iterator[Result]:
        """Run the task on every shard; each device works on one shard at a time.

        Args:
            task: from a shard and the name of its device to a result.
            shards: in the order of the results.
            devices: torch's names; a name may occur more than once.

        Yields:
            The results, in the order of the shards. The first error of a task is raised.
        """
        ...
