"""How long from a cold ``streamlit run`` to the first page, drawn in a browser?

Measured from the start of the process to the quadrant chart and the first thumbnail being in the
page, and the same for a floor: a Streamlit script that shows one number.

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
from pathlib import Path

from playwright.sync_api import Browser, Error, sync_playwright

from tests.browser.conftest import QUIET

ROOT = Path(__file__).resolve().parent.parent
FLOOR = "import streamlit as st\nst.metric('floor', 1)\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workspaces", nargs="?", type=Path, default=ROOT / "data" / "workspaces")
    parser.add_argument("--repeat", type=int, default=5)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        floor_script = Path(folder) / "floor.py"
        floor_script.write_text(FLOOR)
        path = os.environ.get("CHROMIUM") or None
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        floors, apps = [], []
        for _ in range(chosen.repeat):
            floors.append(first_paint(browser, floor_script, [], "[data-testid=stMetric]"))
            arguments = ["--", str(chosen.workspaces.resolve())]
            drawn = ".js-plotly-plot .hm image, .js-plotly-plot .heatmaplayer image"
            apps.append(first_paint(browser, ROOT / "app.py", arguments, drawn))
        browser.close()
    floor, app = statistics.median(floors), statistics.median(apps)
    print(f"floor  {floor:.2f} s  (one number; median of {chosen.repeat})")
    print(f"app    {app:.2f} s  ({min(apps):.2f} to {max(apps):.2f})")
    print(f"ratio  {app / floor:.2f}")


def first_paint(browser: Browser, script: Path, arguments: list[str], drawn: str) -> float:
    """Seconds from starting the server to ``drawn`` being visible."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script)]
    options = ["--server.port", str(port), "--server.headless", "true"]
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    began = time.perf_counter()
    server = subprocess.Popen(
        [*command, *options, *arguments],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while True:
            try:
                page.goto(f"http://127.0.0.1:{port}/")
                break
            except Error:
                time.sleep(0.02)
        page.locator(drawn).first.wait_for(timeout=60_000)
        return time.perf_counter() - began
    finally:
        page.close()
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    main()
