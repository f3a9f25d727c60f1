"""The frame around the pages: workspaces, empty states, imports."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from app import PAGES
from curation.catalog.catalog import Catalog
from curation.models.encoder import ModelSpec
from curation.pipeline.run import Job, score_dataset
from curation.storage.workspace import Workspace
from tests import make
from tests.pages.conftest import Open


def test_no_workspace_says_how_to_make_one(open_page: Open, tmp_path: Path) -> None:
    app = open_page("quadrants", root=tmp_path)
    assert app.title[0].value == "No workspace yet"
    assert app.code[0].value == "clip-curation demo"


def test_unfinished_workspace_says_how_to_continue(
    open_page: Open, tmp_path: Path, sample_workspace: Workspace
) -> None:
    Workspace(tmp_path / "half").write_info(sample_workspace.info())
    app = open_page("quadrants", root=tmp_path)
    assert app.title[0].value == "Not scored yet"


def test_damaged_catalog_is_one_clear_error(
    open_page: Open, tmp_path: Path, sample_workspace: Workspace
) -> None:
    broken = Workspace(tmp_path / "broken")
    broken.write_info(sample_workspace.info())
    broken.catalog.write_bytes(b"this is not a database")
    app = open_page("quadrants", root=tmp_path)
    assert "is not a catalog" in app.error[0].value


# Opens pages in one process: addresses as arguments, the first of them the folder of workspaces.
OPEN_PAGES = """
import sys
from urllib.parse import parse_qs, urlsplit
from streamlit.testing.v1 import AppTest

_, root, *addresses = sys.argv
sys.argv = ["app.py", root]
for address in addresses:
    parts = urlsplit(address)
    app = AppTest.from_file("app.py", default_timeout=60)
    app.query_params.update(parse_qs(parts.query))
    app.switch_page(f"pages/{parts.path}.py").run()
    assert app.main.children and not app.exception, address
    assert app.metric or "uid=" not in address, address
    assert not {"torch", "open_clip"} & sys.modules.keys(), address
"""


def test_pages_that_show_scores_do_not_import_torch(
    sample_workspaces: Path, sample_workspace: Workspace
) -> None:
    (row,) = Catalog.of(sample_workspace).rows([0])
    command = [sys.executable, "-c", OPEN_PAGES, str(sample_workspaces)]
    opened = subprocess.run(
        [*command, *make.PAGES, f"sample?uid={row['uid']}"],
        cwd=make.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert opened.returncode == 0, opened.stderr


@pytest.mark.parametrize("page", make.PAGES)
def test_every_page_first_goes_through_app_py(page: str) -> None:
    tree = ast.parse((make.ROOT / "pages" / f"{page}.py").read_text(encoding="utf-8"))
    docstring, *statements = tree.body
    assert isinstance(docstring, ast.Expr)
    first = next(s for s in statements if not isinstance(s, ast.Import | ast.ImportFrom))
    assert ast.unparse(first) == f"shell.enter({page!r})"
    assert page in PAGES


def test_a_change_of_workspace_keeps_shared_settings(
    open_page: Open, tmp_path: Path, sample_workspace: Workspace, scored: Workspace
) -> None:
    for name, workspace in (("a", sample_workspace), ("b", scored)):
        (tmp_path / name).symlink_to(workspace.path)
    app = open_page("quadrants", root=tmp_path, y="norm_sim_inf_food", x_by="value", x_value="-0.3")
    other = next(n for n in app.selectbox(key="ws").options if n != app.selectbox(key="ws").value)
    app.selectbox(key="ws").set_value(other).run()
    assert not app.exception
    assert app.selectbox(key="y").value.startswith("norm_sim")
    assert app.selectbox(key="x_by").value == "top"
    assert len(app.metric) == 4


def test_column_names_from_strangers_are_escaped(
    open_page: Open, tmp_path: Path, model_folder: Path
) -> None:
    evil = "a` ![x](http://example.invalid/a.png) `"
    folder = tmp_path / "source"
    rows = [{"file_name": f"{n}.jpg", "caption": f"pair {n}", evil: n % 2 == 0} for n in range(6)]
    for n in range(6):
        make.jpeg(folder / f"{n}.jpg", n)
    (folder / "metadata.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    job = Job(folder, tmp_path / "w" / "evil", model=ModelSpec(str(model_folder)))
    score_dataset(job, make.QUIET)
    app = open_page("overview", root=tmp_path / "w")
    texts = [e.value for e in (*app.subheader, *app.caption, *app.markdown)]
    assert any("example" in text for text in texts)
    assert not any("![x](" in text for text in texts)


def test_without_a_target_the_page_says_how_to_get_norm_sim(
    open_page: Open, tmp_path: Path, source: Path, model_folder: Path
) -> None:
    job = Job(source, tmp_path / "w" / "plain", model=ModelSpec(str(model_folder)))
    score_dataset(job, make.QUIET)
    app = open_page("quadrants", root=tmp_path / "w")
    assert any("--target" in caption.value for caption in app.caption)
    assert app.metric[0].label == "high negCLIPLoss · high CLIPScore"
