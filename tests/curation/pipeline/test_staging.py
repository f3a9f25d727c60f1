"""Changes that take effect together, whatever moment the process is killed at."""

import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from curation.errors import CurationError
from curation.pipeline import staging
from curation.storage.workspace import Workspace

PLAN = ".staging/plan.json"
OLD = {"targets/a": "old", "scores/norm_sim.a": "old", "scores/vas.a": "old"}
NEW = {"targets/a": "new", "scores/norm_sim.a": "new", "scores/norm_sim.b": "new"}


def write(folder, contents):
    for name, text in contents.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "file").write_text(text)


def contents(folder):
    return {
        str(file.parent.relative_to(folder)): file.read_text()
        for file in folder.rglob("file")
        if ".staging" not in file.parts
    }


@pytest.fixture
def workspace(tmp_path):
    write(tmp_path, OLD)
    return Workspace(tmp_path)


def change(workspace):
    with staging.staged(workspace, "a") as folder:
        if not folder.path.exists():
            write(folder.path, NEW)
        staging.commit(workspace, sorted(NEW), ["scores/vas.a"])


def test_folders_are_moved_and_deleted_together(workspace):
    change(workspace)
    assert contents(workspace.path) == NEW
    assert not (workspace.path / ".staging").exists()


@pytest.mark.parametrize("step", range(15))
def test_a_change_that_is_killed_at_any_step_is_finished_later(workspace, monkeypatch, step):
    count = 0

    def counted(call):
        def wrapper(*args, **settings):
            nonlocal count
            count += 1
            if count > step:
                raise KeyboardInterrupt
            return call(*args, **settings)

        return wrapper

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", counted(Path.rename))
        patch.setattr(Path, "replace", counted(Path.replace))
        patch.setattr(Path, "unlink", counted(Path.unlink))
        patch.setattr(shutil, "rmtree", counted(shutil.rmtree))
        with suppress(KeyboardInterrupt):
            change(workspace)
    before, is_decided = contents(workspace.path), (workspace.path / PLAN).is_file()
    staging.finish(workspace)
    assert contents(workspace.path) == (NEW if is_decided else before)
    assert before in (OLD, NEW) or is_decided
    change(workspace)
    assert contents(workspace.path) == NEW


def test_a_change_that_fails_leaves_no_trace(workspace):
    with pytest.raises(CurationError), staging.staged(workspace, "a") as folder:
        write(folder.path, NEW)
        raise CurationError("the target cannot be used")
    assert contents(workspace.path) == OLD
    assert not (workspace.path / ".staging").exists()


def test_a_stopped_change_is_continued_for_the_same_target_only(workspace):
    def stopped():
        with staging.staged(workspace, "a") as folder:
            write(folder.path, NEW)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    with staging.staged(workspace, "a") as folder:
        assert (folder.path / "targets/a/file").is_file()
    with pytest.raises(KeyboardInterrupt):
        stopped()
    with staging.staged(workspace, "b") as folder:
        assert not folder.path.exists()
