"""The app as a person has it: a real server, a headless Chromium."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from curation.storage.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent.parent
# Without these Chromium looks for its maker's servers at every start.
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
)

expect.set_options(timeout=20_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@contextmanager
def serve(workspaces: Path) -> Iterator[str]:
    """A server of the app on a free port; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    process = subprocess.Popen(
        [*command, "--", str(workspaces)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(f"{address}/_stcore/health", process)
        yield address
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="session")
def address(sample_workspaces: Path) -> Iterator[str]:
    with serve(sample_workspaces) as found:
        yield found


@pytest.fixture
def own(tmp_path: Path, sample_workspace: Workspace) -> Iterator[tuple[str, Workspace]]:
    """A server of the scored sample, of a test's own."""
    shutil.copytree(sample_workspace.path, tmp_path / "own" / "sample")
    with serve(tmp_path / "own") as address:
        yield address, Workspace.open(tmp_path / "own" / "sample")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # `make test` finds one; an empty value is Playwright's own.
        path = os.environ.get("CHROMIUM") or None
        with playwright.chromium.launch(executable_path=path, args=list(QUIET)) as opened:
            yield opened


Visit = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    """Open a page of the app as a new visitor; fails the test if the page ran into an error."""
    contexts = []

    def visited(path: str = "/", at: str = address, **settings: Any) -> Page:
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | settings))
        contexts.append(context)
        page = context.new_page()
        page.goto(at + path)
        settled(page)
        return page

    yield visited
    for context in contexts:
        for page in context.pages:
            expect(page.get_by_test_id("stException")).to_have_count(0)
        context.close()


# Resolves once nothing in the page has changed for 300 ms.
STILL = """() => new Promise(done => {
    let timer;
    const again = () => {
        clearTimeout(timer);
        timer = setTimeout(() => { watch.disconnect(); done(); }, 300);
    };
    const watch = new MutationObserver(again);
    watch.observe(document.body, {subtree: true, childList: true, characterData: true});
    again();
})"""


def settled(page: Page) -> None:
    """Wait until the page's script has run and what it drew is there."""
    # Between a deep link's two runs the script stands still for a moment: look twice.
    for still in (True, False):
        expect(page.locator("[data-testid=stApp]")).to_have_attribute(
            "data-test-script-state", "notRunning"
        )
        expect(
            page.get_by_test_id("stMetric").or_(page.get_by_test_id("stHeading")).first
        ).to_be_visible()
        expect(page.locator("[data-stale=true]")).to_have_count(0)
        if still:
            page.evaluate(STILL)


def tiles(page: Page) -> dict[str, str]:
    """What the tiles of a page say."""
    settled(page)
    return {
        tile.get_by_test_id("stMetricLabel").inner_text(): tile.get_by_test_id(
            "stMetricValue"
        ).inner_text()
        for tile in page.get_by_test_id("stMetric").all()
    }


def shown_uids(page: Page) -> list[str]:
    """The samples of the gallery, in their order."""
    settled(page)
    return [str(card.get_attribute("data-uid")) for card in page.locator("figure[data-uid]").all()]


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the app's server stopped with {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.02)
    raise TimeoutError(url)
