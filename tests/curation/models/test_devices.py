import threading

import pytest

from curation.errors import CurationError
from curation.executors.local import LocalExecutor
from curation.models import devices
from tests import make


def test_the_cpu_is_named_with_its_threads():
    assert devices.names("cpu") == ("cpu",)
    assert devices.describe(("cpu",)).startswith("CPU (")
    assert devices.describe(("cpu", "cpu")).startswith("2 × CPU (")


def test_a_gpu_that_is_not_used_is_told_of():
    assert "--device cuda takes it" in devices._unused_gpu(("cuda",), nvidia=False)
    assert "--device mps takes it" in devices._unused_gpu(("mps",), nvidia=False)
    assert "this torch cannot use it: install a CUDA build" in devices._unused_gpu((), nvidia=True)
    assert devices._unused_gpu((), nvidia=False) is None


def test_a_gpu_that_is_used_is_not_told_of():
    assert devices.unused_gpu(("cuda:0", "cuda:1")) is None
    assert devices.unused_gpu(("mps",)) is None


def test_an_nvidia_gpu_shows_by_its_driver_or_its_tool(tmp_path):
    nowhere = tmp_path / "version"
    tool = tmp_path / "smi"
    assert not devices._has_nvidia(nowhere, str(tool))
    for script, found in (
        ("echo 'GPU 0: NVIDIA H100'", True),
        ("echo 'No devices were found'", False),
        ("echo 'GPU'; exit 9", False),
    ):
        tool.write_text(f"#!/bin/sh\n{script}\n")
        tool.chmod(0o755)
        assert devices._has_nvidia(nowhere, str(tool)) == found
    nowhere.write_text("NVRM version")
    assert devices._has_nvidia(nowhere, "no-such-tool")


def test_the_cores_are_shared_by_the_devices():
    alone = devices.workers_each(("cpu",))
    assert alone >= 1
    assert devices.workers_each(("cuda:0", "cuda:1")) == max(1, alone // 2)
    assert devices.workers_each(("cuda:0",) * 1000) == 1


def test_results_come_in_the_order_of_the_shards_whatever_device_made_them():
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


@pytest.mark.parametrize("places", [("cpu",), ("cpu", "cpu")])
def test_after_a_failure_no_further_shard_is_begun(places):
    begun = []

    def task(shard, device):
        begun.append(shard)
        if shard == 2:
            raise CurationError("the third is damaged")
        if shard > 2:
            threading.Event().wait(0.05)
        return shard

    with pytest.raises(CurationError, match="the third"):
        list(LocalExecutor().map(task, range(200), places))
    assert len(begun) < 20


def test_a_bar_moved_by_several_threads_loses_no_step():
    with make.QUIET.bar("Counting", 0) as bar:
        total = []
        bar._bar = type("Plain", (), {"update": lambda _, n: total.append(sum(total[-1:]) + n)})()
        threads = [
            threading.Thread(target=lambda: [bar.update(1) for _ in range(2000)]) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert total[-1] == 16_000
