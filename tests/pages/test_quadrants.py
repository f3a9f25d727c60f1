"""The Quadrants page."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from curation.catalog.catalog import Catalog
from curation.selection.decisions import Decisions
from curation.selection.recipe import Recipe
from curation.storage.workspace import Workspace
from tests.pages.conftest import Open, html, metrics

NAMES = (
    "High quality · relevant to animals",
    "Low quality · relevant to animals",
    "High quality · not relevant to animals",
    "Low quality · not relevant to animals",
)


@pytest.fixture
def catalog(sample_workspace: Workspace) -> Catalog:
    return Catalog.of(sample_workspace)


def uids(page: str) -> list[str]:
    return re.findall(r"data-uid='([0-9a-f]{32})'", page)


def quality(catalog: Catalog, shown: list[str]) -> list[float]:
    """negCLIPLoss of the samples shown, in their order."""
    rows = [row for row in map(catalog.find, shown) if row is not None]
    return [sample["neg_clip_loss"] for sample in catalog.rows(rows)]


def counts(catalog: Catalog, x_line: float, y_line: float) -> list[str]:
    """The quadrants counted by SQL, as the tiles write them."""
    table = catalog._database.table(
        "SELECT count(*) FILTER (x AND y) AS a, count(*) FILTER (NOT x AND y) AS b, "
        "count(*) FILTER (x AND NOT y) AS c, count(*) FILTER (NOT x AND NOT y) AS d FROM "
        "(SELECT neg_clip_loss >= ?::FLOAT AS x, norm_sim_inf_animals >= ?::FLOAT AS y "
        "FROM samples)",
        [x_line, y_line],
    )
    return [f"{value:,}" for value in table.to_pylist()[0].values()]


def test_it_opens_on_quality_against_relevance(open_page: Open, catalog: Catalog) -> None:
    app = open_page("quadrants")
    tiles = metrics(app)
    assert tuple(tiles) == NAMES
    assert sum(int(v.replace(",", "")) for v in tiles.values()) == len(catalog)


def test_counts_are_those_of_sql(open_page: Open, catalog: Catalog) -> None:
    app = open_page("quadrants", x_by="value", x_value="-0.4", y_by="value", y_value="0.5")
    assert list(metrics(app).values()) == counts(catalog, -0.4, 0.5)


def test_moving_a_threshold_changes_counts_and_gallery(open_page: Open) -> None:
    app = open_page("quadrants")
    before, pictures = metrics(app), uids(html(app))
    app.number_input(key="x_top").set_value(5.0).run()
    assert int(metrics(app)[NAMES[0]]) < int(before[NAMES[0]])
    assert uids(html(app)) != pictures


def test_the_slider_and_the_field_are_one_threshold(open_page: Open) -> None:
    app = open_page("quadrants")
    app.slider(key="x_top_slider").set_value(12.0).run()
    assert app.number_input(key="x_top").value == 12.0
    app.number_input(key="x_top").set_value(40.0).run()
    assert app.slider(key="x_top_slider").value == 40.0


@pytest.mark.parametrize("by", ["percentile", "value"])
def test_stating_a_threshold_another_way_leaves_the_line_where_it_is(
    open_page: Open, by: str
) -> None:
    app = open_page("quadrants", x_top="20")
    before = metrics(app)
    app.selectbox(key="x_by").set_value(by).run()
    assert metrics(app) == before


def test_of_what_is_left_and_count_are_of_the_kept_quadrant(
    open_page: Open, catalog: Catalog
) -> None:
    half = metrics(open_page("quadrants", x_top="20", y_by="left", y_left="50"))
    assert int(half[NAMES[0]]) == round(0.2 * len(catalog)) // 2
    some = metrics(open_page("quadrants", x_by="count", x_count="37", y_top="40"))
    assert some[NAMES[0]] == "37"


def test_two_lines_cannot_each_be_of_what_the_other_leaves(open_page: Open) -> None:
    app = open_page("quadrants", x_by="count", x_count="37")
    app.selectbox(key="y_by").set_value("left").run()
    assert app.selectbox(key="x_by").value == "value"
    assert metrics(app)[NAMES[0]] == "37"


@pytest.mark.parametrize("by", ["left", "count"])
def test_of_what_is_left_states_the_kept_quadrant_as_it_was(open_page: Open, by: str) -> None:
    app = open_page("quadrants", x_top="20")
    before = int(metrics(app)[NAMES[0]])
    app.selectbox(key="y_by").set_value(by).run()
    # A share is stated to a tenth of a percent of what is left.
    assert abs(int(metrics(app)[NAMES[0]]) - before) <= (by == "left")


def test_uncertain_shows_those_most_likely_to_change_sides(
    open_page: Open, scored: Workspace
) -> None:
    small = Catalog.of(scored)
    at = float(np.median(small.array("neg_clip_loss")))
    app = open_page(
        "quadrants",
        scored.path,
        x="neg_clip_loss",
        x_by="value",
        x_value=f"{at:.7f}",
        y_top="100",
        shown="uncertain",
    )
    rows = [small.find(uid) for uid in uids(html(app))]
    score, error = (small.array(name) for name in ("neg_clip_loss", "neg_clip_loss_se"))
    distance = np.abs(score - np.float32(round(at, 7))) / error
    assert rows == np.argsort(distance, kind="stable")[:24].tolist()
    assert html(app).count("Flip probability") >= len(rows) > 5


def test_a_score_without_an_error_is_not_uncertain(open_page: Open) -> None:
    app = open_page("quadrants", x="clip_score", shown="uncertain")
    assert any("neither score has a standard error" in info.value for info in app.info)


def test_other_random_samples_by_another_seed(open_page: Open) -> None:
    shown = [uids(html(open_page("quadrants", seed=seed))) for seed in ("0", "7", "7")]
    assert shown[0] != shown[1] == shown[2]


def test_color_by_a_third_score_and_by_a_selection(
    open_page: Open, sample_workspace: Workspace, tmp_path: Path
) -> None:
    own = Workspace(tmp_path / "own")
    shutil.copytree(sample_workspace.path, own.path)
    recipe = Recipe.parse("steps: [{score: clip_score, top: 0.1}]")
    Decisions.of(own).save_recipe("best_tenth", recipe)
    for color in ("of:clip_score", "in:best_tenth"):
        app = open_page("quadrants", tmp_path, color=color)
        assert app.selectbox(key="color").value == color
        assert len(metrics(app)) == 4


def test_top_percent_keeps_that_share(open_page: Open, catalog: Catalog) -> None:
    tiles = metrics(open_page("quadrants", x_top="10", y_top="100"))
    assert int(tiles[NAMES[0]]) == round(0.1 * len(catalog))


def test_any_two_scores_can_be_axes(open_page: Open) -> None:
    app = open_page("quadrants", x="clip_score", y="width")
    assert next(iter(metrics(app))) == "High quality · high width"


def test_gallery_shows_samples_of_the_quadrant(open_page: Open, catalog: Catalog) -> None:
    app = open_page("quadrants", x_by="value", x_value="-0.4", quadrant="low_high")
    shown = uids(html(app))
    assert len(shown) == 24
    scores = quality(catalog, shown)
    assert max(scores) < -0.4


def test_line_shows_the_samples_nearest_to_it(open_page: Open, catalog: Catalog) -> None:
    app = open_page("quadrants", x_by="value", x_value="-0.4", y_top="100", shown="line")
    shown = uids(html(app))
    scores = quality(catalog, shown)
    values = catalog.array("neg_clip_loss")
    edge = np.float32(-0.4)
    assert np.allclose(scores[:12], np.sort(values[values >= edge])[:12])
    assert np.allclose(scores[12:], np.sort(values[values < edge])[::-1][:12])


def test_box_in_the_url_shows_the_samples_in_it(open_page: Open, catalog: Catalog) -> None:
    app = open_page("quadrants", shown="box", box="-0.3,-0.2,0.4,0.5")
    x, y = catalog.array("neg_clip_loss"), catalog.array("norm_sim_inf_animals")
    inside = (x >= np.float32(-0.3)) & (x <= np.float32(-0.2))
    inside &= (y >= np.float32(0.4)) & (y <= np.float32(0.5))
    assert any(f"**{int(inside.sum())} samples** in the box" in m.value for m in app.markdown)
    rows = {catalog.find(uid) for uid in uids(html(app))}
    assert rows <= set(np.flatnonzero(inside).tolist())


def test_no_box_yet_says_how_to_make_one(open_page: Open) -> None:
    app = open_page("quadrants", shown="box")
    assert any("Drag a box" in info.value for info in app.info)


@pytest.mark.parametrize(
    "parameters",
    [
        {"zoom": "0,0,0,0"},
        {"zoom": "1e30,-5,nan,3"},
        {"scale": "log"},
        {"seed": "-1"},
        {"color": "of:nothing"},
        {"x": "no_such_score"},
        {"x_by": "magic"},
        {"x_top": "many"},
        {"x_top": "1e9"},
        {"box": "1,2"},
        {"quadrant": "../../etc"},
        {"ws": "../../elsewhere"},
    ],
)
def test_nonsense_in_the_url_is_ignored(open_page: Open, parameters: dict[str, str]) -> None:
    assert len(metrics(open_page("quadrants", **parameters))) == 4


def test_captions_are_shown_as_text(open_page: Open, catalog: Catalog) -> None:
    page = html(open_page("quadrants"))
    assert "<script" not in page
    assert "src='http" not in page
