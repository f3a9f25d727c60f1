import json

import pytest

from curation.errors import CurationError
from curation.storage.workspace import (
    Receipt,
    ShardFolder,
    Workspace,
    WorkspaceInfo,
    check_name,
    read_toml,
    write_toml,
)

INFO = WorkspaceInfo("/data/photos", "folder", "/data/photos", "clip", "2026-01-01")


def test_what_is_written_of_a_workspace_is_read_again(tmp_path):
    Workspace(tmp_path).write_info(INFO)
    assert Workspace.open(tmp_path).info() == INFO


def test_what_is_no_workspace_is_refused(tmp_path):
    with pytest.raises(CurationError, match="is not a workspace: there is no such folder"):
        Workspace.open(tmp_path / "none")
    with pytest.raises(CurationError, match=r"it has no workspace.toml"):
        Workspace.open(tmp_path)


def test_a_workspace_of_a_newer_version_is_refused(tmp_path):
    Workspace(tmp_path).write_info(
        WorkspaceInfo(INFO.source, INFO.reader, INFO.image_root, INFO.model, INFO.created, 99)
    )
    with pytest.raises(CurationError, match="made by a newer version"):
        Workspace.open(tmp_path)


@pytest.mark.parametrize("text", ["not toml [", 'source = "x"', "future = 1"])
def test_a_damaged_workspace_file_is_named(tmp_path, text):
    (tmp_path / "workspace.toml").write_text(text)
    with pytest.raises(CurationError, match=r"workspace\.toml"):
        Workspace.open(tmp_path)


def test_a_stage_is_done_when_its_receipt_carries_the_fingerprint(tmp_path):
    folder = ShardFolder(tmp_path)
    assert folder.receipt(3) is None
    folder.finish(3, Receipt("abc", 10, 1, {"read": 0.5}))
    assert folder.receipt(3) == Receipt("abc", 10, 1, {"read": 0.5})
    assert folder.is_done(3, "abc")
    assert not folder.is_done(3, "abd")
    folder.discard(3)
    assert not folder.is_done(3, "abc")


def test_a_damaged_receipt_means_that_the_stage_is_not_done(tmp_path):
    folder = ShardFolder(tmp_path)
    for text in ("", "{", "[]", "null", json.dumps({"rows": 3})):
        folder.file(0, "json").write_text(text)
        assert folder.receipt(0) is None, text


def test_trimming_takes_away_shards_that_are_no_more(tmp_path):
    folder = ShardFolder(tmp_path)
    for shard in range(4):
        folder.finish(shard, Receipt("x", 1))
        folder.file(shard, "image.npy").write_bytes(b"")
    (tmp_path / "model.toml").write_text("")
    folder.trim(2)
    assert sorted(f.name for f in tmp_path.iterdir()) == [
        "00000.image.npy",
        "00000.json",
        "00001.image.npy",
        "00001.json",
        "model.toml",
    ]


def test_names_are_what_can_be_part_of_a_column():
    assert check_name("food_101", "target") == "food_101"
    for name in ("", "Food", "1a", "a-b", "a b", "../a", "_a", "a\n"):
        with pytest.raises(CurationError, match="cannot name a target"):
            check_name(name, "target")


def test_toml_goes_there_and_back_without_what_is_none(tmp_path):
    write_toml(tmp_path / "a.toml", {"p": [float("inf"), 2.0], "none": None, "text": 'ü "x"\n'})
    assert read_toml(tmp_path / "a.toml") == {"p": [float("inf"), 2.0], "text": 'ü "x"\n'}


def test_a_toml_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(CurationError, match=r"none\.toml cannot be read"):
        read_toml(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'a = "\xe9"')
    with pytest.raises(CurationError, match=r"latin\.toml cannot be read"):
        read_toml(tmp_path / "latin.toml")
