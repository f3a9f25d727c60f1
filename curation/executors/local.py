"""Runs tasks in this process: one shard at a time per device, with a thread for each device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

Shard = TypeVar("Shard")
Result = TypeVar("Result")


class LocalExecutor:
    """Executor in this process. torch releases Python's lock, so threads keep all GPUs busy."""

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

        def run(shard: Shard) -> Result:
            device = free.get()
            try:
                return task(shard, device)
            finally:
                free.put(device)

        with ThreadPoolExecutor(len(devices)) as pool:
            futures = [pool.submit(run, shard) for shard in shards]
            try:
                for future in futures:
                    yield future.result()
            finally:
                # After the first error, the remaining shards are left to the next run.
                for future in futures:
                    future.cancel()
