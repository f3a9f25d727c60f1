"""The frame around the pages: workspaces, empty states, imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from curation.workspace import Workspace
from tests.pages.conftest import Open


def test_no_workspace_says_how_to_make_one(open_page: Open, tmp_path: Path) -> None:
    app = open_page("quadrants", root=tmp_path)
    assert app.title[0].value == "No workspace yet"
    assert "python -m curation score" in app.code[0].value


def test_unfinished_workspace_says_how_to_go_on(
    open_page: Open, tmp_path: Path, sample_workspace: Workspace
) -> None:
    Workspace(tmp_path / "half").write_info(sample_workspace.info())
    app = open_page("quadrants", root=tmp_path)
    assert app.title[0].value == "Not scored yet"


def test_damaged_catalog_is_one_clear_message(
    open_page: Open, tmp_path: Path, sample_workspace: Workspace
) -> None:
    broken = Workspace(tmp_path / "broken")
    broken.write_info(sample_workspace.info())
    broken.catalog.write_bytes(b"this is not a database")
    app = open_page("quadrants", root=tmp_path)
    assert "is not a catalog" in app.error[0].value


@pytest.mark.parametrize("page", ["quadrants", "overview", "export"])
def test_pages_that_show_scores_do_not_import_torch(page: str, sample_workspaces: Path) -> None:
    root = Path(__file__).resolve().parent.parent.parent
    code = (
        "import sys; from streamlit.testing.v1 import AppTest\n"
        f"sys.argv = ['app.py', {str(sample_workspaces)!r}]\n"
        f"app = AppTest.from_file({str(root / 'app.py')!r}, default_timeout=60).run()\n"
        f"app.switch_page('pages/{page}.py').run()\n"
        "assert app.metric and not app.exception\n"
        "assert 'torch' not in sys.modules and 'open_clip' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True, capture_output=True)
