"""The Compare page."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from curation import formatting, uids
from curation.analysis import compare
from curation.catalog.catalog import Catalog
from curation.selection.decisions import Decisions
from curation.selection.recipe import Recipe
from curation.selection.select import select
from curation.storage.workspace import Workspace
from tests import make
from tests.pages.conftest import Open, html, metrics
from tests.pages.read_app import query_parameters, shown_uids

LISTED = 100


@pytest.fixture
def catalog(sample_workspace: Workspace) -> Catalog:
    return Catalog.of(sample_workspace)


def recipe(score: str) -> Recipe:
    return Recipe.parse(f"name: it\nsteps: [{{score: {score}, top: 0.3}}]")


@pytest.fixture
def decided(sample_workspace: Workspace, catalog: Catalog, tmp_path: Path) -> Path:
    """A folder with a copy of the sample workspace that has saved selections."""
    copy = Workspace(Path(shutil.copytree(sample_workspace.path, tmp_path / "all" / "sample")))
    copy.curation.unlink(missing_ok=True)
    decisions = Decisions.of(copy)
    decisions.save_recipe("clip30", recipe("clip_score"))
    decisions.save_recipe("ncl30", recipe("neg_clip_loss"))
    # Each uid twice, and one that the dataset lacks.
    words = catalog.uids.words[:LISTED]
    words = np.concatenate([words, words, uids.to_words([make.uid(1)])])
    decisions.save_uid_list("mine", words, "file.npy")
    return copy.path.parent


def rows(catalog: Catalog, app: AppTest) -> list[int]:
    return [row for row in map(catalog.find, shown_uids(app)) if row is not None]


def test_two_saved_selections_are_counted(open_page: Open, decided: Path, catalog: Catalog) -> None:
    a, b = (select(recipe(s), catalog).mask for s in ("clip_score", "neg_clip_loss"))
    tiles = metrics(open_page("compare", root=decided))
    assert tiles == {
        "Only A": formatting.count((a & ~b).sum()),
        "Both": formatting.count((a & b).sum()),
        "Only B": formatting.count((b & ~a).sum()),
        "Jaccard": formatting.score(float((a & b).sum() / (a | b).sum())),
    }


def test_a_list_counts_each_sample_once_and_says_what_is_absent(
    open_page: Open, decided: Path, catalog: Catalog
) -> None:
    app = open_page("compare", root=decided, a="pool", b="list:mine")
    tiles = metrics(app)
    assert tiles["Both"] == f"{LISTED}"
    assert tiles["Only A"] == formatting.count(len(catalog) - LISTED)
    assert tiles["Only B"] == "0"
    assert any("1 uid of B not in this dataset" in caption.value for caption in app.caption)
    assert f"{LISTED} samples, 6.7 % of the pool" in html(app)


def test_the_kept_quadrant_is_the_one_of_the_quadrants_page(open_page: Open, decided: Path) -> None:
    lines = {"x_top": "17", "y_top": "42"}
    counted = next(iter(metrics(open_page("quadrants", root=decided, **lines)).values()))
    app = open_page("compare", root=decided, a="quadrant", b="pool", part="only_a", **lines)
    assert metrics(app)["Both"] == counted
    assert metrics(app)["Only A"] == "0"
    assert any("B contains all of A" in info.value for info in app.info)


@pytest.mark.parametrize(
    ("part", "sort"), [("only_a", "best"), ("only_b", "worst"), ("both", "random")]
)
def test_gallery_shows_samples_of_the_part_in_order(
    open_page: Open, decided: Path, catalog: Catalog, part: compare.Part, sort: str
) -> None:
    parameters = {"part": part, "sort": sort, "score": "norm_sim_inf_food"}
    app = open_page("compare", root=decided, a="saved:ncl30", b="list:mine", **parameters)
    sets = compare.Sets(
        select(recipe("neg_clip_loss"), catalog).mask, np.arange(len(catalog)) < LISTED
    )
    members = np.flatnonzero(sets.mask(part))
    shown = rows(catalog, app)
    assert len(shown) == min(24, len(members))
    assert set(shown) <= set(members.tolist())
    if sort != "random":
        values = np.sort(catalog.array("norm_sim_inf_food")[members])
        ranked = values[::-1] if sort == "best" else values
        assert catalog.array("norm_sim_inf_food")[shown].tolist() == ranked[:24].tolist()


def test_without_saved_selections_the_page_says_how_to_save_one(
    open_page: Open, decided: Path
) -> None:
    Workspace(decided / "sample").curation.unlink()
    app = open_page("compare", root=decided)
    assert any("Export page" in info.value and "import-uids" in info.value for info in app.info)
    assert app.selectbox(key="a").value == "quadrant"
    assert metrics(app)["Only A"] == "0"
    # The first part with samples.
    assert app.segmented_control(key="part").value == "only_b"


def test_a_selection_that_does_not_fit_is_explained_in_place(
    open_page: Open, decided: Path
) -> None:
    decisions = Decisions.of(Workspace(decided / "sample"))
    decisions.save_recipe("gone", recipe("no_such_score"))
    app = open_page("compare", root=decided, a="saved:gone", b="pool")
    assert "no_such_score" in app.error[0].value.replace("\\", "")


def test_a_selection_that_is_saved_again_is_counted_again(open_page: Open, decided: Path) -> None:
    app = open_page("compare", root=decided, a="saved:ncl30", b="pool")
    before = metrics(app)["Both"]
    decisions = Decisions.of(Workspace(decided / "sample"))
    decisions.save_recipe("ncl30", Recipe.parse("steps: [{score: neg_clip_loss, count: 7}]"))
    app.run()
    assert before != metrics(app)["Both"] == "7"


def test_scores_open_on_clip_score_against_neg_clip_loss(open_page: Open, catalog: Catalog) -> None:
    app = open_page("compare", compare="scores")
    ranked = compare.compare_ranks(catalog, "clip_score", "neg_clip_loss")
    assert metrics(app) == {
        "Spearman correlation": formatting.score(ranked.spearman),
        **{f"Overlap of top {p} %": formatting.share(s) for p, s in ranked.shared.items()},
    }
    assert rows(catalog, app) == ranked.moved(True, 24).tolist()


def test_most_demoted_samples_show_both_percentiles(open_page: Open, catalog: Catalog) -> None:
    app = open_page("compare", compare="scores", moved="down")
    ranked = compare.compare_ranks(catalog, "clip_score", "neg_clip_loss")
    shown = rows(catalog, app)
    assert shown == ranked.moved(False, 24).tolist()
    positions = re.findall(r"<span class='top'>(top|bottom) ([\d.]+) %</span>", html(app))
    from_top = [float(n) if end == "top" else 100 - float(n) for end, n in positions]
    wanted = 100 - np.stack(ranked.percentiles(np.array(shown)), axis=1).ravel()
    # A card shows whole percents and counts the sample itself.
    assert np.abs(np.array(from_top) - wanted).max() < 0.7


def test_a_score_against_itself_moves_nothing(open_page: Open) -> None:
    app = open_page("compare", compare="scores", score_a="clip_score", score_b="clip_score")
    assert metrics(app)["Spearman correlation"] == "1.000"
    assert any("rank alike" in info.value for info in app.info)


def test_the_view_is_in_the_url(open_page: Open, decided: Path) -> None:
    app = open_page("compare", root=decided)
    app.selectbox(key="b").set_value("list:mine").run()
    app.segmented_control(key="part").set_value("both").run()
    app.selectbox(key="sort").set_value("worst").run()
    parameters = query_parameters(app)
    assert parameters["b"] == "list:mine"
    again = open_page("compare", root=decided, **parameters)
    assert (metrics(again), shown_uids(again)) == (metrics(app), shown_uids(app))
    app.segmented_control(key="compare").set_value("scores").run()
    app.selectbox(key="score_a").set_value("width").run()
    parameters = query_parameters(app)
    again = open_page("compare", root=decided, **parameters)
    assert (metrics(again), shown_uids(again)) == (metrics(app), shown_uids(app))


@pytest.mark.parametrize(
    "parameters",
    [
        {"a": "saved:no_such"},
        {"b": "../../etc"},
        {"compare": "magic"},
        {"part": "neither"},
        {"score": "nope"},
        {"sort": "up"},
        {"compare": "scores", "score_a": "<b>"},
    ],
)
def test_nonsense_in_the_url_is_ignored(
    open_page: Open, decided: Path, parameters: dict[str, str]
) -> None:
    assert len(metrics(open_page("compare", root=decided, **parameters))) == 4
