"""A quadrant taken away through the browser: the very samples that its pictures show."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from playwright.sync_api import Page, expect

from curation import uids
from curation.exporters import datacomp
from curation.storage.workspace import Workspace
from tests.browser.conftest import Visit, settled, shown_uids, tiles
from tests.browser.test_first_visit import sql_uids

LINES = "x_by=value&x_value=-0.2&y_by=value&y_value=0.5"
SQL = "neg_clip_loss >= -0.2::FLOAT AND norm_sim_inf_animals >= 0.5::FLOAT"


def download(page: Page, format_: str, folder: Path) -> Path:
    """Choose a format, export, and download what was written."""
    page.get_by_role("combobox", name="Format").click()
    page.get_by_role("option", name=re.compile(format_)).click()
    settled(page)
    page.get_by_role("button", name="Export", exact=True).click()
    expect(page.get_by_text(re.compile("^Wrote "))).to_be_visible()
    settled(page)
    with page.expect_download() as started:
        page.get_by_role("button", name=re.compile(r"\.(npy|txt|csv)$")).click()
    file = folder / started.value.suggested_filename
    started.value.save_as(file)
    return file


def test_what_is_downloaded_is_what_is_shown_and_what_sql_says(
    visit: Visit, sample_workspace: Workspace, tmp_path: Path
) -> None:
    page = visit(f"/quadrants?{LINES}", viewport={"width": 1920, "height": 1080})
    wanted = sql_uids(sample_workspace, SQL)
    assert 0 < len(wanted) <= 24
    assert sorted(shown_uids(page)) == sorted(wanted)

    page.get_by_role("link", name="Export").click()
    expect(page.get_by_text("Selected", exact=True)).to_be_visible()
    assert tiles(page) == {"Selected": str(len(wanted))}
    expect(page.get_by_text("resharder.py").first).to_be_visible()

    file = download(page, "DataComp", tmp_path)
    assert uids.to_hex(datacomp.load(file)).to_pylist() == sorted(wanted)
    text = download(page, "^Text", tmp_path).read_text()
    assert sorted(text.splitlines()) == sorted(wanted)
    with download(page, "^CSV", tmp_path).open(newline="") as table:
        assert sorted(row["uid"] for row in csv.DictReader(table)) == sorted(wanted)

    page.reload()
    expect(page.get_by_role("combobox", name="Format")).to_have_value("CSV")
    assert tiles(page) == {"Selected": str(len(wanted))}
