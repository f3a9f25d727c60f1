"""What depends on the server's first visit, and what holds for every page."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests import make
from tests.browser.conftest import Visit, assert_no_sideways_scroll, serve, tiles


# Every page begins alike; tests/pages/test_shell.py asserts it.
@pytest.mark.parametrize("page_name", ["quadrants", "score"])
def test_a_deep_link_on_a_fresh_server_shows_that_page_and_the_navigation(
    sample_workspaces: Path, visit: Visit, page_name: str
) -> None:
    with serve(sample_workspaces) as address:
        page = visit(f"/{page_name}?x_top=10", at=address)
        expect(page.get_by_test_id("stTopNavLink")).to_have_count(len(make.PAGES))
        assert f"/{page_name}" in page.url
        assert "x_top=10" in page.url
        if page_name == "quadrants":
            assert tiles(page)["High quality · not relevant to animals"]
        # And the next visitor has the whole app too.
        other = visit("/", at=address)
        expect(other.get_by_test_id("stTopNavLink")).to_have_count(len(make.PAGES))


# `visit` also asserts that the page makes the browser ask no other server.
@pytest.mark.parametrize("page_name", make.PAGES)
def test_every_page_has_an_address_and_the_navigation_and_does_not_scroll_sideways(
    visit: Visit, page_name: str
) -> None:
    page = visit(f"/{page_name}?x_top=10")
    expect(page.get_by_test_id("stTopNavLink")).to_have_count(len(make.PAGES))
    assert f"/{page_name}" in page.url
    assert "x_top=10" in page.url
    assert_no_sideways_scroll(page)
