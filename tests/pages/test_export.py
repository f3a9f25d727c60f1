"""The Export page."""

from __future__ import annotations

import json
import shlex
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import TextInput

from curation import formatting, uids
from curation.catalog.catalog import Catalog
from curation.exporters import EXPORTERS, datacomp
from curation.exporters.trial import Size
from curation.selection.recipe import Recipe
from curation.storage.workspace import Workspace
from tests.pages.conftest import Open, metrics
from tests.pages.read_app import query_parameters

PREVIEW = "Preview"


def sizes(app: AppTest) -> str:
    """The estimated size of the files to be written."""
    phrase = " will be written to"
    return next(c.value.split(phrase)[0] for c in app.caption if phrase in c.value)


def file_name(app: AppTest) -> TextInput:
    return next(field for field in app.text_input if field.label in ("File name", "Folder name"))


@pytest.fixture
def exports(sample_workspace: Workspace) -> Path:
    return sample_workspace.exports


def test_a_quadrant_exports_what_the_quadrants_page_counts(open_page: Open) -> None:
    parameters = {"x_top": "17", "y_top": "42"}
    counted = next(iter(metrics(open_page("quadrants", **parameters)).values()))
    assert metrics(open_page("export", **parameters))["Selected"] == counted


def test_every_quadrant_has_its_own_recipe(open_page: Open, sample_workspace: Workspace) -> None:
    total = 0
    for quadrant in ("high_high", "low_high", "high_low", "low_low"):
        total += int(metrics(open_page("export", quadrant=quadrant))["Selected"].replace(",", ""))
    assert total == len(Catalog.of(sample_workspace))


def test_the_paper_recipe_leaves_a_fifth(open_page: Open, sample_workspace: Workspace) -> None:
    app = open_page("export", **{"from": "recipe"})
    assert metrics(app)["Selected"] == f"{round(0.2 * len(Catalog.of(sample_workspace))):,}"


def test_exported_file_holds_the_selected_uids(open_page: Open, exports: Path) -> None:
    app = open_page("export", **{"from": "recipe"})
    file_name(app).set_value("page-test").run()
    app.button[-1].click().run()
    assert not app.exception
    words = datacomp.load(exports / "page-test.npy")
    manifest = json.loads((exports / "page-test.manifest.json").read_text())
    assert len(words) == manifest["selected"]
    assert uids.digest(words) == manifest["sha256_of_sorted_uids"]
    assert any(manifest["sha256_of_sorted_uids"] in code.value for code in app.code)


def test_table_formats_take_columns(open_page: Open, exports: Path) -> None:
    app = open_page("export", **{"from": "recipe", "format": "parquet"})
    app.multiselect(key="columns_parquet").set_value(["uid", "neg_clip_loss"]).run()
    file_name(app).set_value("two-columns").run()
    app.button[-1].click().run()
    table = pq.read_table(exports / "two-columns.parquet")
    assert table.column_names == ["uid", "neg_clip_loss"]
    assert np.isfinite(np.asarray(table.column("neg_clip_loss"))).all()


@pytest.mark.parametrize("format_", list(EXPORTERS))
def test_every_format_is_written_and_says_where_it_is(
    open_page: Open, exports: Path, format_: str
) -> None:
    app = open_page("export", **{"from": "recipe", "format": format_})
    file_name(app).set_value(f"every-{format_}").run()
    app.button[-1].click().run()
    assert not app.exception
    assert not app.error
    path = exports / f"every-{format_}{EXPORTERS[format_].extension}"
    assert path.exists()
    assert path.name in app.success[0].value
    is_folder = path.is_dir()
    assert any(code.value == str(path) for code in app.code) == is_folder
    manifest = json.loads((exports / f"every-{format_}.manifest.json").read_text())
    assert all((exports / name).is_file() for name in manifest["files"])
    assert any(manifest["sha256_of_sorted_uids"] in code.value for code in app.code)


def test_text_takes_one_column(open_page: Open, exports: Path) -> None:
    app = open_page("export", **{"from": "recipe", "format": "txt"})
    app.selectbox(key="columns_txt").set_value("image_file").run()
    file_name(app).set_value("paths").run()
    app.button[-1].click().run()
    assert (exports / "paths.txt").read_text().startswith("images/")


def test_a_format_with_several_files_takes_their_size(open_page: Open, exports: Path) -> None:
    app = open_page("export", **{"from": "recipe", "format": "webdataset"})
    app.number_input(key="shard_size").set_value(200).run()
    file_name(app).set_value("in-parts").run()
    app.button[-1].click().run()
    assert {f.name for f in (exports / "in-parts").glob("*.tar")} == {"00000.tar", "00001.tar"}
    assert "4 files" in app.success[0].value


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


def previewed(app: AppTest) -> tuple[list[str], pd.DataFrame | None]:
    """What is shown of the first samples: lines of a text, or a table."""
    at = [subheader.value for subheader in app.subheader].index(PREVIEW)
    assert at == len(app.subheader) - 1
    below = list(app.main.children.values())[-1]
    if below.type == "code":
        return below.value.split("\n"), None
    return [], below.value


@pytest.mark.parametrize("format_", ["txt", "csv", "jsonl"])
def test_a_text_is_previewed_as_it_is_then_written(
    open_page: Open, exports: Path, format_: str
) -> None:
    app = open_page("export", **{"from": "recipe", "format": format_})
    lines, _ = previewed(app)
    size = sizes(app)
    file_name(app).set_value(f"previewed-{format_}").run()
    app.button[-1].click().run()
    text = (exports / f"previewed-{format_}.{format_}").read_text()
    assert lines == text.split("\n")[: len(lines)]
    assert len(lines) in (8, 9)
    # Of fewer than a thousand samples every one is looked at.
    assert size.lower() == str(Size(len(text.encode()), is_exact=format_ == "txt")).lower()


@pytest.mark.parametrize("format_", ["datacomp", "parquet", "huggingface"])
def test_a_table_is_previewed_as_it_is_then_written(
    open_page: Open, exports: Path, format_: str
) -> None:
    app = open_page("export", **{"from": "recipe", "format": format_})
    _, shown = previewed(app)
    assert shown is not None
    file_name(app).set_value(f"previewed-{format_}").run()
    app.button[-1].click().run()
    path = exports / f"previewed-{format_}{EXPORTERS[format_].extension}"
    if format_ == "datacomp":
        words = datacomp.load(path)[:8]
        assert shown["uid"].tolist() == uids.to_hex(words).to_pylist()
        assert shown["u8,u8"].tolist() == [f"({a}, {b})" for a, b in words.tolist()]
        return
    table = pq.read_table(path if path.is_file() else next((path / "data").iterdir()))
    assert shown.columns.tolist() == table.column_names
    assert shown["uid"].tolist() == table.column("uid").to_pylist()[:8]
    if format_ == "huggingface":
        assert all(cell.startswith("data:image/jpeg;base64,") for cell in shown["image"])


def test_a_folder_is_previewed_by_its_files_with_their_pictures(
    open_page: Open, exports: Path
) -> None:
    for format_, names in (("webdataset", "in 00000.tar"), ("imagefolder", "file")):
        app = open_page("export", **{"from": "recipe", "format": format_})
        _, shown = previewed(app)
        assert shown is not None
        assert all(cell.startswith("data:image/jpeg;base64,") for cell in shown["image"])
        file_name(app).set_value(f"previewed-{format_}").run()
        app.button[-1].click().run()
        folder = exports / f"previewed-{format_}"
        if format_ == "webdataset":
            with tarfile.open(folder / "00000.tar") as tar:
                assert set(shown[names]) <= set(tar.getnames())
        else:
            assert all((folder / name).is_file() for name in shown[names])


def test_the_size_is_shown_before_anything_is_written(open_page: Open) -> None:
    app = open_page("export", **{"from": "recipe", "format": "datacomp"})
    selected = int(metrics(app)["Selected"])
    assert sizes(app) == formatting.file_size(128 + 16 * selected)
    app.selectbox(key="format").set_value("txt").run()
    assert sizes(app) == formatting.file_size(33 * selected)
    app.selectbox(key="format").set_value("webdataset").run()
    assert sizes(app).startswith("About ")


def test_the_resharder_command_is_shown_for_datacomp_only(open_page: Open, exports: Path) -> None:
    app = open_page("export", **{"from": "recipe"})
    file_name(app).set_value("my list").run()
    (command,) = [code.value for code in app.code if "resharder.py" in code.value]
    assert shlex.split(command)[-2:] == ["--subset-file", str(exports / "my list.npy")]
    app.selectbox(key="format").set_value("csv").run()
    assert not any("resharder.py" in code.value for code in app.code)


def test_the_whole_view_comes_back_from_its_address(open_page: Open) -> None:
    app = open_page("export")
    app.selectbox(key="quadrant").set_value("low_low").run()
    app.selectbox(key="format").set_value("csv").run()
    app.multiselect(key="columns_csv").set_value(["clip_score"]).run()
    parameters = query_parameters(app)
    assert parameters["columns_csv"] == "clip_score"
    again = open_page("export", **parameters)
    assert again.multiselect(key="columns_csv").value == ["clip_score"]
    assert metrics(again) == metrics(app)
    assert previewed(again)[0] == previewed(app)[0]
    again.selectbox(key="format").set_value("txt").run()
    again.selectbox(key="columns_txt").set_value("image_file").run()
    assert query_parameters(again)["columns_txt"] == "image_file"
    assert "columns_csv" not in again.query_params


def test_an_empty_selection_cannot_be_exported(open_page: Open) -> None:
    app = open_page("export", **{"from": "recipe"})
    app.text_area(key="recipe_text").set_value("steps: [{score: clip_score, top: 0}]").run()
    assert metrics(app)["Selected"] == "0"
    assert any("empty" in info.value for info in app.info)


def test_a_file_name_cannot_leave_the_exports_folder(open_page: Open, exports: Path) -> None:
    app = open_page("export", **{"from": "recipe"})
    file_name(app).set_value("../../escaped").run()
    assert any(formatting.path(exports / "escaped.npy") in caption.value for caption in app.caption)


@pytest.mark.parametrize(
    ("name", "stem"), [("x" * 300, "x" * 80), ("..", "selection"), (".a", "a")]
)
def test_a_file_name_is_made_to_fit(open_page: Open, exports: Path, name: str, stem: str) -> None:
    app = open_page("export", **{"from": "recipe"})
    file_name(app).set_value(name).run()
    assert not app.exception
    assert any(formatting.path(exports / f"{stem}.npy") in caption.value for caption in app.caption)


def test_the_file_is_named_after_the_selection_that_is_shown(open_page: Open) -> None:
    app = open_page("export")
    assert file_name(app).value.endswith("high-high")
    app.selectbox(key="quadrant").set_value("low_low").run()
    assert file_name(app).value.endswith("low-low")


def test_another_selection_overwrites_only_after_a_confirmation(
    open_page: Open, exports: Path
) -> None:
    def export_as_sel(parameters: dict[str, str]) -> AppTest:
        app = open_page("export", **parameters)
        file_name(app).set_value("sel").run()
        if not app.button[-1].disabled:
            app.button[-1].click().run()
        return app

    export_as_sel({"from": "recipe"})
    recipe = (exports / "sel.recipe.yaml").read_text()
    app = export_as_sel({"from": "quadrant", "format": "csv"})
    assert (exports / "sel.recipe.yaml").read_text() == recipe
    assert not (exports / "sel.csv").exists()
    assert "sel" in app.checkbox[-1].label
    app.checkbox[-1].check().run()
    app.button[-1].click().run()
    # The earlier list would be next to a recipe that is not its own.
    assert "sel.npy" in app.error[0].value
    assert not (exports / "sel.csv").exists()
    (exports / "sel.npy").unlink()
    app.button[-1].click().run()
    assert (exports / "sel.csv").exists()
    assert (exports / "sel.recipe.yaml").read_text() != recipe


def test_a_recipe_comes_back_from_the_address(open_page: Open) -> None:
    recipe = Recipe.parse("{name: linked, steps: [{score: clip_score, top: 0.1}]}")
    app = open_page("export", **{"from": "recipe", "recipe": recipe.packed()})
    assert Recipe.parse(app.text_area(key="recipe_text").value) == recipe
    assert metrics(app)["Selected"] == "150"


def test_a_recipe_s_name_is_shown_as_text(open_page: Open) -> None:
    name = "q`![](http:&#47;&#47;elsewhere.test&#47;x.png)`"
    recipe = Recipe.parse(f"{{name: '{name}', steps: []}}")
    app = open_page("export", **{"from": "recipe", "recipe": recipe.packed(), "format": "txt"})
    (caption,) = [c.value for c in app.caption if "will be written to" in c.value]
    # The fence has two backticks, so the single ones of the name do not end it.
    assert f"{name}.txt ``," in caption
    assert caption.count("``") == 2
