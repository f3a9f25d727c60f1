import json
import math

import pytest

from curation import uids
from curation.catalog.catalog import Catalog
from curation.exporters import manifest
from curation.exporters.base import LeftOut
from curation.selection.decisions import Decisions
from curation.selection.recipe import Recipe
from curation.selection.select import select
from tests import make


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("manifest")
    rows = [{"stars": n} for n in range(4)]
    workspace, catalog = make.catalog(folder, {"quality": [0.1, 0.4, 0.3, None]}, rows)
    return catalog, Decisions.of(workspace)


@pytest.mark.parametrize(
    ("name", "stem"),
    [("a.csv", "a"), ("a.b.npy", "a.b"), ("dfn-0.2", "dfn-0.2"), ("shards", "shards")],
)
def test_a_manifest_is_named_like_the_export_without_a_known_extension(tmp_path, name, stem):
    assert manifest.path_for(tmp_path / name) == tmp_path / f"{stem}.manifest.json"


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"3", b"\xff"])
def test_a_file_that_is_no_manifest_counts_as_none(tmp_path, content):
    (tmp_path / "a.manifest.json").write_bytes(content)
    assert manifest.load(tmp_path / "a.manifest.json") == {}
    assert manifest.load(tmp_path / "none.manifest.json") == {}


def test_infinities_are_written_as_text(tmp_path):
    file = tmp_path / "a.manifest.json"
    manifest.write(file, {"p": [math.inf, 2.0, {"low": -math.inf, "none": math.nan}], "n": 1})
    assert json.loads(file.read_text()) == {
        "p": ["inf", 2.0, {"low": "-inf", "none": "nan"}],
        "n": 1,
    }


def test_the_files_of_an_export_are_all_files_below_it_and_no_folders(tmp_path):
    for name in ("out/b", "out/a/c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert manifest.files_of(tmp_path / "out") == [tmp_path / "out" / "a" / "c", tmp_path / "out/b"]
    assert manifest.files_of(tmp_path / "out" / "b") == [tmp_path / "out" / "b"]


def test_a_manifest_records_marks_that_the_dataset_lacks_sets_and_what_was_left_out(
    world, tmp_path
):
    catalog, decisions = world
    words = uids.to_words([make.uid(1), make.uid(1)])
    decisions.save_uid_list("listed", words, "a test")
    decisions.save_recipe("best", Recipe.parse("steps: [{score: quality, count: 1}]"))
    steps = "steps: [{score: quality, top: 0}, {union: listed}, {union: best}]"
    recipe = Recipe.parse(f"{steps}\nkeep: ['{make.uid(99)}']")
    (tmp_path / "a.txt").write_text("")
    selection = select(recipe, catalog, decisions)
    left_out = [LeftOut(make.uid(1), "why")]
    record = manifest.record(catalog, selection, "txt", tmp_path / "a.txt", left_out)
    assert record["uids_not_found"] == [make.uid(99)]
    assert record["left_out"] == [{"of": "a.txt", "uid": make.uid(1), "reason": "why"}]
    assert record["sets"]["listed"] == {
        "recipe": None,
        "uids": 2,
        "sha256_of_sorted_uids": uids.digest(words),
    }
    assert Recipe.parse(record["sets"]["best"]["recipe"]) == decisions.recipe("best")
    assert [step["left"] for step in record["steps"]] == [0, 2, 2]


def test_a_manifest_records_measures_like_scores(scored, tmp_path, monkeypatch):
    catalog = Catalog.of(scored)
    first, *others = catalog.scores
    monkeypatch.setattr(Catalog, "scores", others)
    monkeypatch.setattr(Catalog, "measures", [first])
    (tmp_path / "a.txt").touch()
    selection = select(Recipe("all"), catalog)
    record = manifest.record(catalog, selection, "txt", tmp_path / "a.txt", [])
    assert record["scores"].keys() == {first.name, *(column.name for column in others)}


def test_merging_keeps_what_an_earlier_manifest_has_of_other_exports(tmp_path):
    before = {
        "files": {"out/1.tar": "old", "out.csv": "kept"},
        "left_out": [{"of": "out", "uid": "a"}, {"of": "out.csv", "uid": "b"}],
        "format": "csv",
    }
    record = {"files": {"out/2.tar": "new"}, "left_out": [{"of": "out", "uid": "c"}], "format": "w"}
    assert manifest.merge(before, record, tmp_path / "out") == {
        "files": {"out.csv": "kept", "out/2.tar": "new"},
        "left_out": [{"of": "out.csv", "uid": "b"}, {"of": "out", "uid": "c"}],
        "format": "w",
    }
    assert manifest.merge({}, record, tmp_path / "out") == record
