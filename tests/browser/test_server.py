"""What depends on the server's first visit, and on what the browser is made to fetch."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests import make
from tests.browser.conftest import Visit, serve, settled, tiles


@pytest.mark.parametrize("page_name", make.PAGES)
def test_deep_link_on_a_fresh_server_shows_that_page_and_the_navigation(
    sample_workspaces: Path, visit: Visit, page_name: str
) -> None:
    with serve(sample_workspaces) as address:
        page = visit(f"/{page_name}?x_top=10", at=address)
        expect(page.get_by_test_id("stTopNavLink")).to_have_count(len(make.PAGES))
        assert f"/{page_name}" in page.url
        assert "x_top=10" in page.url
        if page_name == "quadrants":
            assert tiles(page)["High quality · unlike animals"]
        # And the next visitor has the whole app too.
        other = visit("/", at=address)
        expect(other.get_by_test_id("stTopNavLink")).to_have_count(len(make.PAGES))


def test_no_page_asks_another_server_for_anything(browser: Browser, address: str) -> None:
    context = browser.new_context()
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    for name in make.PAGES:
        page.goto(f"{address}/{name}")
        settled(page)
    context.close()
    elsewhere = [u for u in asked if not u.startswith((address, "data:", "blob:"))]
    assert elsewhere == []


@pytest.mark.parametrize("width", [1280, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", [f"/{name}" for name in make.PAGES])
def test_no_page_scrolls_sideways(visit: Visit, path: str, scheme: str, width: int) -> None:
    page = visit(path, viewport={"width": width, "height": 1000}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
