"""The Select page."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from curation import formatting
from curation.catalog.catalog import Catalog
from curation.selection.decisions import Decisions
from curation.selection.marks import Marks
from curation.selection.recipe import Recipe, ScoreStep
from curation.selection.select import select
from curation.storage.workspace import Workspace
from tests import make
from tests.pages.conftest import Open, html, metrics
from tests.pages.read_app import query_parameters, shown_uids

PAPER = Recipe.parse(
    "name: ncl30_animals20\n"
    "steps: [{score: neg_clip_loss, top: 0.3}, {score: norm_sim_inf_animals, top: 0.2}]"
)


@pytest.fixture
def catalog(sample_workspace: Workspace) -> Catalog:
    return Catalog.of(sample_workspace)


@pytest.fixture
def own(sample_workspace: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the sample workspace without marks and saved selections."""
    copy = Workspace(Path(shutil.copytree(sample_workspace.path, tmp_path / "own" / "sample")))
    copy.curation.unlink(missing_ok=True)
    return copy


def funnel(app: AppTest) -> list[str]:
    """The counts of all rows: the pool, the steps, and what is selected."""
    counts = re.findall(r"funnel-count'>(?:<b>[^<]*</b>)?<span>(?:<b>)?([\d,]+|—)", html(app))
    return list(counts)


def link(app: AppTest) -> dict[str, str]:
    """The parameters of the URL that hold the recipe."""
    parameters = query_parameters(app)
    return {key: parameters[key] for key in ("recipe", "marks") if key in parameters}


def key(app: AppTest, step: int, field: str) -> str:
    """The widget key of a field of a step, counted from 1."""
    kinds = [box.key for box in app.selectbox if re.fullmatch(r"step_\d+_kind", str(box.key))]
    return str(kinds[step - 1]).replace("kind", field)


def press(app: AppTest, name: str) -> AppTest:
    button = next(b for b in app.button if b.label.replace("\\", "") == name)
    return button.click().run()


def numbers(*counts: int) -> list[str]:
    return [formatting.count(count) for count in counts]


def test_a_paper_recipe_shows_what_remains_after_each_step(
    open_page: Open, catalog: Catalog
) -> None:
    app = open_page("select")
    assert metrics(app)["Selected"] == formatting.count(len(catalog))
    press(app, "negCLIPLoss 30 % ∩ NormSim∞ (animals) 20 %")
    left = select(PAPER, catalog).remaining
    assert funnel(app) == numbers(len(catalog), *left, left[-1])
    assert metrics(app)["Selected"] == formatting.count(left[-1])


def test_a_paper_recipe_without_its_score_says_what_it_needs(open_page: Open) -> None:
    app = open_page("select")
    (without,) = (b for b in app.button if "NormSim₂" in b.label)
    assert without.disabled
    assert any("norm_sim_d" in caption.value.replace("\\", "") for caption in app.caption)


def test_steps_are_added_moved_copied_and_deleted(open_page: Open, catalog: Catalog) -> None:
    app = open_page("select", recipe=PAPER.packed())
    quality, relevance = PAPER.steps
    press(app, "Move down, step 1")
    assert app.selectbox(key=key(app, 1, "score")).value == "norm_sim_inf_animals"
    swapped = Recipe("x", (relevance, quality))
    assert funnel(app)[1:-1] == numbers(*select(swapped, catalog).remaining)
    press(app, "Duplicate, step 1")
    assert [app.selectbox(key=key(app, n, "score")).value for n in (1, 2, 3)] == [
        "norm_sim_inf_animals",
        "norm_sim_inf_animals",
        "neg_clip_loss",
    ]
    press(app, "Delete, step 2")
    press(app, "Add step below, step 1")
    # A score that no step uses, and fewer samples than remain after the step above.
    assert app.selectbox(key=key(app, 2, "score")).value == "norm_sim_inf_food"
    assert app.number_input(key=key(app, 2, "percent")).value == 13.3
    press(app, "Add step")
    assert len(funnel(app)) == 6


def test_every_edit_can_be_undone_and_redone(open_page: Open) -> None:
    app = open_page("select", recipe=PAPER.packed())
    states = [funnel(app)]
    app.number_input(key=key(app, 1, "percent")).set_value(40.0).run()
    states.append(funnel(app))
    press(app, "Delete, step 2")
    states.append(funnel(app))
    assert len({tuple(state) for state in states}) == 3
    for state in reversed(states[:-1]):
        press(app, "Undo")
        assert funnel(app) == state
    assert app.button(key="undo_step").disabled
    assert app.number_input(key=key(app, 1, "percent")).value == 30.0
    for state in states[1:]:
        press(app, "Redo")
        assert funnel(app) == state
    press(app, "Undo")
    app.number_input(key=key(app, 1, "percent")).set_value(50.0).run()
    assert app.button(key="redo_step").disabled


@pytest.mark.parametrize("rule", ["survivors", "count", "at_least"])
def test_another_rule_keeps_the_same_samples(open_page: Open, rule: str) -> None:
    app = open_page("select", recipe=PAPER.packed())
    before = funnel(app)
    app.selectbox(key=key(app, 2, "rule")).set_value(rule).run()
    assert funnel(app) == before
    app.selectbox(key=key(app, 2, "rule")).set_value("pool").run()
    assert funnel(app) == before
    assert app.number_input(key=key(app, 2, "percent")).value == 20.0


def test_another_score_drops_the_value_of_the_old_one(open_page: Open) -> None:
    recipe = Recipe("x", (ScoreStep("neg_clip_loss", "at_least", -0.4),))
    app = open_page("select", recipe=recipe.packed())
    app.selectbox(key=key(app, 1, "score")).set_value("width").run()
    assert app.selectbox(key=key(app, 1, "rule")).value == "pool"


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("{where: 'width >'}", "is not a condition"),
        ("{where: 'nothing > 2'}", "no column 'nothing'"),
        ("{score: gone, top: 0.5}", "no score or column 'gone'"),
        ("{union: gone}", "no selection or uid list 'gone'"),
    ],
)
def test_an_error_is_shown_at_its_step(open_page: Open, step: str, message: str) -> None:
    recipe = Recipe.parse(f"steps: [{{score: clip_score, count: 300}}, {step}, {{where: width}}]")
    app = open_page("select", recipe=recipe.packed())
    assert funnel(app) == ["1,500", "300", "—", "—"]
    assert [message in error.value.replace("\\", "") for error in app.error] == [True]
    assert metrics(app) == {"Remaining before step 2 (invalid)": "300"}
    assert app.button(key="save_new").disabled
    assert app.button(key="export_this").disabled
    press(app, "Delete, step 2")
    assert "width is not true or false" in app.error[0].value.replace("\\", "")


def test_a_condition_can_be_edited_in_its_step(open_page: Open, catalog: Catalog) -> None:
    app = open_page("select", recipe=PAPER.packed())
    app.selectbox(key=key(app, 2, "kind")).set_value("where").run()
    app.text_input(key=key(app, 2, "where")).set_value("word_count > 4").run()
    steps = "[{score: neg_clip_loss, top: 0.3}, {where: word_count > 4}]"
    left = select(Recipe.parse(f"steps: {steps}"), catalog).remaining
    assert funnel(app)[1:-1] == numbers(*left)


def test_a_copied_link_shows_the_same_steps(open_page: Open) -> None:
    app = open_page("select", recipe=PAPER.packed())
    app.toggle(key="with_marks").set_value(False).run()
    press(app, "Add step")
    again = open_page("select", **link(app))
    assert funnel(again) == funnel(app)
    assert again.text_input(key="recipe_name").value == "ncl30_animals20"
    assert not again.toggle(key="with_marks").value
    # A link is no edit, so there is nothing to undo.
    assert again.button(key="undo_step").disabled


def test_a_truncated_link_is_one_clear_error(open_page: Open) -> None:
    app = open_page("select", recipe=PAPER.packed()[:-8])
    assert "the recipe in the address cannot be read" in app.error[0].value
    assert metrics(app)["Selected"] == "1,500"


def test_the_draft_survives_a_visit_to_another_page(open_page: Open) -> None:
    app = open_page("select", recipe=PAPER.packed())
    press(app, "Delete, step 1")
    before = funnel(app)
    app.switch_page("pages/overview.py").run()
    app.switch_page("pages/select.py").run()
    assert funnel(app) == before
    assert link(app)


@pytest.mark.parametrize("number", [1, 2])
def test_the_gallery_shows_what_a_step_removed(
    open_page: Open, catalog: Catalog, number: int
) -> None:
    parameters = {"recipe": PAPER.packed(), "out": f"step{number}", "out_order": "cut"}
    app = open_page("select", **parameters)
    masks = [select(Recipe("x", PAPER.steps[:n]), catalog).mask for n in (number - 1, number)]
    gone = np.flatnonzero(masks[0] & ~masks[1])
    values = catalog.array(PAPER.steps[number - 1].score)[gone]
    nearest = gone[np.argsort(-values, kind="stable")][:24]
    assert set(shown_uids(app)) == {row["uid"] for row in catalog.rows(nearest)}


def test_marks_are_the_last_row_and_can_be_switched_off(
    open_page: Open, own: Workspace, catalog: Catalog
) -> None:
    masks = select(PAPER, catalog).mask
    keep, drop = ([r["uid"] for r in catalog.rows(np.flatnonzero(m)[:3])] for m in (~masks, masks))
    Marks.of(own).mark(keep, "keep")
    Marks.of(own).mark(drop[:1], "drop")
    app = open_page("select", root=own.path.parent, recipe=PAPER.packed(), out="marks")
    assert any(caption.value == "3 kept and 1 dropped by hand" for caption in app.caption)
    assert funnel(app)[-2:] == ["300", "302"]
    assert set(shown_uids(app)) == set(drop[:1])
    app.toggle(key="with_marks").set_value(False).run()
    assert funnel(app)[-2:] == ["300", "300"]


def test_uids_of_the_recipe_apply_until_they_are_removed(open_page: Open) -> None:
    recipe = Recipe("x", (ScoreStep("clip_score", "count", 10),), keep=(make.uid(1),))
    app = open_page("select", recipe=recipe.packed())
    assert any("its own uids: 1 kept" in caption.value for caption in app.caption)
    assert any(make.uid(1) in caption.value for caption in app.caption)
    press(app, "Remove these uids")
    assert not any("its own uids" in caption.value for caption in app.caption)


def test_the_hash_is_that_of_the_selection(open_page: Open, catalog: Catalog) -> None:
    app = open_page("select", recipe=PAPER.packed())
    assert not app.code
    app.button(key="hash").click().run()
    assert app.code[0].value == select(PAPER, catalog).digest
    press(app, "Delete, step 2")
    assert not app.code


def test_the_cutoffs_of_the_quadrants_page_become_steps(open_page: Open) -> None:
    lines = {"x_top": "17", "y_top": "42"}
    counted = next(iter(metrics(open_page("quadrants", **lines)).values()))
    app = open_page("select", start="quadrant", **lines)
    app.button(key="take_quadrant").click().run()
    assert metrics(app)["Selected"] == counted
    assert len(funnel(app)) == 4


def test_export_starts_with_the_draft(open_page: Open, catalog: Catalog) -> None:
    app = open_page("select", recipe=PAPER.packed())
    app.number_input(key=key(app, 2, "percent")).set_value(10.0).run()
    app.button(key="export_this").click().run()
    app.switch_page("pages/export.py").run()
    assert Recipe.parse(app.text_area(key="recipe_text").value).steps[1].value == 0.1
    assert metrics(app)["Selected"] == formatting.count(round(0.1 * len(catalog)))


def test_a_saved_recipe_is_overwritten_only_after_a_confirmation(
    open_page: Open, own: Workspace
) -> None:
    app = open_page("select", root=own.path.parent, recipe=PAPER.packed())
    app.button(key="save_new").click().run()
    decisions = Decisions.of(own)
    assert decisions.recipe("ncl30_animals20") == PAPER
    assert app.button(key="save_same").disabled
    app.number_input(key=key(app, 2, "percent")).set_value(10.0).run()
    assert decisions.recipe("ncl30_animals20") == PAPER
    app.button(key="save_over").click().run()
    saved = decisions.recipe("ncl30_animals20")
    assert saved is not None and saved.steps[1].record()["top"] == 0.1


def test_an_invalid_name_is_explained(open_page: Open, own: Workspace) -> None:
    app = open_page("select", root=own.path.parent, recipe=PAPER.packed())
    app.text_input(key="recipe_name").set_value("No name!").run()
    app.button(key="save_new").click().run()
    assert "cannot name a selection" in app.error[0].value
    assert Decisions.of(own).names() == []


def test_saved_selections_are_loaded_renamed_and_deleted(open_page: Open, own: Workspace) -> None:
    decisions = Decisions.of(own)
    decisions.save_recipe("one", PAPER)
    decisions.save_recipe("two", Recipe.parse("name: two\nsteps: [{union: one}]"))
    app = open_page("select", root=own.path.parent, start="saved")
    assert [c.value[:7] for c in app.caption if "saved 20" in c.value] == ["2 steps", "1 step "]
    app.button(key="delete_one").click().run()
    assert "'one' cannot be deleted: two refers to it" in app.error[0].value.replace("\\", "")
    app.text_input(key="new_name_two").set_value("three").run()
    app.button(key="rename_two").click().run()
    assert decisions.names() == ["one", "three"]
    app.button(key="delete_three").click().run()
    assert decisions.names() == ["one"]
    app.button(key="load_one").click().run()
    assert funnel(app)[1:3] == ["450", "300"]
    press(app, "Undo")
    assert funnel(app) == ["1,500", "1,500"]


def test_a_step_can_use_a_saved_selection(open_page: Open, own: Workspace) -> None:
    Decisions.of(own).save_recipe("one", PAPER)
    app = open_page(
        "select",
        root=own.path.parent,
        recipe=Recipe.parse("steps: [{score: clip_score, top: 0.5}]").packed(),
    )
    app.selectbox(key=key(app, 1, "kind")).set_value("intersect").run()
    assert app.selectbox(key=key(app, 1, "name")).value == "one"
    assert funnel(app)[1] == "300"
    Decisions.of(own).save_recipe("one", Recipe.parse("steps: [{score: clip_score, count: 7}]"))
    app.run()
    assert funnel(app)[1] == "7"


def test_a_file_becomes_the_recipe(open_page: Open) -> None:
    app = open_page("select", start="file")
    file = ("mine.yaml", PAPER.to_yaml().encode(), "application/yaml")
    app.file_uploader(key="upload").set_value(file).run()
    assert funnel(app)[1:3] == ["450", "300"]
    app.run()
    press(app, "Undo")
    assert funnel(app) == ["1,500", "1,500"]


def test_an_invalid_file_is_one_clear_error(open_page: Open) -> None:
    app = open_page("select", start="file")
    for content, message in (
        (b"\xff\xfe\x00", "mine.yaml is not a text file"),
        (b"steps: [{score: a, top: 30}]", "mine.yaml, step 1: top is 30"),
        (b"a picture", "mine.yaml is not a recipe"),
    ):
        app.file_uploader(key="upload").set_value(("mine.yaml", content, "text/yaml")).run()
        assert message in app.error[0].value.replace("\\", "")
        assert funnel(app) == ["1,500", "1,500"]


def test_viewing_the_page_writes_no_file(open_page: Open, own: Workspace) -> None:
    app = open_page("select", root=own.path.parent, start="saved", recipe=PAPER.packed())
    app.session_state["start_panel"] = True
    app.run()
    assert any("No saved selections yet" in info.value for info in app.info)
    assert not own.curation.exists()
