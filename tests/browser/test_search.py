"""Search in a browser: a text typed, the pictures it finds, the address that finds them again."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Visit, settled, shown_uids


def test_a_text_finds_pictures_and_the_address_gives_them_again(visit: Visit) -> None:
    page = visit("/search")
    expect(page.get_by_text("Describe what the images should show")).to_be_visible()
    field = page.get_by_label("Text", exact=True)
    field.fill("flag")
    field.press("Enter")
    expect(page.get_by_role("heading", name="Nearest to “flag”")).to_be_visible()
    settled(page)
    expect(page).to_have_url(re.compile(r"[?&]text=flag\b"))
    expect(page.locator("figure[data-uid] img").first).to_be_visible()
    expect(page.locator(".js-plotly-plot .scatterlayer .point").first).to_be_visible()
    nearest = shown_uids(page)
    assert len(nearest) == 24
    page.reload()
    expect(page.get_by_role("heading", name="Nearest to “flag”")).to_be_visible()
    assert shown_uids(page) == nearest

    page.goto(re.sub(r"\?.*", f"?like={nearest[3]}", page.url))
    expect(page.get_by_role("heading", name="Nearest to the image of")).to_be_visible()
    assert shown_uids(page)[0] == nearest[3]
