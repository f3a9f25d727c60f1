"""The Export page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from curation import uids, wording
from curation.catalog import Catalog
from curation.exporters import datacomp
from curation.workspace import Workspace
from tests.pages.conftest import Open, metrics


@pytest.fixture
def exports(sample_workspace: Workspace) -> Path:
    return sample_workspace.exports


def test_a_quadrant_exports_what_the_quadrants_page_counts(open_page: Open) -> None:
    parameters = {"x_top": "17", "y_top": "42"}
    counted = next(iter(metrics(open_page("quadrants", **parameters)).values()))
    assert metrics(open_page("export", **parameters))["Selected"] == counted


def test_every_quadrant_has_a_recipe_of_its_own(
    open_page: Open, sample_workspace: Workspace
) -> None:
    total = 0
    for quadrant in ("high_high", "low_high", "high_low", "low_low"):
        total += int(metrics(open_page("export", quadrant=quadrant))["Selected"].replace(",", ""))
    assert total == len(Catalog.of(sample_workspace))


def test_the_paper_recipe_leaves_a_fifth(open_page: Open, sample_workspace: Workspace) -> None:
    app = open_page("export", **{"from": "recipe"})
    assert metrics(app)["Selected"] == f"{round(0.2 * len(Catalog.of(sample_workspace))):,}"


def test_exported_file_holds_the_selected_uids(open_page: Open, exports: Path) -> None:
    app = open_page("export", **{"from": "recipe"})
    app.text_input(key="name_datacomp").set_value("page-test").run()
    app.button[-1].click().run()
    assert not app.exception
    words = datacomp.load(exports / "page-test.npy")
    manifest = json.loads((exports / "page-test.manifest.json").read_text())
    assert len(words) == manifest["selected"]
    assert uids.digest(words) == manifest["sha256_of_sorted_uids"]
    assert any(manifest["sha256_of_sorted_uids"] in code.value for code in app.code)


def test_table_formats_take_columns(open_page: Open, exports: Path) -> None:
    app = open_page("export", **{"from": "recipe", "format": "parquet"})
    app.multiselect(key="columns").set_value(["uid", "neg_clip_loss"]).run()
    app.text_input(key="name_parquet").set_value("two-columns").run()
    app.button[-1].click().run()
    table = pq.read_table(exports / "two-columns.parquet")
    assert table.column_names == ["uid", "neg_clip_loss"]
    assert np.isfinite(np.asarray(table.column("neg_clip_loss"))).all()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("steps: [{score: nope, top: 0.3}]", "nope"),
        ("steps: [{score: neg_clip_loss, top: 30}]", "0 to 1"),
        ("steps: [{where: 'width; DROP TABLE samples'}]", "where"),
        ("][", "YAML"),
    ],
)
def test_a_wrong_recipe_is_explained_in_place(open_page: Open, text: str, said: str) -> None:
    app = open_page("export", **{"from": "recipe"})
    app.text_area(key="recipe_text").set_value(text).run()
    assert not app.exception
    assert said in app.error[0].value


def test_an_empty_selection_cannot_be_exported(open_page: Open) -> None:
    app = open_page("export", **{"from": "recipe"})
    app.text_area(key="recipe_text").set_value("steps: [{score: clip_score, top: 0}]").run()
    assert metrics(app)["Selected"] == "0"
    assert any("empty" in info.value for info in app.info)


def test_a_file_name_cannot_leave_the_exports_folder(open_page: Open, exports: Path) -> None:
    app = open_page("export", **{"from": "recipe"})
    app.text_input(key="name_datacomp").set_value("../../escaped").run()
    assert any(wording.place(exports / "escaped.npy") in caption.value for caption in app.caption)
