"""The app as a person has it: a real server, a headless Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from curation.storage.workspace import Workspace
from tests import make
from tests.servers import free_port, wait_for

# Without these, Chromium contacts its vendor's servers at every start.
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
)

# Long enough for a machine that does other work too; only a failing test waits this long.
expect.set_options(timeout=60_000)


@contextmanager
def serve(workspaces: Path) -> Iterator[str]:
    """A server of the app on a free port; its address."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    process = subprocess.Popen(
        [*command, "--", str(workspaces)],
        cwd=make.ROOT,
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
    """The address of a server of the scored sample."""
    with serve(sample_workspaces) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # `make test` finds one; an empty value is Playwright's own.
        path = os.environ.get("CHROMIUM") or None
        with playwright.chromium.launch(executable_path=path, args=list(QUIET)) as browser:
            yield browser


Visit = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    """Open a page of the app as a new visitor.

    The test fails if a page shows an exception, or makes the browser ask another server.
    """
    contexts = []
    requests: list[str] = []
    servers = {address}

    def visit(path: str = "/", at: str = address, **settings: Any) -> Page:
        servers.add(at)
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | settings))
        context.on("request", lambda request: requests.append(request.url))
        contexts.append(context)
        page = context.new_page()
        page.goto(at + path)
        settled(page)
        return page

    yield visit
    for context in contexts:
        for page in context.pages:
            expect(page.get_by_test_id("stException")).to_have_count(0)
        context.close()
    local = (*servers, "data:", "blob:", "about:")
    assert [url for url in requests if not url.startswith(local)] == []


@dataclass(frozen=True)
class Copy:
    """A copy of the scored sample that a test may change, on the shared server."""

    workspace: Workspace
    address: str
    _visit: Visit

    def path(self, page: str, **parameters: str) -> str:
        """The path of one of its pages."""
        return f"/{page}?{urlencode({'ws': self.workspace.path.name} | parameters)}"

    def visit(self, page: str, width: int = 1280, **parameters: str) -> Page:
        """Open one of its pages as a new visitor."""
        path = self.path(page, **parameters)
        return self._visit(path, viewport={"width": width, "height": 900})


_COPIES = count(1)


@pytest.fixture
def copy(sample_workspace: Workspace, address: str, visit: Visit) -> Iterator[Copy]:
    """A copy of the scored sample that a test may change, on the shared server."""
    # Each has another name, since the server keeps what it read of a workspace. The names sort
    # after the sample's own: a visitor who names no workspace sees the first.
    folder = sample_workspace.path.with_name(f"sample-{next(_COPIES)}")
    shutil.copytree(sample_workspace.path, folder)
    yield Copy(Workspace.open(folder), address, visit)
    shutil.rmtree(folder)


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
    """Wait until the page's script has run and its output is shown."""
    # A deep link runs two scripts, and the page stands still for a moment between them: look twice.
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
    """The page's metric tiles: label → value."""
    settled(page)
    return {
        tile.get_by_test_id("stMetricLabel").inner_text(): tile.get_by_test_id(
            "stMetricValue"
        ).inner_text()
        for tile in page.get_by_test_id("stMetric").all()
    }


def shown_uids(page: Page) -> list[str]:
    """The uids of the gallery's samples, in order."""
    settled(page)
    return [str(card.get_attribute("data-uid")) for card in page.locator("figure[data-uid]").all()]


def assert_no_sideways_scroll(page: Page) -> None:
    """Resize the window and change the theme: the page never scrolls sideways.

    The page must be open in the light theme.
    """
    background = page.locator("[data-testid=stApp]")
    light = background.evaluate("app => getComputedStyle(app).backgroundColor")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        if scheme == "dark":
            expect(background).not_to_have_css("background-color", light)
        for width in (1280, 1920):
            page.set_viewport_size({"width": width, "height": 1000})
            settled(page)
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
                f"{page.url} scrolls sideways at {width} pixels in the {scheme} theme"
            )
