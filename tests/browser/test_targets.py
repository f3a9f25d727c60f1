"""A target added in the browser, looked at, and compared with another one."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from playwright.sync_api import expect

from curation import formatting
from curation.analysis import compare
from curation.catalog.catalog import Catalog
from curation.storage.workspace import Workspace
from tests import make
from tests.browser.conftest import Visit, serve, settled, shown_uids, tiles

FEW = 9


def test_a_target_is_added_looked_at_and_compared(
    visit: Visit, sample_workspace: Workspace, tmp_path: Path
) -> None:
    workspace = Workspace(Path(shutil.copytree(sample_workspace.path, tmp_path / "all" / "sample")))
    before = Catalog.of(workspace).array("neg_clip_loss")
    scored = workspace.scores("neg_clip_loss").file(0, "parquet").stat().st_mtime_ns
    fruits = tmp_path / "fruits"
    fruits.mkdir()
    for image in sorted((make.ROOT / "data/targets/food").glob("*.[jp]*g"))[:FEW]:
        shutil.copy(image, fruits)
    with serve(tmp_path / "all") as address:
        page = visit("/targets?show=add", at=address)
        page.get_by_label("Name", exact=True).fill("fruits")
        page.get_by_label("Name", exact=True).press("Enter")
        page.get_by_label("Source", exact=True).fill(str(fruits))
        page.get_by_label("Source", exact=True).press("Enter")
        expect(page.get_by_test_id("stCode").first).to_contain_text(f"fruits={fruits}")
        page.get_by_role("button", name="Add target").click()
        expect(page.get_by_text("Adding target fruits")).to_be_visible()
        expect(page.get_by_text("Added norm_sim_inf_fruits")).to_be_visible(timeout=120_000)
        assert "job=" in page.url
        page.get_by_role("button", name="View target").click()
        expect(page.get_by_text(f"{FEW} images")).to_be_visible()
        catalog = Catalog.of(workspace)
        best = np.argsort(-catalog.array("norm_sim_inf_fruits"), kind="stable")[:12]
        assert shown_uids(page) == [row["uid"] for row in catalog.rows(best)]
        expect(page.locator(".items img")).to_have_count(FEW)
        np.testing.assert_array_equal(catalog.array("neg_clip_loss"), before)
        assert workspace.scores("neg_clip_loss").file(0, "parquet").stat().st_mtime_ns == scored

        page.get_by_text("Compare targets", exact=True).click()
        settled(page)
        ranks = compare.compare_ranks(catalog, "norm_sim_inf_fruits", "norm_sim_inf_animals")
        assert tiles(page) == {
            "Spearman correlation": formatting.score(ranks.spearman),
            **{f"Overlap of top {n} %": formatting.share(s) for n, s in ranks.shared.items()},
        }
        promoted = [row["uid"] for row in catalog.rows(ranks.moved(True, 24))]
        assert shown_uids(page) == promoted
        assert "target_a=fruits" in page.url and "target_b=animals" in page.url

        again = visit(page.url.removeprefix(address), at=address)
        assert shown_uids(again) == promoted
        again.get_by_text("Browse", exact=True).click()
        again.get_by_role("button", name="Open in Quadrants").click()
        settled(again)
        assert "/quadrants?" in again.url and "y=norm_sim_inf_fruits" in again.url
