"""What a person reads on the Compare page, against numbers worked out here."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import expect

from curation.catalog.catalog import Catalog
from curation.selection.decisions import Decisions
from curation.selection.recipe import Recipe
from tests.browser.conftest import Copy, shown_uids, tiles

QUALITY, CUT = "neg_clip_loss", -0.3


def test_a_deep_link_shows_the_counts_and_pictures_of_two_selections(
    copy: Copy,
) -> None:
    catalog = Catalog.of(copy.workspace)
    # The first by rowid, and everything above a line.
    in_a = np.arange(len(catalog)) < 400
    in_b = catalog.array(QUALITY) >= np.float32(CUT)
    decisions = Decisions.of(copy.workspace)
    decisions.save_uid_list("first", catalog.uids.words[in_a], "file.npy")
    decisions.save_recipe("good", Recipe.parse(f"steps: [{{score: {QUALITY}, at_least: {CUT}}}]"))
    page = copy.visit("compare", a="list:first", b="saved:good", part="only_b", sort="worst")
    both, either = int((in_a & in_b).sum()), int((in_a | in_b).sum())
    assert tiles(page) == {
        "Only A": f"{400 - both:,}",
        "Both": f"{both:,}",
        "Only B": f"{int(in_b.sum()) - both:,}",
        "Jaccard": f"{both / either:.3f}",
    }
    expect(
        page.get_by_text(f"first (uid list) · 400 samples, {40000 / len(catalog):.1f} %")
    ).to_be_visible()
    only_b = np.flatnonzero(in_b & ~in_a)
    worst = only_b[np.argsort(catalog.array(QUALITY)[only_b], kind="stable")][:24]
    assert shown_uids(page) == [row["uid"] for row in catalog.rows(worst)]
    expect(page.locator("figure[data-uid] img").first).to_be_visible()
    expect(page.locator(".js-plotly-plot .scatterlayer .trace")).to_have_count(3)

    page.get_by_text("Scores", exact=True).click()
    expect(page.get_by_test_id("stMetric").get_by_text("Spearman correlation")).to_be_visible()
    assert "compare=scores" in page.url
