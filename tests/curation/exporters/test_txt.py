import json
import subprocess

import pytest

from curation.errors import CurationError
from curation.exporters.base import LeftOut
from curation.exporters.export import default_columns
from curation.pipeline.import_scores import import_uids
from curation.storage.workspace import Workspace
from tests import make
from tests.curation.exporters.conftest import SELECTED


def test_the_hash_of_the_sorted_uids_is_that_of_the_selection(world, tmp_path):
    path = world.export("txt", tmp_path).path
    command = f"LC_ALL=C sort {path.name} | sha256sum"
    output = subprocess.check_output(command, shell=True, text=True, cwd=path.parent)
    assert output.split()[0] == world.selection.digest


def test_the_default_column_is_the_uid(world):
    assert default_columns(world.catalog, "txt") == ["uid"]


def test_the_values_of_one_column_stand_a_line_each(world, tmp_path):
    path = world.export("txt", tmp_path, columns=["image_file"]).path
    names = ["0.jpg", "1.png", "1.png", "2.jpg", "3.jpg", "4.jpg"]
    assert path.read_bytes() == "".join(f"{name}\n" for name in names).encode()


def test_samples_without_a_value_are_left_out_and_listed(world, tmp_path):
    exported = world.export("txt", tmp_path, columns=["url"])
    assert exported.path.read_text() == "https://a.example/3.jpg\n"
    assert exported.left_out[0] == LeftOut(make.uid(0), "it has no url")
    listed = json.loads(exported.manifest.read_text())["left_out"]
    assert [left["uid"] for left in listed] == [make.uid(n) for n in SELECTED if n != 3]


def test_a_value_that_would_be_more_than_one_line_is_left_out(world, tmp_path):
    exported = world.export("txt", tmp_path, columns=["caption"])
    reason = "its caption has a line break"
    # A line feed, and twice a line separator of Unicode.
    assert exported.left_out == tuple(LeftOut(make.uid(n), reason) for n in (0, 1, 1))
    assert len(exported.path.read_text().splitlines()) == len(SELECTED) - 3


def test_numbers_are_written_as_csv_has_them(world, tmp_path):
    exported = world.export("txt", tmp_path, columns=["stars"])
    assert exported.path.read_text().split() == [str(n) for n in SELECTED]


def test_more_than_one_column_is_refused_and_nothing_written(world, tmp_path):
    with pytest.raises(CurationError, match=r"one column, not 2 \(uid, caption\); choose one"):
        world.export("txt", tmp_path, columns=["uid", "caption"])
    assert list(tmp_path.iterdir()) == []


def test_the_uids_can_be_imported_as_a_list(world, tmp_path):
    path = world.export("txt", tmp_path).path
    joined = import_uids(Workspace.open(world.catalog.path.parent), "back", path)
    assert joined.matched == len(set(SELECTED))
