"""The Select page as a person has it: a funnel by keys, a link, a file there and back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from curation.catalog.catalog import Catalog
from curation.selection.decisions import Decisions
from curation.selection.recipe import Recipe
from curation.selection.select import select
from curation.storage.workspace import Workspace
from tests.browser.conftest import Copy, Visit, settled, shown_uids, tiles

PAPER = Recipe.parse(
    "name: ncl30_animals20\n"
    "steps: [{score: neg_clip_loss, top: 0.3}, {score: norm_sim_inf_animals, top: 0.2}]"
)


def left(page: Page) -> list[str]:
    """What the rows of the funnel say is left, the pool first."""
    settled(page)
    return page.locator(".funnel-count span > b").all_inner_texts()


def test_a_recipe_is_edited_by_keys_undone_and_sent_as_a_link(
    visit: Visit, sample_workspace: Workspace
) -> None:
    catalog = Catalog.of(sample_workspace)
    page = visit("/select")
    title = "negCLIPLoss 30 % ∩ NormSim∞ (animals) 20 %"
    page.get_by_role("button", name=title).focus()
    page.keyboard.press("Enter")
    assert left(page) == ["1,500", "450", "300", "300"]
    bars = page.locator(".funnel-bar .left").evaluate_all("all => all.map(b => b.offsetWidth)")
    assert bars == sorted(bars, reverse=True)
    assert bars[1] / bars[0] == pytest.approx(0.3, abs=0.01)
    percent = page.get_by_label("Percent").nth(1)
    percent.fill("10")
    percent.press("Enter")
    assert left(page)[2] == "150"
    page.keyboard.press("Control+z")
    assert left(page)[2] == "300"
    page.keyboard.press("Control+Shift+z")
    assert left(page)[2] == "150"
    page.get_by_role("button", name="Move up, step 2").click()
    assert left(page) == ["1,500", "150", "150", "150"]

    again = visit(page.url[page.url.index("/select") :] + "&out=step1")
    assert left(again) == ["1,500", "150", "150", "150"]
    assert again.get_by_label("Recipe", exact=True).input_value() == "ncl30_animals20"
    kept = select(Recipe("x", (PAPER.steps[1],)), catalog).mask
    rows = {catalog.find(uid) for uid in shown_uids(again)}
    assert len(rows) == 24
    assert not any(kept[row] for row in rows if row is not None)


def test_a_recipe_goes_into_a_file_and_comes_back_and_is_kept(copy: Copy, tmp_path: Path) -> None:
    page = copy.visit("select", recipe=PAPER.packed())
    with page.expect_download() as started:
        page.get_by_role("button", name="Download").click()
    assert started.value.suggested_filename == "ncl30_animals20.yaml"
    started.value.save_as(tmp_path / "mine.yaml")
    assert Recipe.load(tmp_path / "mine.yaml") == PAPER

    other = copy.visit("select", start="file")
    other.locator("input[type=file]").set_input_files(tmp_path / "mine.yaml")
    expect(other.get_by_label("Recipe", exact=True)).to_have_value("ncl30_animals20")
    assert left(other) == ["1,500", "450", "300", "300"]
    other.get_by_role("button", name="Save").click()
    expect(other.get_by_role("button", name="Saved")).to_be_disabled()
    assert Decisions.of(copy.workspace).recipe("ncl30_animals20") == PAPER
    other.get_by_role("button", name="Export…").click()
    expect(other.get_by_role("textbox", name="Recipe (YAML)")).to_have_value(
        re.compile("ncl30_animals20")
    )
    assert tiles(other)["Selected"] == "300"
