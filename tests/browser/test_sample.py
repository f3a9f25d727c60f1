"""The Sample page in a browser: its own address, the picture, the chart, the way to a neighbour."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from curation.catalog.catalog import Catalog
from curation.selection.marks import Marks
from curation.storage.workspace import Workspace
from tests.browser.conftest import (
    Copy,
    Visit,
    assert_no_sideways_scroll,
    serve,
    settled,
    shown_uids,
)


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
        own, *near = shown_uids(page)
        assert own == row["uid"]
        assert len(near) == 12
        assert own not in near
        expect(page.locator(".row img")).to_have_count(24)

        link = card(page, near[-1]).locator("a.open")
        assert "x_top=12" in str(link.get_attribute("href"))
        link.click()
        expect(page).to_have_url(re.compile(f"uid={near[-1]}"))
        settled(page)
        assert "x_top=12" in page.url
        expect(page.get_by_label("Sample", exact=True)).to_have_value(near[-1])
        # It begins at its top, though the link was far below.
        expect(page.locator(".portrait img")).to_be_in_viewport()
        page.go_back()
        expect(page.get_by_label("Sample", exact=True)).to_have_value(own)


def card(page: Page, uid: str) -> Locator:
    return page.locator(f"figure[data-uid='{uid}']").first


def test_the_sample_and_a_neighbour_are_marked_and_keep_their_marks(copy: Copy) -> None:
    marks = Marks.of(copy.workspace)
    (row,) = Catalog.of(copy.workspace).rows([7])
    page = copy.visit("sample", width=1920, uid=row["uid"])
    uid, other, *_ = shown_uids(page)
    portrait, neighbour = card(page, uid), card(page, other)
    bar, row_bar = (page.locator(".marks-bar").nth(n) for n in (0, 1))

    # Wherever they are pressed, keys are for the sample that the page is about.
    page.keyboard.press("d")
    expect(portrait).to_have_attribute("data-mark", "drop")
    expect(bar).to_contain_text(re.compile("dropped 1", re.IGNORECASE))
    page.keyboard.press("u")
    expect(portrait).not_to_have_attribute("data-mark", "drop")
    expect(bar).to_contain_text("undone: dropped 1")
    portrait.get_by_role("button", name="Keep").click()
    expect(portrait.get_by_role("button", name="Keep")).to_have_attribute("aria-pressed", "true")
    expect(portrait.get_by_text("Keep").first).to_be_visible()
    expect(bar).to_contain_text("1 kept by hand")

    neighbour.locator("figcaption").click()
    page.keyboard.press("k")
    expect(row_bar).to_contain_text("2 kept by hand")
    neighbour.hover()
    neighbour.get_by_role("button", name="Drop").click()
    expect(row_bar).to_contain_text("1 kept and 1 dropped by hand")
    expect(portrait).to_have_attribute("data-mark", "keep")
    assert marks.among([uid, other]) == {uid: "keep", other: "drop"}

    page.reload()
    expect(portrait).to_have_attribute("data-mark", "keep")
    expect(neighbour).to_have_attribute("data-mark", "drop")
    page.get_by_role("link", name="Marks").click()
    expect(page.locator(".marked-row")).to_have_count(2)
    page.goto(copy.address + copy.path("search", like=uid))
    expect(card(page, uid)).to_have_attribute("data-mark", "keep")


def test_keys_that_are_typed_mark_nothing(copy: Copy) -> None:
    (row,) = Catalog.of(copy.workspace).rows([7])
    page = copy.visit("sample", uid=row["uid"])
    page.locator("[data-testid=stSidebar] input").first.focus()
    page.keyboard.type("k")
    page.keyboard.press("Escape")
    page.get_by_label("Sample", exact=True).focus()
    page.keyboard.type("kdu")
    settled(page)
    expect(page.locator("figure[data-mark]")).to_have_count(0)
    assert Marks.of(copy.workspace).counts() == {"keep": 0, "drop": 0}


def test_after_a_neighbour_is_opened_the_keys_are_for_that_one(copy: Copy) -> None:
    (row,) = Catalog.of(copy.workspace).rows([7])
    page = copy.visit("sample", uid=row["uid"])
    other = shown_uids(page)[1]
    card(page, other).focus()
    page.keyboard.press("Enter")
    portrait = page.locator(".portrait figure")
    expect(portrait).to_have_attribute("data-uid", other)
    settled(page)
    page.keyboard.press("k")
    expect(portrait).to_have_attribute("data-mark", "keep")
    expect(page.locator(".marks-bar").first).to_contain_text("1 kept by hand")
    assert Marks.of(copy.workspace).all() == ((other,), ())


def test_it_does_not_scroll_sideways(visit: Visit, sample_workspace: Workspace) -> None:
    (row,) = Catalog.of(sample_workspace).rows([7])
    assert_no_sideways_scroll(visit(f"/sample?uid={row['uid']}"))
