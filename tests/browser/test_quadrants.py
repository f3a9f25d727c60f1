"""The chart: counts while a line is dragged are those of SQL; hover, boxes and zoom."""

from __future__ import annotations

import re

import duckdb
import pytest
from playwright.sync_api import Locator, Page, expect

from curation.analysis import grid
from curation.catalog.catalog import Catalog
from curation.storage.workspace import Workspace
from tests.browser.conftest import Visit, settled, shown_uids, tiles
from tests.browser.test_first_visit import KEPT, in_url, sql_uids


def handle(page: Page, axis: str) -> Locator:
    return page.get_by_role("slider", name=f"{axis.upper()} axis cutoff")


def grab(page: Page, axis: str) -> None:
    """Press the pointer on a line, away from the other one."""
    at = handle(page, axis).bounding_box()
    assert at is not None
    page.mouse.move(at["x"] + 7 + (axis == "y") * 60, at["y"] + 7 + (axis == "x") * 160)
    page.mouse.down()


def drag(page: Page, axis: str, by: float) -> None:
    grab(page, axis)
    at = handle(page, axis).bounding_box()
    assert at is not None
    x_by, y_by = (by, 0) if axis == "x" else (0, by)
    x, y = at["x"] + 7 + (axis == "y") * 60, at["y"] + 7 + (axis == "x") * 160
    page.mouse.move(x + x_by, y - y_by, steps=8)


def corners(page: Page) -> list[int]:
    """The four counts in the chart."""
    # After the next frame, which draws them.
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    texts = [corner.inner_text() for corner in page.locator(".qc-corner").all()]
    return [int(text.rpartition("·")[2].replace(",", "")) for text in texts]


def sql(workspace: Workspace, x: float, y: float) -> list[int]:
    with duckdb.connect(str(workspace.catalog), read_only=True) as connection:
        row = connection.execute(
            "SELECT count(*) FILTER (x AND y), count(*) FILTER (NOT x AND y), "
            "count(*) FILTER (x AND NOT y), count(*) FILTER (NOT x AND NOT y) FROM (SELECT "
            "neg_clip_loss >= ?::FLOAT AS x, norm_sim_inf_animals >= ?::FLOAT AS y FROM samples)",
            [x, y],
        ).fetchone()
    assert row is not None
    return list(row)


def line_value(page: Page, axis: str) -> float:
    return float(str(handle(page, axis).get_attribute("aria-valuenow")))


def test_counts_follow_a_dragged_line_and_are_those_of_sql(
    visit: Visit, sample_workspace: Workspace
) -> None:
    page = visit("/quadrants?y_by=value&y_value=0.3501")
    before, pictures = tiles(page), shown_uids(page)
    drag(page, "x", 90)
    # The line is still held, so the server has not been told.
    assert "x_value" not in page.url
    live, at = corners(page), line_value(page, "x")
    assert live == sql(sample_workspace, at, 0.3501)
    assert [
        card.inner_text().split("\n")[-2] for card in page.get_by_test_id("stMetric").all()
    ] == [f"{count:,}" for count in live]
    page.mouse.up()
    in_url(page, "x_by=value")
    assert f"x_value={at:.7f}" in page.url
    assert list(tiles(page).values()) == [f"{count:,}" for count in live]
    assert corners(page) == live
    assert tiles(page) != before
    inside = sql_uids(
        sample_workspace,
        f"neg_clip_loss >= {at}::FLOAT AND norm_sim_inf_animals >= 0.3501::FLOAT",
    )
    assert shown_uids(page) != pictures
    assert set(shown_uids(page)) <= inside


def test_both_lines_move_by_their_crossing(visit: Visit, sample_workspace: Workspace) -> None:
    page = visit("/quadrants")
    cross = page.locator(".qc-cross")
    at = cross.bounding_box()
    assert at is not None
    page.mouse.move(at["x"] + 9, at["y"] + 9)
    page.mouse.down()
    page.mouse.move(at["x"] - 70, at["y"] - 30, steps=5)
    live, lines = corners(page), (line_value(page, "x"), line_value(page, "y"))
    assert live == sql(sample_workspace, *lines)
    page.mouse.up()
    in_url(page, "y_by=value")
    assert list(tiles(page).values()) == [f"{count:,}" for count in live]


def test_arrow_keys_move_the_focused_line(visit: Visit, sample_workspace: Workspace) -> None:
    page = visit("/quadrants?x_by=value&x_value=-0.3&y_by=value&y_value=0.3501")
    line = handle(page, "x")
    line.focus()
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowLeft", "PageUp", "ArrowUp"):
        page.keyboard.press(key)
    expect(line).to_have_attribute("aria-valuetext", re.compile("−0.285"))
    assert corners(page) == sql(sample_workspace, -0.285, 0.3501)
    in_url(page, "x_value=-0.2850000")
    expect(line).to_be_focused()
    assert list(tiles(page).values()) == [
        f"{count:,}" for count in sql(sample_workspace, -0.285, 0.3501)
    ]


def test_on_percentiles_a_dragged_line_is_a_share(
    visit: Visit, sample_workspace: Workspace
) -> None:
    page = visit("/quadrants?scale=percentile")
    drag(page, "y", 50)
    live, top = corners(page), 100 - line_value(page, "y")
    page.mouse.up()
    in_url(page, f"y_top={top:.1f}")
    assert list(tiles(page).values()) == [f"{count:,}" for count in live]
    assert live[0] + live[1] == round(top / 100 * 1500)


def test_zoom_counts_as_before_and_comes_back_from_the_url(
    visit: Visit, sample_workspace: Workspace
) -> None:
    page = visit("/quadrants")
    before = tiles(page)
    page.get_by_role("button", name="Zoom", exact=True).click()
    plot = page.locator(".qc-surface").bounding_box()
    assert plot is not None
    left, top = plot["x"] + 0.55 * plot["width"], plot["y"] + 0.3 * plot["height"]
    page.mouse.move(left, top)
    page.mouse.down()
    page.mouse.move(left + 0.35 * plot["width"], top + 0.5 * plot["height"], steps=8)
    page.mouse.up()
    in_url(page, "zoom=")
    expect(page.get_by_text("outside this part, included in the counts")).to_be_visible()
    assert tiles(page) == before
    again = visit(page.url[page.url.index("/quadrants") :])
    drag(again, "x", 40)
    live, at = corners(again), line_value(again, "x")
    y_line = sql_line(sample_workspace)
    assert live == sql(sample_workspace, at, y_line)
    again.mouse.up()
    in_url(again, "x_by=value")
    again.get_by_role("button", name="Show all").click()
    expect(again.get_by_text("All samples shown.")).to_be_visible()
    assert list(tiles(again).values()) == [f"{count:,}" for count in live]


def sql_line(workspace: Workspace) -> float:
    """The lowest NormSim among the best 30 %."""
    with duckdb.connect(str(workspace.catalog), read_only=True) as connection:
        row = connection.execute(
            "SELECT min(v) FROM (SELECT norm_sim_inf_animals AS v FROM samples "
            "ORDER BY v DESC LIMIT 450)"
        ).fetchone()
    assert row is not None
    return float(row[0])


@pytest.mark.parametrize(
    ("color", "legend"), [("density", "samples per cell"), ("of:clip_score", "mean CLIPScore")]
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_density_is_drawn_and_has_a_legend(
    visit: Visit, color: str, legend: str, scheme: str
) -> None:
    page = visit(f"/quadrants?color={color}", color_scheme=scheme)
    expect(page.locator(".qc-legend")).to_contain_text(legend)
    colors = page.evaluate(
        """() => {
            const canvas = document.querySelector(".qc-chart canvas");
            const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return new Set(new Uint32Array(pixels.data.buffer)).size;
        }"""
    )
    assert colors > 8


def test_pointing_at_a_cell_says_how_many_samples_it_has(
    visit: Visit, sample_workspace: Workspace
) -> None:
    page = visit("/quadrants")
    plot = page.locator(".qc-surface").bounding_box()
    assert plot is not None
    page.mouse.move(plot["x"] + 0.5 * plot["width"], plot["y"] + 0.75 * plot["height"])
    hint = page.locator(".qc-hint")
    expect(hint).to_be_visible()
    middle, _, samples = hint.inner_text().replace("−", "-").partition("\n")
    x, y = map(float, middle.split(", "))
    over = grid.grid(Catalog.of(sample_workspace), "neg_clip_loss", "norm_sim_inf_animals")
    half_x, half_y = (axis.step * over.coarse / 2 for axis in (over.x, over.y))
    inside = sql_uids(
        sample_workspace,
        f"neg_clip_loss >= {x - half_x}::FLOAT AND neg_clip_loss < {x + half_x}::FLOAT "
        f"AND norm_sim_inf_animals >= {y - half_y}::FLOAT "
        f"AND norm_sim_inf_animals < {y + half_y}::FLOAT",
    )
    assert samples == f"{len(inside)} sample{'s' * (len(inside) != 1)}"
    page.mouse.move(plot["x"] - 30, plot["y"])
    expect(hint).to_be_hidden()


def test_a_double_click_shows_all_and_a_click_selects_nothing(visit: Visit) -> None:
    page = visit("/quadrants?zoom=-0.5,-0.1,0.3,0.6")
    expect(page.get_by_role("button", name="Show all")).to_be_visible()
    plot = page.locator(".qc-surface").bounding_box()
    assert plot is not None
    page.mouse.dblclick(plot["x"] + 0.2 * plot["width"], plot["y"] + 0.5 * plot["height"])
    expect(page.get_by_text("All samples shown.")).to_be_visible()
    settled(page)
    assert "zoom=" not in page.url
    assert "box=" not in page.url


def test_a_box_dragged_on_percentiles_holds_those_samples(visit: Visit) -> None:
    page = visit("/quadrants?scale=percentile")
    plot = page.locator(".qc-surface").bounding_box()
    assert plot is not None
    # The upper half of the right half: up to the corner, and beyond it.
    page.mouse.move(plot["x"] + 0.5 * plot["width"], plot["y"] + 0.5 * plot["height"])
    page.mouse.down()
    page.mouse.move(plot["x"] + 1.2 * plot["width"], plot["y"] - 30, steps=8)
    page.mouse.up()
    in_url(page, "box=")
    in_box = int(page.get_by_text("in the box,").inner_text().split()[0].replace(",", ""))
    kept = visit("/quadrants?x_top=50&y_top=50")
    assert abs(in_box - int(tiles(kept)[KEPT])) <= 4


def test_the_chart_needs_no_plotly(visit: Visit) -> None:
    page = visit("/quadrants")
    expect(page.locator(".qc-legend")).to_be_visible()
    loaded = page.evaluate("() => performance.getEntriesByType('resource').map(r => r.name)")
    assert not [name for name in loaded if "plotly" in name.lower()]


def test_a_box_is_made_and_changed_by_keyboard(visit: Visit) -> None:
    page = visit("/quadrants?shown=box")
    page.get_by_role("button", name="Select middle half").press("Enter")
    in_url(page, "box=")
    expect(page.get_by_text("in the box,")).to_be_visible()
    page.get_by_text("Box bounds").click()
    page.get_by_label(re.compile("negCLIPLoss from")).fill("-0.2")
    page.get_by_label(re.compile("negCLIPLoss from")).press("Enter")
    # Above the other bound, so the two are swapped.
    in_url(page, "%2C-0.2%2C")


def test_the_kept_tile_is_what_an_export_of_the_quadrant_has(visit: Visit) -> None:
    page = visit("/quadrants")
    drag(page, "x", -40)
    page.mouse.up()
    in_url(page, "x_by=value")
    kept = tiles(page)[KEPT]
    page.goto(page.url.replace("/quadrants", "/export"))
    settled(page)
    assert tiles(page)["Selected"] == kept
