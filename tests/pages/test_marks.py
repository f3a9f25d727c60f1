"""The Marks page, and marks in what is exported."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from curation import uids
from curation.catalog.catalog import Catalog
from curation.exporters import datacomp
from curation.selection import decisions
from curation.selection.marks import Marks
from curation.storage.workspace import Workspace
from tests import make
from tests.pages.conftest import Open, html, metrics
from tests.pages.test_export import file_name


@pytest.fixture
def root(tmp_path: Path, sample_workspace: Workspace) -> Path:
    """A folder with a copy of the sample workspace."""
    shutil.copytree(sample_workspace.path, tmp_path / "own" / "sample")
    return tmp_path / "own"


@pytest.fixture
def workspace(root: Path) -> Workspace:
    return Workspace.open(root / "sample")


@pytest.fixture
def marks(workspace: Workspace) -> Marks:
    return Marks.of(workspace)


@pytest.fixture
def some(workspace: Workspace) -> list[str]:
    catalog = Catalog.of(workspace)
    return [row["uid"] for row in catalog.rows(range(30))]


def listed(page: str) -> list[str]:
    return re.findall(r"class='marked-row' data-uid='([0-9a-f]{32})'", page)


def test_without_marks_the_page_says_how_to_mark(open_page: Open, root: Path) -> None:
    app = open_page("marks", root=root)
    assert metrics(app) == {"Manually kept": "0", "Manually dropped": "0"}
    assert "press K to keep or D to drop" in app.info[0].value
    assert not any(button.label == "Log" for button in app.button)
    assert app.button(key="undo_mark").disabled
    assert not any(button.key == "clear_marks" for button in app.button)
    assert not (root / "sample" / "curation.duckdb").exists()


def test_marks_are_listed_with_their_samples_newest_first(
    open_page: Open, root: Path, marks: Marks, some: list[str]
) -> None:
    marks.mark(some[:1], "keep")
    marks.mark([some[1], make.uid(7)], "drop")
    app = open_page("marks", root=root)
    assert metrics(app) == {
        "Manually kept": "1",
        "Manually dropped": "2",
        "Not in this dataset": "1",
    }
    page = html(app)
    assert listed(page) == [make.uid(7), some[1], some[0]]
    assert page.count("data:image/jpeg") == 2
    assert "not in this dataset" in page
    assert re.findall(r"class='sign \w+'>(. \w+)", page) == ["✕ Drop", "✕ Drop", "✓ Keep"]
    assert f"href='sample?ws=sample&amp;uid={some[0]}'" in page


def test_a_log_entry_can_be_reverted_while_it_is_current(
    open_page: Open, root: Path, marks: Marks, some: list[str]
) -> None:
    marks.mark([some[0], make.uid(7)], "keep")
    marks.mark(some[:1], "drop")
    app = open_page("marks", root=root, view="log")
    page = html(app)
    assert re.findall(r"class='marked-row line' data-uid='(\w+)'", page) == [
        some[0],
        make.uid(7),
        some[0],
    ]
    newest, other, oldest = (button for button in app.button if button.label == "Revert")
    assert (newest.disabled, other.disabled, oldest.disabled) == (False, False, True)
    newest.click().run()
    assert app.toast[0].value == "Reverted 1"
    assert marks.among(some) == {some[0]: "keep"}
    app.button(key="undo_mark").click().run()
    assert marks.among(some) == {some[0]: "drop"}
    assert not app.exception


def test_the_view_and_its_page_are_in_the_url(
    open_page: Open, root: Path, marks: Marks, some: list[str]
) -> None:
    marks.mark(some, "keep")
    app = open_page("marks", root=root, view="log", log_page="2")
    assert app.number_input(key="log_page").value == 2
    assert html(app).count("class='marked-row line'") == len(some) - 24
    app.number_input(key="log_page").set_value(1).run()
    assert "log_page" not in app.query_params


def test_a_failed_change_shows_its_error_and_the_page_still_works(
    open_page: Open, root: Path, marks: Marks, some: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    marks.mark(some[:2], "keep")
    # Root ignores file modes, so DuckDB opens the file read-only instead.
    connect = duckdb.connect

    def for_reading(path: str, **settings: Any) -> duckdb.DuckDBPyConnection:
        is_marks = path == str(marks.path)
        return connect(path, **({"read_only": True} if is_marks else settings))

    monkeypatch.setattr(decisions.duckdb, "connect", for_reading)
    app = open_page("marks", root=root)
    app.button(key=f"revert_{some[0]}").click().run()
    assert "curation.duckdb cannot be written: it is read-only" in app.error[0].value.replace(
        "\\", ""
    )
    assert len(listed(html(app))) == 2
    assert not app.exception
    app.run()
    assert not app.error


def test_reverting_one_mark_can_be_undone(
    open_page: Open, root: Path, marks: Marks, some: list[str]
) -> None:
    marks.mark(some[:2], "keep")
    app = open_page("marks", root=root)
    app.button(key=f"revert_{some[0]}").click().run()
    assert listed(html(app)) == [some[1]]
    assert app.toast[0].value == "Unmarked 1"
    app.button(key="undo_mark").click().run()
    assert app.toast[0].value == "Undone: unmarked 1"
    assert marks.counts()["keep"] == 2
    app.button(key="redo_mark").click().run()
    assert marks.counts()["keep"] == 1
    assert not app.exception


def test_clearing_all_marks_can_be_undone(
    open_page: Open, root: Path, marks: Marks, some: list[str]
) -> None:
    marks.mark(some[:3], "drop")
    app = open_page("marks", root=root)
    app.button(key="clear_marks").click().run()
    assert app.toast[0].value == "Cleared 3"
    assert app.info
    app.button(key="undo_mark").click().run()
    assert sorted(listed(html(app))) == sorted(some[:3])


def test_many_marks_are_shown_one_page_at_a_time(
    open_page: Open, root: Path, marks: Marks, some: list[str]
) -> None:
    marks.mark(some, "keep")
    app = open_page("marks", root=root)
    first = listed(html(app))
    app.number_input(key="marks_page").set_value(2).run()
    assert sorted(first + listed(html(app))) == sorted(some)
    app.button(key="clear_marks").click().run()
    assert not app.exception


def test_an_exported_quadrant_has_kept_samples_and_lacks_dropped_ones(
    open_page: Open, root: Path, workspace: Workspace, marks: Marks
) -> None:
    catalog = Catalog.of(workspace)
    rows = catalog.rows(range(len(catalog)))
    ranked = [row["uid"] for row in sorted(rows, key=lambda row: row["neg_clip_loss"])]
    kept, dropped = ranked[:3], ranked[-5:]
    before = open_page("export", root=root, y_top="100")
    assert "by hand" not in before.dataframe[0].value["Step"].tolist()[-1]
    marks.mark(kept, "keep")
    marks.mark(dropped, "drop")
    for share in ("30", "10"):
        app = open_page("export", root=root, x_top=share, y_top="100")
        assert app.dataframe[0].value["Step"].tolist()[-1] == "3 kept and 5 dropped by hand"
        wanted = round(int(share) / 100 * len(catalog)) + 3 - 5
        assert metrics(app)["Selected"] == f"{wanted:,}"
        file_name(app).set_value(f"marked-{share}").run()
        app.button[-1].click().run()
        exported = uids.to_hex(datacomp.load(workspace.exports / f"marked-{share}.npy"))
        assert set(kept) <= set(exported.to_pylist())
        assert set(dropped).isdisjoint(exported.to_pylist())
        manifest = json.loads((workspace.exports / f"marked-{share}.manifest.json").read_text())
        assert manifest["selected"] == wanted


def test_an_export_can_ignore_marks(
    open_page: Open, root: Path, marks: Marks, some: list[str]
) -> None:
    before = metrics(open_page("export", root=root))
    marks.mark(some, "drop")
    assert metrics(open_page("export", root=root)) != before
    assert metrics(open_page("export", root=root, marks="without")) == before


def test_the_page_shows_only_some_of_very_many_marks(
    open_page: Open, root: Path, marks: Marks
) -> None:
    many = [make.uid(n) for n in range(5000)]
    marks.mark(many, "drop")
    app = open_page("export", root=root)
    recipe = next(code.value for code in app.code if "steps:" in code.value)
    assert len(recipe) < 2000
    assert recipe.endswith("# … and 4,980 uids more")
    assert metrics(open_page("marks", root=root))["Not in this dataset"] == "5,000"


def test_a_typed_recipe_ignores_marks(
    open_page: Open, root: Path, marks: Marks, some: list[str]
) -> None:
    parameters = {"from": "recipe"}
    before = metrics(open_page("export", root=root, **parameters))
    marks.mark(some, "drop")
    assert metrics(open_page("export", root=root, **parameters)) == before


def test_a_damaged_marks_file_is_one_error_and_the_cards_still_show(
    open_page: Open, root: Path, workspace: Workspace
) -> None:
    workspace.curation.write_bytes(b"this is not a database")
    app = open_page("overview", root=root)
    assert "cannot be opened" in app.error[0].value
    assert html(app).count("<figure") == 12
    assert "cannot be opened" in open_page("marks", root=root).error[0].value


def test_captions_of_marked_samples_are_shown_as_text(open_page: Open, tmp_path: Path) -> None:
    evil = "<img src=http://example.invalid/a.png> ![x](http://example.invalid/b.png)"
    workspace, _ = make.catalog(
        tmp_path / "w", {"x": [0.1, 0.2], "y": [1.0, 2.0]}, [{"caption": evil}, {}]
    )
    Marks.of(workspace).mark([make.uid(0)], "keep")
    page = html(open_page("marks", root=tmp_path / "w"))
    assert "&lt;img src=http://example.invalid" in page
    assert "<img src" not in page
