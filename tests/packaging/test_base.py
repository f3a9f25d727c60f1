"""The base installation: the app without torch."""

import json

import pytest

from curation.storage.workspace import Workspace
from tests.packaging.test_wheel import PAGES

SEARCH = """
import json, sys
from pathlib import Path
from curation.analysis import search
from curation.catalog.catalog import Catalog
from curation.storage.workspace import Workspace

workspace = Workspace.open(Path(sys.argv[1]))
catalog = Catalog.of(workspace)
query = search.sample_embedding(workspace, catalog, 3, "image")
found = search.nearest(workspace, catalog, query, 20)
print(json.dumps([found.rowids.tolist(), found.cosines.tolist()]))
"""


@pytest.fixture
def workspace(scored_copy):
    return str(scored_copy.path)


def test_torch_is_not_installed(base, tmp_path):
    result = base.run("python", "-c", "import torch", cwd=tmp_path)
    assert "No module named 'torch'" in result.stderr


def test_every_page_opens_on_a_scored_workspace(base, workspace, tmp_path):
    pages = base.run("python", "-c", PAGES, workspace, cwd=tmp_path)
    assert pages.returncode == 0, pages.stderr


def test_search_by_sample_finds_what_it_finds_with_torch(base, everything, workspace, tmp_path):
    with_torch = everything.run("python", "-c", SEARCH, workspace, cwd=tmp_path)
    without = base.run("python", "-c", SEARCH, workspace, cwd=tmp_path)
    assert without.returncode == 0, without.stderr
    assert json.loads(without.stdout) == json.loads(with_torch.stdout)


def test_selecting_and_exporting_work(base, workspace, tmp_path):
    (tmp_path / "r.yaml").write_text("name: r\nsteps: [{score: neg_clip_loss, top: 0.5, of: pool}]")
    for command in (
        ("info", workspace),
        ("select", workspace, "r.yaml", "--save", "r"),
        ("export", workspace, "r.yaml", "--format", "datacomp", "--to", "r.npy"),
    ):
        result = base.run("clip-curation", *command, cwd=tmp_path)
        assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("command", ["score", "add-target"])
def test_what_needs_torch_names_the_extra_that_installs_it(base, command, tmp_path, scored_copy):
    source = Workspace(scored_copy.path).info().source
    words = {
        "score": ("score", source, "--workspace", "new"),
        "add-target": ("add-target", str(scored_copy.path), f"more={source}"),
    }[command]
    result = base.run("clip-curation", *words, cwd=tmp_path)
    assert result.returncode == 2
    assert 'pip install "clip-curation[score]"' in result.stderr
    assert "Traceback" not in result.stderr


def test_search_by_text_names_the_extra_that_installs_it(base, workspace, tmp_path):
    code = SEARCH.split("query =")[0] + "search.query_model(workspace, catalog)"
    result = base.run("python", "-c", code, workspace, cwd=tmp_path)
    assert 'pip install "clip-curation[score]"' in result.stderr
