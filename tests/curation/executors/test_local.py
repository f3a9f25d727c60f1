import threading

import pytest

from curation.errors import CurationError
from curation.executors.local import LocalExecutor


def test_results_are_in_the_order_of_the_shards_on_any_device():
    slow = threading.Event()
    used = []

    def task(shard, device):
        used.append(device)
        if shard == 0:
            slow.wait(10)
        if shard == 5:
            slow.set()
        return shard * 10

    assert list(LocalExecutor().map(task, range(6), ("one", "two"))) == [0, 10, 20, 30, 40, 50]
    assert set(used) == {"one", "two"}


def test_a_device_works_on_one_shard_at_a_time():
    busy, lock = {"one": 0, "two": 0}, threading.Lock()
    most = []

    def task(shard, device):
        with lock:
            busy[device] += 1
            most.append(busy[device])
        threading.Event().wait(0.002)
        with lock:
            busy[device] -= 1

    list(LocalExecutor().map(task, range(30), ("one", "two")))
    assert max(most) == 1


@pytest.mark.parametrize("names", [("cpu",), ("cpu", "cpu")])
def test_no_shard_starts_after_an_error(names):
    started = []

    def task(shard, device):
        started.append(shard)
        if shard == 2:
            raise CurationError("the third is damaged")
        if shard > 2:
            threading.Event().wait(0.05)
        return shard

    with pytest.raises(CurationError, match="the third"):
        list(LocalExecutor().map(task, range(200), names))
    assert len(started) < 20
