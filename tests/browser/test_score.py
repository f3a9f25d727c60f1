"""Scoring from the browser: fill the form, watch, close the page, come back, open what it made."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from curation.jobs import jobs
from tests import make
from tests.browser.conftest import Visit, serve, settled, shown_uids, tiles

# Enough for a few looks at it, one a second.
PAIRS = 250
# A loaded machine embeds a few a second.
LONG = 240_000


def fill(page: Page, label: str, text: str) -> None:
    field = page.get_by_role("textbox", name=label, exact=True).first
    field.fill(text)
    field.press("Enter")
    settled(page)


def done(page: Page) -> int:
    """How many samples the stage in view has behind it."""
    progress = page.get_by_text(re.compile(rf"^\d+ of {PAIRS} samples"))
    # torch takes its time to be imported.
    expect(progress).to_be_visible(timeout=LONG)
    return int(progress.inner_text().partition(" ")[0])


def test_a_dataset_is_scored_from_the_browser(visit: Visit, tmp_path: Path) -> None:
    source, root = tmp_path / "photos", tmp_path / "all"
    make.pairs(source, [*({} for _ in range(PAIRS)), {"caption": ""}])
    root.mkdir()
    with serve(root) as address:
        page = visit("/", at=address)
        expect(page.get_by_text("No workspace yet")).to_be_visible()
        page.get_by_role("link", name="Score a dataset").click()
        expect(page.get_by_role("heading", name="Score a dataset")).to_be_visible()
        expect(page.get_by_role("button", name="Start scoring")).to_be_disabled()
        fill(page, "Source", str(source))
        expect(page.get_by_text("Read as table, 1 shard")).to_be_visible()
        fill(page, "Target source", str(make.ROOT / "data" / "targets" / "food"))
        page.get_by_text("Advanced").click()
        fill(page, "Shard size", "20")
        expect(page.get_by_text("Read as table, 13 shards")).to_be_visible()
        page.get_by_role("button", name="Start scoring").click()

        expect(page.get_by_role("heading", name="Scoring into photos")).to_be_visible()
        expect(page).to_have_url(re.compile(r"job=\d{8}T"))
        first = done(page)
        expect(page.get_by_role("progressbar")).to_be_visible()
        expect(page.get_by_text(re.compile("samples/s"))).to_be_visible()
        page.wait_for_function(
            "([total, first]) => [...document.querySelectorAll('p')].some(p => "
            "(p.innerText.match(`^(\\\\d+) of ${total} samples`) || [])[1] > first)",
            arg=[PAIRS, first],
            timeout=LONG,
        )
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name="Continue").click()
        page.close()

        (job,) = jobs.list_jobs(root / jobs.FOLDER)
        page = visit("/score", at=address)
        expect(page.get_by_role("heading", name="Scoring into photos")).to_be_visible()
        assert job.id in page.url
        # Nobody reloads: the page itself sees the end.
        opened = page.get_by_role("button", name="Open workspace")
        expect(opened).to_be_visible(timeout=LONG)
        assert tiles(page) == {"Samples": f"{PAIRS}", "Skipped": "1", "Scores": "4"}
        expect(page.get_by_text("Timing")).to_be_visible()
        expect(page.get_by_text("Language of the caption").last).to_be_visible()
        opened.click()
        expect(page).to_have_url(re.compile(r"/quadrants.*ws=photos"))
        settled(page)
        counts = tiles(page)
        assert "High quality · relevant to food" in counts
        assert sum(int(count) for count in counts.values()) == PAIRS
        assert set(shown_uids(page)) <= {make.uid(number) for number in range(PAIRS)}
        assert shown_uids(page)


def test_a_running_job_is_stopped_and_resumed(visit: Visit, tmp_path: Path) -> None:
    source, root = tmp_path / "photos", tmp_path / "all"
    make.pairs(source, [{} for _ in range(PAIRS)])
    arguments = ["score", str(source), "-w", str(root / "photos"), "--shard-size", "20"]
    job = jobs.start(root / jobs.FOLDER, arguments, root / "photos")
    with serve(root) as address:
        page = visit(f"/score?job={job.id}", at=address)
        done(page)
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name="Stop job").click()
        expect(page.get_by_text("Resume continues from there")).to_be_visible()
        assert jobs.read_state(job).status == "cancelled"
        page.get_by_role("button", name="Resume").click()
        expect(page.get_by_role("button", name="Open workspace")).to_be_visible(timeout=LONG)
        assert tiles(page)["Samples"] == f"{PAIRS}"
        line = page.get_by_test_id("stButton").filter(has_text=re.compile("photos · cancelled"))
        line.get_by_role("button").click()
        expect(page.get_by_text("Resume continues from there")).to_be_visible()
        expect(page).to_have_url(re.compile(f"job={job.id}"))
