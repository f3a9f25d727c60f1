"""The Targets page."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from curation import formatting
from curation.analysis import compare
from curation.catalog.catalog import Catalog
from curation.pipeline import change_targets
from curation.pipeline.change_targets import AddOptions
from curation.pipeline.targets import TargetSource
from curation.storage.workspace import Workspace
from tests import make
from tests.pages.conftest import Open, html, metrics
from tests.pages.read_app import shown_uids


@pytest.fixture
def copied(sample_workspace: Workspace, tmp_path: Path) -> Workspace:
    folder = tmp_path / "all" / "sample"
    return Workspace(Path(shutil.copytree(sample_workspace.path, folder)))


def text(app: AppTest) -> str:
    """The text of all headings, captions and messages."""
    kinds = ("markdown", "caption", "info", "error", "subheader")
    return "\n".join(e.value for kind in kinds for e in getattr(app, kind))


def test_a_target_is_shown_with_the_most_similar_samples(
    open_page: Open, sample_workspace: Workspace
) -> None:
    catalog = Catalog.of(sample_workspace)
    app = open_page("targets", target="food", measure="2_image")
    best = np.argsort(-catalog.array("norm_sim_2_food"), kind="stable")[:12]
    assert shown_uids(app) == [row["uid"] for row in catalog.rows(best)]
    assert "104 images · 104 captions · from data/targets/food" in text(app).replace("\\", "")
    # The first page of images, with their captions as alternative text.
    assert html(app).count("class='item'") == 28
    assert "alt='grapes'" in html(app)
    app.number_input(key="items_food").set_value(4).run()
    assert html(app).count("class='item'") == 104 - 3 * 28
    assert app.query_params["items_food"] in ("4", ["4"])
    assert not app.exception


def test_comparing_two_targets_shows_how_ranks_change(
    open_page: Open, sample_workspace: Workspace
) -> None:
    catalog = Catalog.of(sample_workspace)
    ranks = compare.compare_ranks(catalog, "norm_sim_inf_food", "norm_sim_inf_animals")
    link = {"show": "two", "target_a": "food", "target_b": "animals"}
    app = open_page("targets", **link)
    tops = {f"Overlap of top {n} %": formatting.share(s) for n, s in ranks.shared.items()}
    assert metrics(app) == {"Spearman correlation": formatting.score(ranks.spearman)} | tops
    assert shown_uids(app) == [r["uid"] for r in catalog.rows(ranks.moved(True, 24))]
    app = open_page("targets", **link, measure="2_image", targets_moved="down")
    ranks = compare.compare_ranks(catalog, "norm_sim_2_food", "norm_sim_2_animals")
    assert shown_uids(app) == [r["uid"] for r in catalog.rows(ranks.moved(False, 24))]
    same = open_page("targets", **{**link, "target_b": "food"})
    assert "A and B are the same target" in text(same)


def test_caption_targets_and_imported_embeddings_are_shown(
    open_page: Open, copied: Workspace, tmp_path: Path
) -> None:
    classes = tmp_path / "classes.txt"
    classes.write_text("a <b>dog</b>\n![x](http://example.org/x)\n")
    np.save(tmp_path / "ready.npy", np.eye(3, 256, dtype=np.float32))
    for source in (classes, tmp_path / "ready.npy"):
        target = TargetSource(source.stem, source)
        change_targets.add(copied, target, AddOptions(device="cpu"), make.QUIET)
    root = copied.path.parent
    app = open_page("targets", root=root, target="classes")
    assert "<span>a &lt;b&gt;dog&lt;/b&gt;</span>" in html(app)
    assert "2 captions" in text(app)
    app = open_page("targets", root=root, target="ready")
    assert "embeddings of 3 images" in text(app)
    assert "it has no images to show" in text(app)
    # One target has images, the other captions.
    app = open_page("targets", root=root, show="two", target_a="food", target_b="classes")
    assert "compare different sides" in text(app)
    ranks = compare.compare_ranks(
        Catalog.of(copied), "norm_sim_inf_food", "norm_sim_inf_classes_text"
    )
    assert metrics(app)["Spearman correlation"] == formatting.score(ranks.spearman)


def test_the_form_shows_its_command_and_errors(open_page: Open, sample_workspaces: Path) -> None:
    app = open_page("targets", show="add")
    assert "Enter a name and a source" in text(app)
    assert app.button[-1].disabled
    link = {"show": "add", "from": "data/targets/food"}
    app = open_page("targets", **link, new="Food!")
    assert "cannot name a target" in text(app).replace("\\", "")
    app = open_page("targets", **link, new="all")
    assert "cannot name a target" in text(app).replace("\\", "")
    app = open_page("targets", show="add", new="mine", **{"from": "nowhere/at/all"})
    assert "nowhere/at/all does not exist" in text(app).replace("\\", "")
    app = open_page("targets", **link, new="mine", against="text")
    command = f"add-target {sample_workspaces}/sample mine=data/targets/food --target-side text"
    assert [c.value for c in app.code] == [f"clip-curation {command}"]
    assert not next(b for b in app.button if b.label == "Add target").disabled
    app = open_page("targets", **link, new="animals")
    assert "animals exists (from data/targets/animals) and will be replaced" in text(app).replace(
        "\\", ""
    )


def test_without_targets_the_page_explains_them(open_page: Open, tmp_path: Path) -> None:
    make.workspace(tmp_path / "bare", [{}] * 3)
    app = open_page("targets", root=tmp_path / "bare")
    assert [s.value for s in app.subheader][:2] == ["No targets yet", "Add target"]
    # There are no embeddings to compare with either.
    link = {"new": "food", "from": "data/targets/food"}
    app = open_page("targets", root=tmp_path / "bare", **link)
    assert "has no embeddings of the model" in text(app).replace("\\", "")


def test_a_target_opens_on_the_quadrants(open_page: Open) -> None:
    app = open_page("targets", target="food")
    next(b for b in app.button if b.label == "Open in Quadrants").click().run()
    assert app.session_state["y"] == "norm_sim_inf_food"
