"""The Overview page."""

from __future__ import annotations

from curation.catalog.catalog import Catalog
from curation.storage.workspace import Workspace
from tests.pages.conftest import Open, html, metrics


def test_the_tiles_describe_the_dataset(open_page: Open, sample_workspace: Workspace) -> None:
    catalog = Catalog.of(sample_workspace)
    tiles = metrics(open_page("overview"))
    assert tiles["Samples"] == f"{len(catalog):,}"
    assert tiles["Scores"] == "8"
    assert tiles["Targets"] == "animals, food"


def test_every_score_and_numeric_measure_has_a_histogram(
    open_page: Open, sample_workspace: Workspace
) -> None:
    catalog = Catalog.of(sample_workspace)
    numbers = [c for c in catalog.measures if c.is_number]
    charts = open_page("overview").get("plotly_chart")
    assert len(charts) == len(catalog.scores) + len(numbers)


def test_a_text_measure_shows_its_most_common_values(open_page: Open) -> None:
    captions = [c.value for c in open_page("overview").caption]
    assert any(c.startswith("en 86.9 %, it 5.2 %") and c.endswith("others") for c in captions)
    assert "false 100.0 %" in captions


def test_measures_are_not_used_as_labels(open_page: Open) -> None:
    titles = [s.value for s in open_page("overview").subheader]
    assert [t for t in titles if t.startswith("How well")] == [
        "How well each score finds “swapped”"
    ]


def test_the_table_shows_how_well_scores_find_swapped_captions(open_page: Open) -> None:
    app = open_page("overview")
    table = next(d.value for d in app.dataframe if "AUC" in d.value.columns)
    auc = dict(zip(table["Score"], table["AUC"], strict=True))
    assert auc["negCLIPLoss"] > 0.75
    assert auc["CLIPScore"] > 0.75
    # Where an image lies near the target says nothing of its caption.
    assert 0.4 < auc["NormSim∞ (animals)"] < 0.6


def test_shuffle_shows_other_samples(open_page: Open) -> None:
    app = open_page("overview")
    before = html(app)
    app.button[0].click().run()
    assert html(app) != before


def test_the_page_says_that_nothing_was_skipped(open_page: Open) -> None:
    assert any("Nothing was skipped" in s.value for s in open_page("overview").success)


def test_skipped_samples_are_listed_with_their_reason(open_page: Open, scored: Workspace) -> None:
    app = open_page("overview", root=scored.path)
    assert metrics(app)["Skipped"].startswith("1 ")
    by_reason = app.dataframe[-2].value
    assert by_reason["Stage"].tolist() == ["embed"]
    assert by_reason["Example"].tolist() == ["broken.jpg"]
    app.segmented_control(key="skipped").set_value("each").run()
    assert app.dataframe[-2].value["Where"].tolist() == ["broken.jpg"]
