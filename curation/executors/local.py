"""This process: one shard at a time on each device, a thread for each where there are several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

Shard = TypeVar("Shard")
Result = TypeVar("Result")


class LocalExecutor:
    """GPUs compute outside Python's lock, so that a thread each keeps them all busy."""

    def map(
        self,
        task: Callable[[Shard, str], Result],
        shards: Sequence[Shard],
        devices: Sequence[str] = ("cpu",),
    ) -> Iterator[Result]:
        if len(devices) == 1:
            for shard in shards:
                yield task(shard, devices[0])
            return
        free: SimpleQueue[str] = SimpleQueue()
        for device in devices:
            free.put(device)

        def work(shard: Shard) -> Result:
            device = free.get()
            try:
                return task(shard, device)
            finally:
                free.put(device)

        with ThreadPoolExecutor(len(devices)) as pool:
            futures = [pool.submit(work, shard) for shard in shards]
            try:
                for future in futures:
                    yield future.result()
            finally:
                # After the first failure the shards that wait are left for the next run.
                for future in futures:
                    future.cancel()
