import json
import subprocess
import sys

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
from tests import make

INFO = WorkspaceInfo("/data/photos", "folder", "/data/photos", "clip", "2026-01-01")


def test_workspace_info_is_read_as_it_was_written(tmp_path):
    Workspace(tmp_path).write_info(INFO)
    assert Workspace.open(tmp_path).info() == INFO


def test_a_folder_that_is_not_a_workspace_is_refused(tmp_path):
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


def test_a_stage_is_done_when_its_receipt_has_the_fingerprint(tmp_path):
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


def test_trim_deletes_the_shards_from_a_number_on(tmp_path):
    folder = ShardFolder(tmp_path)
    for shard in range(4):
        folder.finish(shard, Receipt("x", 1))
        folder.file(shard, "image.npy").write_bytes(b"")
    (tmp_path / "model.toml").write_text("")
    (tmp_path / "3rd.txt").write_text("")
    folder.trim(2)
    assert sorted(f.name for f in tmp_path.iterdir()) == [
        "00000.image.npy",
        "00000.json",
        "00001.image.npy",
        "00001.json",
        "3rd.txt",
        "model.toml",
    ]


def test_one_process_at_a_time_locks_a_workspace(tmp_path):
    workspace = Workspace(tmp_path / "new")
    code = (
        "import sys; from pathlib import Path\n"
        "from curation.storage.workspace import Workspace\n"
        "with Workspace(Path(sys.argv[1])).lock(): print('locked')"
    )
    command = [sys.executable, "-c", code, str(workspace.path)]
    with workspace.lock():
        other = subprocess.run(command, capture_output=True, text=True, cwd=make.ROOT)
        assert "another process is writing into" in other.stderr
        with pytest.raises(CurationError, match="wait for it, or stop it"), workspace.lock():
            pass
    for _ in range(2):
        other = subprocess.run(command, capture_output=True, text=True, cwd=make.ROOT)
        assert other.stdout == "locked\n"


def test_a_block_that_raises_releases_the_lock(tmp_path):
    with pytest.raises(RuntimeError), Workspace(tmp_path).lock():
        raise RuntimeError
    with Workspace(tmp_path).lock():
        pass


def test_the_lock_deletes_partial_files_and_no_others(tmp_path):
    kept = ["samples/00000.parquet", "exports/.mine.partial", "samples/.hidden"]
    partial = ["samples/.0.a.partial", "embeddings/m/.0.a.partial", "scores/s/.0.a.partial"]
    partial += ["targets/t/samples/.0.a.partial", "targets/t/embeddings/m/.0.a.partial"]
    for name in (*kept, *partial):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with Workspace(tmp_path).lock():
        remaining = {f.relative_to(tmp_path).as_posix() for f in tmp_path.rglob("*") if f.is_file()}
    assert remaining - {".lock"} == set(kept)


def test_a_name_must_fit_into_a_column_name():
    assert check_name("food_101", "target") == "food_101"
    assert check_name("x", "target") == "x"
    for name in ("", "Food", "1a", "a-b", "a b", "../a", "_a", "a\n"):
        with pytest.raises(CurationError, match="cannot name a target"):
            check_name(name, "target")


def test_toml_is_read_as_it_was_written_without_none(tmp_path):
    write_toml(tmp_path / "a.toml", {"p": [float("inf"), 2.0], "none": None, "text": 'ü "x"\n'})
    assert read_toml(tmp_path / "a.toml") == {"p": [float("inf"), 2.0], "text": 'ü "x"\n'}


def test_a_toml_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(CurationError, match=r"none\.toml cannot be read"):
        read_toml(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'a = "\xe9"')
    with pytest.raises(CurationError, match=r"latin\.toml cannot be read"):
        read_toml(tmp_path / "latin.toml")
