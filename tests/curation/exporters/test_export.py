import dataclasses
import hashlib
import json
import os

import pytest

from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.exporters.export import default_columns, export
from curation.selection.recipe import Recipe
from curation.selection.select import select
from tests import make

CAPTION = 'a "quoted", caption\nof two lines; über = "x"'
RECIPE = Recipe.parse("name: best\nsteps: [{score: quality, count: 2}]")
FOLDERS = pytest.mark.parametrize("format", ["webdataset", "imagefolder", "huggingface"])


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    rows = [{"caption": CAPTION, "stars": n} for n in range(4)]
    scores = {"quality": [0.1, 0.4, 0.3, None]}
    return make.catalog(tmp_path_factory.mktemp("e"), scores, rows)[1]


@pytest.fixture(scope="module")
def selection(catalog):
    return select(RECIPE, catalog)


def test_the_chosen_columns_are_written_once_each_in_that_order(catalog, selection, tmp_path):
    columns = ["stars", "uid", "stars"]
    export(catalog, selection, "csv", tmp_path / "a.csv", columns=columns)
    assert (tmp_path / "a.csv").read_text().splitlines()[0] == '"stars","uid"'


def test_every_score_is_written_by_default(catalog):
    assert default_columns(catalog) == ["uid", "caption", "image_file", "quality"]


def test_the_recipe_next_to_an_export_gives_the_same_selection(catalog, selection, tmp_path):
    exported = export(catalog, selection, "parquet", tmp_path / "a.parquet")
    again = select(Recipe.load(exported.recipe), catalog)
    assert exported.recipe.name == "a.recipe.yaml"
    assert again.digest == exported.digest


def test_the_manifest_next_to_an_export_records_how_it_was_made(catalog, selection, tmp_path):
    exported = export(catalog, selection, "parquet", tmp_path / "a.parquet")
    manifest = json.loads(exported.manifest.read_text(encoding="utf-8"))
    assert (manifest["pool"], manifest["selected"], manifest["fraction"]) == (4, 2, 0.5)
    assert manifest["steps"] == [{"step": "quality: best 2", "left": 2}]
    assert manifest["sha256_of_sorted_uids"] == selection.digest
    content = (tmp_path / "a.parquet").read_bytes()
    assert manifest["files"] == {"a.parquet": hashlib.sha256(content).hexdigest()}
    assert manifest["scores"].keys() == {"quality"}


def test_the_manifest_is_strict_json_though_norm_sims_p_is_infinite(scored, tmp_path):
    catalog = Catalog.of(scored)
    chosen = select(Recipe.parse("steps: [{score: norm_sim_inf_dots, top: 0.5}]"), catalog)
    exported = export(catalog, chosen, "datacomp", tmp_path / "a.npy")
    text = exported.manifest.read_text(encoding="utf-8")
    manifest = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert manifest["scores"]["norm_sim_inf_dots"]["parameters"]["p"] == ["inf", 2.0]


def test_an_existing_file_is_not_overwritten_by_default(catalog, selection, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("mine")
    with pytest.raises(CurationError, match=r"a\.csv already exists; pass --overwrite"):
        export(catalog, selection, "csv", path)
    assert [f.name for f in tmp_path.iterdir()] == ["a.csv"]
    assert path.read_text() == "mine"
    export(catalog, selection, "csv", path, overwrite=True)
    assert path.read_text().startswith('"uid"')


def test_a_recipe_or_manifest_of_something_else_is_not_overwritten(catalog, selection, tmp_path):
    for name in ("a.recipe.yaml", "a.manifest.json"):
        (tmp_path / name).write_text("mine: 1")
        with pytest.raises(CurationError, match=f"{name} already exists"):
            export(catalog, selection, "csv", tmp_path / "a.csv")
        assert [f.read_text() for f in tmp_path.iterdir()] == ["mine: 1"]
        (tmp_path / name).unlink()


def test_an_existing_copy_of_the_recipe_keeps_its_comments(catalog, selection, tmp_path):
    mine = tmp_path / "a.recipe.yaml"
    mine.write_text("# why\n" + RECIPE.to_yaml())
    export(catalog, selection, "csv", tmp_path / "a.csv")
    assert mine.read_text().startswith("# why")


def test_a_second_format_of_the_same_selection_joins_the_manifest(catalog, selection, tmp_path):
    for name, format in (("a.csv", "csv"), ("a.npy", "datacomp")):
        exported = export(catalog, selection, format, tmp_path / name)
    assert json.loads(exported.manifest.read_text())["files"].keys() == {"a.csv", "a.npy"}
    other = select(Recipe("all"), catalog)
    with pytest.raises(CurationError, match="already exists"):
        export(catalog, other, "parquet", tmp_path / "a.parquet")


def test_a_file_format_refuses_the_path_of_a_folder(catalog, selection, tmp_path):
    with pytest.raises(CurationError, match=r"is a folder; name a file in it.*selection\.csv"):
        export(catalog, selection, "csv", tmp_path)


def test_an_unknown_format_or_column_is_named_and_nothing_written(catalog, selection, tmp_path):
    with pytest.raises(CurationError, match="no format 'xml'; there are datacomp, parquet"):
        export(catalog, selection, "xml", tmp_path / "a.xml")
    with pytest.raises(CurationError, match="no score or column 'nope'"):
        export(catalog, selection, "csv", tmp_path / "a.csv", columns=["uid", "nope"])
    assert list(tmp_path.iterdir()) == []


@FOLDERS
def test_an_export_to_a_folder_is_replaced_only_when_asked_to(catalog, selection, tmp_path, format):
    path = tmp_path / "out"
    export(catalog, selection, format, path)
    before = contents(path)
    with pytest.raises(CurationError, match="out already exists; pass --overwrite"):
        export(catalog, selection, format, path)
    other = select(Recipe("all"), catalog)
    export(catalog, other, format, path, overwrite=True)
    assert contents(path) != before
    manifest = json.loads((tmp_path / "out.manifest.json").read_text())
    assert manifest["files"].keys() == {f"out/{name}" for name in contents(path)}
    assert sorted(f.name for f in tmp_path.iterdir()) == [
        "out",
        "out.manifest.json",
        "out.recipe.yaml",
    ]


@FOLDERS
@pytest.mark.parametrize("name", ["mine.txt", "data/mine.txt", "images/.hidden", "link"])
def test_a_folder_with_a_foreign_file_is_never_replaced(catalog, selection, tmp_path, format, name):
    path = tmp_path / "out"
    export(catalog, selection, format, path)
    mine = path / name
    mine.parent.mkdir(exist_ok=True)
    if name == "link":
        mine.symlink_to(tmp_path / "nowhere")
    else:
        mine.write_text("mine")
    before = contents(path)
    with pytest.raises(
        CurationError, match=f"out cannot be replaced: {name} in it is not from an export"
    ):
        export(catalog, selection, format, path, overwrite=True)
    assert contents(path) == before
    assert os.path.lexists(mine)


def test_a_card_that_was_edited_after_its_export_is_not_replaced(catalog, selection, tmp_path):
    card = export(catalog, selection, "huggingface", tmp_path / "out").path / "README.md"
    card.write_text("mine")
    with pytest.raises(CurationError, match=r"README\.md in it was changed after its export"):
        export(catalog, selection, "huggingface", tmp_path / "out", overwrite=True)
    assert card.read_text() == "mine"


@FOLDERS
def test_a_folder_without_a_manifest_is_never_replaced(catalog, selection, tmp_path, format):
    path = export(catalog, selection, format, tmp_path / "out").path
    (tmp_path / "out.manifest.json").unlink()
    before = contents(path)
    with pytest.raises(CurationError, match="is not from an export"):
        export(catalog, selection, format, path, overwrite=True)
    assert contents(path) == before


@FOLDERS
def test_a_file_or_a_link_is_not_replaced_by_a_folder(catalog, selection, tmp_path, format):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    for name, what in (("file", "a file"), ("link", "a link")):
        with pytest.raises(CurationError, match=f"{name} is {what}, but this format is a folder"):
            export(catalog, selection, format, tmp_path / name, overwrite=True)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["file", "folder", "link"]


def test_a_failed_export_leaves_the_existing_folder(catalog, selection, tmp_path):
    path = export(catalog, selection, "imagefolder", tmp_path / "out").path
    before = contents(path)
    gone = dataclasses.replace(catalog.dataset, image_root=str(tmp_path / "gone"))
    catalog = Catalog(catalog.path)
    catalog.dataset = gone
    with pytest.raises(CurationError, match="none of the 2 selected samples has an image"):
        export(catalog, selection, "imagefolder", path, overwrite=True)
    assert contents(path) == before
    assert not list(tmp_path.glob(".*"))


def test_what_one_format_leaves_out_stays_in_the_manifest_of_both(tmp_path):
    catalog = make.catalog(tmp_path, {"quality": [1.0, 0.5]})[1]
    (tmp_path / "source" / "001.jpg").unlink()
    both = select(Recipe("all"), catalog)
    for name, format in (("out", "webdataset"), ("out.csv", "csv"), ("out", "imagefolder")):
        exported = export(catalog, both, format, tmp_path / name, overwrite=name == "out")
        manifest = json.loads(exported.manifest.read_text())
        assert [(left["of"], left["uid"]) for left in manifest["left_out"]] == [
            ("out", make.uid(1))
        ]
    assert {name.partition("/")[0] for name in manifest["files"]} == {"out", "out.csv"}
    assert "out/00000.tar" not in manifest["files"]


def test_folders_with_dots_in_their_names_have_separate_manifests(catalog, selection, tmp_path):
    for name in ("dfn-0.1", "dfn-0.2"):
        exported = export(catalog, selection, "imagefolder", tmp_path / name)
        assert exported.manifest.name == f"{name}.manifest.json"
        assert exported.recipe.name == f"{name}.recipe.yaml"


def contents(folder):
    return {
        f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*") if f.is_file()
    }
