"""Which paths an export may have, and which files may be next to it."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from curation import uids
from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.exporters import EXPORTERS
from curation.exporters.export import export
from curation.selection.decisions import Decisions
from curation.selection.recipe import Recipe, WhereStep
from curation.selection.select import select
from tests import make

EVERY_FORMAT = pytest.mark.parametrize("format", list(EXPORTERS))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    workspace = make.workspace(
        tmp_path_factory.mktemp("e"), [{"caption": f"c {n}"} for n in range(4)]
    )
    return workspace, Catalog.of(workspace)


def first(catalog, count):
    kept = tuple(make.uid(n) for n in range(count))
    return select(Recipe(f"first-{count}", (WhereStep("width < 0"),), keep=kept), catalog)


@EVERY_FORMAT
@pytest.mark.parametrize("name", ["~/out", "exp:1/out", "a b/ü"])
def test_names_may_have_special_characters(world, tmp_path, monkeypatch, format, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    catalog = world[1]
    given = f"{name}{EXPORTERS[format].extension}"
    exported = export(catalog, first(catalog, 2), format, type(tmp_path)(given))
    assert str(exported.path) == str(tmp_path / given.replace("~", "home"))
    assert exported.path.exists()
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.parametrize("target", ["s3://bucket/out.csv", "hf://datasets/me/out"])
def test_exporting_to_a_url_is_refused(world, tmp_path, monkeypatch, target):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CurationError, match="is a URL; exports are written to local paths only"):
        export(world[1], first(world[1], 2), "csv", type(tmp_path)(target))
    assert list(tmp_path.iterdir()) == []


@EVERY_FORMAT
@pytest.mark.parametrize("target", ["/", "..", "."])
def test_a_path_without_a_file_name_is_refused(world, tmp_path, monkeypatch, format, target):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CurationError, match=r"has no file name|is a folder|already exists"):
        export(world[1], first(world[1], 2), format, type(tmp_path)(target))
    assert [f.name for f in tmp_path.iterdir()] == ["mine.txt"]


def test_exports_of_another_selection_under_the_same_name_are_refused(world, tmp_path):
    catalog = world[1]
    for format in ("csv", "datacomp"):
        export(catalog, first(catalog, 2), format, tmp_path / f"a{EXPORTERS[format].extension}")
    with pytest.raises(CurationError, match=r"a\.npy next to .* contain another selection"):
        export(catalog, first(catalog, 3), "csv", tmp_path / "a.csv", overwrite=True)
    (tmp_path / "a.npy").unlink()
    export(catalog, first(catalog, 3), "csv", tmp_path / "a.csv", overwrite=True)
    assert json.loads((tmp_path / "a.manifest.json").read_text())["selected"] == 3


def test_a_text_export_without_a_single_line_is_an_error(world, tmp_path):
    with pytest.raises(CurationError, match=r"none of the 2 selected samples can be .*no url"):
        export(world[1], first(world[1], 2), "txt", tmp_path / "a.txt", columns=["url"])
    assert list(tmp_path.iterdir()) == []


def test_the_manifest_records_the_sets_that_the_recipe_refers_to(world, tmp_path):
    workspace, catalog = world
    decisions = Decisions.of(workspace)
    decisions.save_uid_list("listed", uids.to_words([make.uid(1), make.uid(1)]), "x")
    inner = Recipe.parse("name: inner\nsteps: [{union: listed}]")
    decisions.save_recipe("inner", inner)
    outer = Recipe.parse("name: outer\nsteps: [{where: 'width < 0'}, {union: inner}]")
    exported = export(catalog, select(outer, catalog, decisions), "csv", tmp_path / "a.csv")
    sets = json.loads(exported.manifest.read_text())["sets"]
    assert sets.keys() == {"inner", "listed"}
    assert Recipe.parse(sets["inner"]["recipe"]) == inner
    assert (sets["listed"]["recipe"], sets["listed"]["uids"]) == (None, 2)
    words = uids.to_words([make.uid(1)] * 2)
    assert sets["listed"]["sha256_of_sorted_uids"] == uids.digest(words)


def test_a_terminated_export_leaves_nothing(world, tmp_path):
    workspace = world[0]
    (tmp_path / "all.yaml").write_text("name: all\nsteps: []\n")
    os.mkfifo(tmp_path / "wait")
    slow = (
        "import sys; from curation.exporters import webdataset as w; write = w._write_tar\n"
        f"def waiting(*a):\n    open({str(tmp_path / 'wait')!r}).read(); return write(*a)\n"
        "w._write_tar = waiting\nfrom curation.cli.main import main; main()"
    )
    arguments = ["export", workspace.path, tmp_path / "all.yaml", "--to", tmp_path / "out"]
    command = [sys.executable, "-c", slow, *map(str, arguments), "--format", "webdataset"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 30
        while not list(tmp_path.glob(".out.*.partial")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
    assert sorted(f.name for f in tmp_path.iterdir()) == ["all.yaml", "wait"]
