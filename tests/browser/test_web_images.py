"""Images on the web: the app's server fetches them where it may, a visitor's browser never."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, expect

from curation.images import connect
from tests.browser.conftest import serve, settled
from tests.web import ALL, Page, pictures, serving, workspace

COUNT = 8


def test_images_on_the_web_are_fetched_by_the_server_and_only_when_switched_on(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(connect.PRIVATE, "1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    asked: list[str] = []
    with serving(pictures(COUNT) | {"/3.jpg": Page(b"gone", 404)}) as site:
        root = workspace(tmp_path / "web", [f"{site.address}/{n}.jpg" for n in range(COUNT)])
        with serve(root) as address, browser.new_context() as context:
            context.on("request", lambda request: asked.append(request.url))
            page = context.new_page()
            page.goto(f"{address}/quadrants?{urlencode(ALL)}")
            settled(page)
            expect(page.locator("figure")).to_have_count(COUNT)
            expect(page.locator("figure img")).to_have_count(0)
            expect(page.get_by_text("Image on the web")).to_have_count(COUNT)
            assert site.asked == []

            page.get_by_text("Show images from the web").click()
            expect(page.locator("figure img")).to_have_count(COUNT - 1)
            expect(page.get_by_text("Not reachable")).to_have_count(1)
            settled(page)
            widths = page.locator("figure img").evaluate_all("all => all.map(i => i.naturalWidth)")
            assert all(widths)
            assert sorted(site.asked) == sorted(f"/{n}.jpg" for n in range(COUNT))

            page.get_by_role("link", name="Overview").click()
            expect(page.get_by_text("Random samples")).to_be_visible()
            expect(page.locator("figure img")).to_have_count(COUNT - 1)
            # The same address in another session: its visitor has not asked for anything.
            link, before = page.url, len(site.asked)
            with browser.new_context() as others:
                others.on("request", lambda request: asked.append(request.url))
                other = others.new_page()
                other.goto(link)
                settled(other)
                expect(other.locator("figure img")).to_have_count(0)
            assert len(site.asked) == before
    assert asked
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
