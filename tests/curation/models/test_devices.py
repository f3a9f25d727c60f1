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


def test_an_unused_gpu_gets_a_hint():
    assert "use it with --device cuda" in devices._unused_gpu_hint(("cuda",), nvidia=False)
    assert "use it with --device mps" in devices._unused_gpu_hint(("mps",), nvidia=False)
    hint = devices._unused_gpu_hint((), nvidia=True)
    assert "this torch cannot use it: install a CUDA build" in hint
    assert devices._unused_gpu_hint((), nvidia=False) is None


def test_a_gpu_in_use_gets_no_hint():
    assert devices.unused_gpu(("cuda:0", "cuda:1")) is None
    assert devices.unused_gpu(("mps",)) is None


def test_an_nvidia_gpu_is_detected_by_its_driver_or_its_tool(tmp_path):
    driver = tmp_path / "version"
    tool = tmp_path / "smi"
    assert not devices._has_nvidia(driver, str(tool))
    for script, expected in (
        ("echo 'GPU 0: NVIDIA H100'", True),
        ("echo 'No devices were found'", False),
        ("echo 'GPU'; exit 9", False),
    ):
        tool.write_text(f"#!/bin/sh\n{script}\n")
        tool.chmod(0o755)
        assert devices._has_nvidia(driver, str(tool)) == expected
    driver.write_text("NVRM version")
    assert devices._has_nvidia(driver, "no-such-tool")


def test_the_devices_share_the_cores():
    alone = devices.workers_each(("cpu",))
    assert alone >= 1
    assert devices.workers_each(("cuda:0", "cuda:1")) == max(1, alone // 2)
    assert devices.workers_each(("cuda:0",) * 1000) == 1


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


def test_a_progress_bar_counts_the_steps_of_several_threads():
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
