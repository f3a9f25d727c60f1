"""The Sample page in a browser: its own address, the picture, the chart, the way to a neighbour."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from curation.catalog import Catalog
from curation.workspace import Workspace
from tests.browser.conftest import Visit, serve, settled, shown_uids


def test_deep_link_on_a_fresh_server_shows_picture_waterfall_and_neighbours(
    sample_workspaces: Path, sample_workspace: Workspace, visit: Visit
) -> None:
    (row,) = Catalog.of(sample_workspace).rows([7])
    with serve(sample_workspaces) as address:
        page = visit(f"/sample?ws=sample&uid={row['uid']}&x_top=12", at=address)
        picture = page.locator(".portrait img")
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.naturalWidth") > 0
        expect(page.locator(".portrait")).to_contain_text(row["caption"])
        expect(page.locator(".js-plotly-plot .waterfalllayer .point")).to_have_count(4)
        near = shown_uids(page)
        assert len(near) == 12
        assert row["uid"] not in near
        expect(page.locator(".near img")).to_have_count(24)

        page.locator("figure[data-uid] a").first.click()
        expect(page).to_have_url(re.compile(f"uid={near[0]}"))
        settled(page)
        assert "x_top=12" in page.url
        expect(page.get_by_label("Sample", exact=True)).to_have_value(near[0])


@pytest.mark.parametrize("width", [1280, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_does_not_scroll_sideways(
    visit: Visit, sample_workspace: Workspace, scheme: str, width: int
) -> None:
    (row,) = Catalog.of(sample_workspace).rows([7])
    page = visit(f"/sample?uid={row['uid']}", viewport={"width": width, "height": 1000},
                 color_scheme=scheme)  # fmt: skip
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
