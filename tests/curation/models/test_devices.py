from curation.models import devices


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
