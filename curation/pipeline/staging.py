"""Changes to several folders of a workspace that take effect together, or not at all.

New folders are made in ``.staging``, laid out as in the workspace. Once all of them are whole,
``plan.json`` there lists the folders to move into the workspace and those to delete from it. The
change is then decided: if the process is killed before it is carried out, ``finish`` does the rest
when the next command starts.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from curation.errors import CurationError
from curation.storage.atomic import atomic
from curation.storage.workspace import Workspace

_FOLDER = ".staging"
_PLAN = "plan.json"
# Where an earlier version made such changes.
_FORMER = ".retarget"


@contextmanager
def staged(workspace: Workspace, target: str) -> Iterator[Workspace]:
    """Yield the staging folder of a change to one target, and delete it afterwards.

    It is kept if the process is stopped: the next call for the same target continues with it.
    """
    finish(workspace)
    shutil.rmtree(workspace.path / _FORMER, ignore_errors=True)
    folder = Workspace(workspace.path / _FOLDER)
    if any(other.name != target for other in folder.path.glob("targets/*")):
        shutil.rmtree(folder.path)
    try:
        yield folder
    except CurationError:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise
    shutil.rmtree(folder.path, ignore_errors=True)


def commit(workspace: Workspace, moved: Sequence[str], deleted: Sequence[str]) -> None:
    """Move folders from the staging folder into the workspace, and delete others.

    Args:
        moved, deleted: paths relative to the workspace; a moved folder replaces one of its name.
    """
    with atomic(workspace.path / _FOLDER / _PLAN) as partial:
        partial.write_text(json.dumps({"moved": list(moved), "deleted": list(deleted)}))
    finish(workspace)


def finish(workspace: Workspace) -> None:
    """Carry out a committed change, or the rest of it; does nothing where there is none."""
    folder = workspace.path / _FOLDER
    if not (folder / _PLAN).is_file():
        return
    plan = json.loads((folder / _PLAN).read_text())
    for name in plan["moved"]:
        if (folder / name).is_dir():  # else it was moved before the process was killed
            _replace(folder / name, workspace.path / name, folder / "replaced" / name)
    for name in plan["deleted"]:
        shutil.rmtree(workspace.path / name, ignore_errors=True)
    # The plan first: what is left of a half-deleted folder must not be carried out again.
    (folder / _PLAN).unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _replace(new: Path, final: Path, old: Path) -> None:
    final.parent.mkdir(parents=True, exist_ok=True)
    if final.is_dir():
        shutil.rmtree(old, ignore_errors=True)
        old.parent.mkdir(parents=True, exist_ok=True)
        final.rename(old)
    new.rename(final)
