"""A first visit: open, move a threshold, look at samples, export; checked against SQL."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
from playwright.sync_api import Page, expect

from curation import uids
from curation.exporters import datacomp
from curation.storage.workspace import Workspace
from tests.browser.conftest import Visit, settled, shown_uids, tiles

KEPT = "High quality · relevant to animals"


def sql_uids(workspace: Workspace, condition: str) -> set[str]:
    with duckdb.connect(str(workspace.catalog), read_only=True) as connection:
        rows = connection.execute(f"SELECT uid FROM samples WHERE {condition}").fetchall()
    return {row[0] for row in rows}


def in_url(page: Page, part: str) -> None:
    """Wait until the URL has a part, which it gets when the script has run."""
    expect(page).to_have_url(re.compile(re.escape(part)))
    settled(page)


def set_threshold(page: Page, axis: str, by: str, value: str) -> None:
    label = f"{axis.upper()} axis threshold"
    field = page.get_by_role("spinbutton", name=label, exact=True)
    # While the page changes, the old field and the new one may both be there.
    expect(field).to_have_count(1)
    field.fill(value)
    field.press("Enter")
    in_url(page, f"{axis}_{by}={value}")


def state_by_value(page: Page, axis: str) -> None:
    label = f"{axis.upper()} axis threshold by"
    page.get_by_role("combobox", name=label, exact=True).click()
    page.get_by_role("option", name="Value", exact=True).click()
    in_url(page, f"{axis}_by=value")


def test_a_new_user_moves_thresholds_and_exports_what_is_shown(
    visit: Visit, sample_workspace: Workspace, tmp_path: Path
) -> None:
    page = visit("/")
    expect(page).to_have_url(re.compile("/quadrants"))
    start, pictures = tiles(page), shown_uids(page)
    assert len(pictures) == 24
    expect(page.locator("figure[data-uid] img").first).to_be_visible()

    state_by_value(page, "x")
    assert tiles(page) == start
    set_threshold(page, "x", "value", "-0.25")
    state_by_value(page, "y")
    set_threshold(page, "y", "value", "0.45")
    wanted = sql_uids(
        sample_workspace,
        "neg_clip_loss >= -0.25::FLOAT AND norm_sim_inf_animals >= 0.45::FLOAT",
    )
    assert tiles(page)[KEPT] == f"{len(wanted):,}"
    assert tiles(page) != start
    assert shown_uids(page) != pictures
    assert set(shown_uids(page)) <= wanted

    page.get_by_role("link", name="Export").click()
    settled(page)
    expect(page.get_by_test_id("stMetricValue")).to_have_text(f"{len(wanted):,}")
    page.get_by_label("File name").fill("new-user")
    page.get_by_label("File name").press("Enter")
    settled(page)
    page.get_by_role("button", name="Export", exact=True).click()
    with page.expect_download() as started:
        page.get_by_role("button", name="new-user.npy").click()
    file = tmp_path / "new-user.npy"
    started.value.save_as(file)
    assert set(uids.to_hex(datacomp.load(file)).to_pylist()) == wanted


def test_dragging_a_box_shows_what_is_in_it(visit: Visit) -> None:
    page = visit("/quadrants")
    plot = page.locator(".qc-surface").bounding_box()
    assert plot is not None
    left, top = plot["x"] + 0.5 * plot["width"], plot["y"] + 0.4 * plot["height"]
    page.mouse.move(left, top)
    page.mouse.down()
    page.mouse.move(left + 0.3 * plot["width"], top + 0.3 * plot["height"], steps=8)
    page.mouse.up()
    expect(page.get_by_text("in the box,")).to_be_visible()
    in_url(page, "box=")
    in_box = shown_uids(page)
    assert in_box
    page.reload()
    expect(page.get_by_text("in the box,")).to_be_visible()
    assert shown_uids(page) == in_box
    page.get_by_role("button", name="Clear box").click()
    expect(page.get_by_text("in the box,")).to_have_count(0)
    assert "box=" not in page.url


def test_a_threshold_can_be_moved_by_keyboard(visit: Visit) -> None:
    page = visit("/quadrants")
    before = int(tiles(page)[KEPT])
    page.get_by_role("slider").first.focus()
    for _ in range(20):
        page.keyboard.press("ArrowLeft")
    in_url(page, "x_top=28.0")
    assert int(tiles(page)[KEPT]) < before


def test_view_comes_back_from_its_url(visit: Visit) -> None:
    page = visit("/quadrants")
    set_threshold(page, "x", "top", "12")
    page.get_by_text("Near cutoff", exact=True).click()
    in_url(page, "shown=line")
    seen = tiles(page), shown_uids(page)
    again = visit(page.url.removeprefix(page.url.split("/quadrants")[0]))
    assert (tiles(again), shown_uids(again)) == seen


def test_the_view_is_kept_from_page_to_page(visit: Visit) -> None:
    page = visit("/quadrants?x_top=12&y=norm_sim_inf_food")
    name = "High quality · relevant to food"
    kept = tiles(page)[name]
    for _ in range(2):
        page.get_by_role("link", name="Export").click()
        expect(page.get_by_text("Selected", exact=True)).to_be_visible()
        assert tiles(page) == {"Selected": kept}
        page.get_by_role("link", name="Quadrants").click()
        expect(page.get_by_test_id("stMetric").get_by_text(name, exact=True)).to_be_visible()
        assert tiles(page)[name] == kept
