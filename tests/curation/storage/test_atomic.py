import errno
import os
from pathlib import Path

import pytest

from curation.errors import CurationError
from curation.storage.atomic import atomic, fingerprint, sha256_of


def test_the_file_appears_whole_when_the_block_ends(tmp_path):
    final = tmp_path / "new" / "a.txt"
    with atomic(final) as partial:
        partial.write_text("whole")
        assert not final.exists()
    assert final.read_text() == "whole"
    assert [f.name for f in final.parent.iterdir()] == ["a.txt"]


def test_a_block_that_raises_leaves_the_old_file_and_nothing_else(tmp_path):
    final = tmp_path / "a.txt"
    final.write_text("old")
    with pytest.raises(RuntimeError), atomic(final) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert final.read_text() == "old"
    assert [f.name for f in tmp_path.iterdir()] == ["a.txt"]


def test_a_reader_of_the_old_file_keeps_it(tmp_path):
    final = tmp_path / "a.txt"
    final.write_text("old")
    with final.open() as reader:
        with atomic(final) as partial:
            partial.write_text("new")
        assert reader.read() == "old"
    assert final.read_text() == "new"


def test_a_folder_replaces_an_older_folder(tmp_path):
    final = tmp_path / "folder"
    for content in ("old", "new"):
        with atomic(final) as partial:
            partial.mkdir()
            (partial / content).write_text(content)
    assert [f.name for f in final.iterdir()] == ["new"]
    assert [f.name for f in tmp_path.iterdir()] == ["folder"]


def test_a_folder_that_cannot_be_put_in_place_leaves_the_old_one(tmp_path, monkeypatch):
    final = tmp_path / "folder"
    final.mkdir()
    (final / "old").write_text("old")
    replace = Path.replace

    def refuse_new(self, target):
        if self.suffix == ".partial":
            raise PermissionError(errno.EACCES, "no")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse_new)
    with pytest.raises(CurationError, match="cannot write"), atomic(final) as partial:
        partial.mkdir()
    assert [f.name for f in tmp_path.rglob("*")] == ["folder", "old"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG, errno.EDQUOT])
def test_the_error_of_a_full_disk_is_the_operating_systems_message(tmp_path, number):
    message = f"cannot write .*a: {os.strerror(number)}; check"
    with pytest.raises(CurationError, match=message), atomic(tmp_path / "a") as partial:
        partial.write_text("half")
        raise OSError(number, "a library's words")
    assert list(tmp_path.iterdir()) == []


def test_a_path_below_a_file_is_named_and_nothing_is_written(tmp_path):
    (tmp_path / "file.txt").write_text("x")
    with (
        pytest.raises(CurationError, match=r"cannot write .*file\.txt/a\.csv"),
        atomic(tmp_path / "file.txt" / "a.csv") as partial,
    ):
        partial.write_text("x")
    assert [f.name for f in tmp_path.iterdir()] == ["file.txt"]


def test_a_file_does_not_replace_a_folder(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(CurationError, match="cannot write"), atomic(tmp_path / "a") as partial:
        partial.write_text("x")
    assert [f.name for f in tmp_path.iterdir()] == ["a"]


def test_a_name_that_is_too_long_is_named(tmp_path):
    with pytest.raises(CurationError, match="cannot write"), atomic(tmp_path / ("x" * 300)) as p:
        p.write_text("x")


def test_equal_values_have_one_fingerprint_and_others_another():
    assert fingerprint(1, "a", (2.0,)) == fingerprint(1, "a", (2.0,))
    different = {fingerprint(1, "a"), fingerprint("1", "a"), fingerprint(1, "b"), fingerprint(1)}
    assert len(different) == 4


def test_sha256_is_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of(tmp_path / "a").startswith("ba7816bf8f01cfea414140de5dae2223")


def test_missing_parent_folders_are_created(tmp_path):
    with atomic(tmp_path / "a" / "b" / "c.txt") as partial:
        partial.touch()
    assert (tmp_path / "a" / "b" / "c.txt").is_file()


def test_fingerprints_differ_where_values_are_split_differently():
    assert fingerprint(1, 23) != fingerprint(12, 3) != fingerprint(123)
