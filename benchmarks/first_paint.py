"""Time from a cold ``streamlit run`` until a browser shows each part of the first page.

Measured from the start of the process, beside a floor: a Streamlit script that shows one number.

    python -m benchmarks.first_paint [WORKSPACES]      (default data/workspaces)
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import QUIET
from tests.servers import wait_for

ROOT = Path(__file__).resolve().parent.parent
FLOOR = "import streamlit as st\nst.metric('floor', 1)\n"

MOMENTS = {
    "controls": "[data-testid=stSlider]",
    "counts and images": "figure[data-uid] img",
    "chart": ".qc-tick",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workspaces", nargs="?", type=Path, default=ROOT / "data" / "workspaces")
    parser.add_argument("--repeat", type=int, default=5)
    chosen = parser.parse_args()
    arguments = ["--", str(chosen.workspaces.resolve())]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        floor_script = Path(folder) / "floor.py"
        floor_script.write_text(FLOOR)
        path = os.environ.get("CHROMIUM") or None
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        floors, apps = [], []
        for _ in range(chosen.repeat):
            floors += first_paint(browser, floor_script, [], ["[data-testid=stMetric]"])
            apps.append(first_paint(browser, ROOT / "app.py", arguments, list(MOMENTS.values())))
        browser.close()
    floor = statistics.median(floors)
    print(f"{'floor: one number':<22}{floor:.2f} s  (median of {chosen.repeat})")
    for name, spent in zip(MOMENTS, zip(*apps, strict=True), strict=True):
        middle = statistics.median(spent)
        print(
            f"{name:<22}{middle:.2f} s  ({min(spent):.2f} to {max(spent):.2f}), "
            f"{middle / floor:.2f} of the floor"
        )


def first_paint(
    browser: Browser, script: Path, arguments: list[str], selectors: Sequence[str]
) -> list[float]:
    """Seconds from starting the server until an element of each selector is visible."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    began = time.perf_counter()
    with started(script, arguments) as (address, _):
        page.goto(address, wait_until="commit")
        moments = []
        for selector in selectors:
            page.locator(selector).first.wait_for(timeout=60_000)
            moments.append(time.perf_counter() - began)
        page.close()
        return moments


@contextmanager
def started(script: Path, arguments: list[str]) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Start a server of a script; yields its address and its process once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script)]
    options = ["--server.port", str(port), "--server.headless", "true"]
    server = subprocess.Popen(
        [*command, *options, *arguments],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/_stcore/health", server)
        yield f"http://127.0.0.1:{port}/", server
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    main()
