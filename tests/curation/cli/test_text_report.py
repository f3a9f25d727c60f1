from curation.catalog.catalog import Catalog
from curation.cli import text_report
from curation.selection.recipe import Recipe
from curation.selection.select import select
from tests import make


def test_the_overview_lists_scores_and_skipped_samples(tmp_path):
    _, catalog = make.catalog(tmp_path, {"q": [0.5, None, -0.25]}, [{}, {}, {}])
    lines = text_report.overview(catalog).splitlines()
    assert lines[0].startswith("3 samples of ")
    (row,) = (line.split() for line in lines if line.split()[:1] == ["q"])
    assert row == ["q", "1", "−0.250", "0.125", "0.500"]
    assert lines[-1] == "nothing skipped"


def test_samples_skipped_for_one_reason_are_counted_together(tmp_path):
    rows = [{}] + [{"file_name": f"gone{n}.jpg"} for n in range(30)]
    text = text_report.overview(Catalog.of(make.workspace(tmp_path, rows)))
    assert "30 samples skipped:" in text
    last = text.splitlines()[-1].split()
    assert last[0] == "30"
    assert "does not exist" in " ".join(last)


def test_a_selection_is_listed_step_by_step(tmp_path):
    _, catalog = make.catalog(tmp_path, {"q": [3, 2, 1, None]})
    recipe = Recipe("r", Recipe.parse("steps: [{score: q, top: 0.5}]").steps, keep=(make.uid(9),))
    chosen = select(recipe, catalog)
    assert text_report.selection(chosen).splitlines() == [
        "           4  in the pool",
        "           2    50.0 %  after q: top 50 % of the pool",
        "           2    50.0 %  selected by r",
        f"1 uid in keep and drop not in this dataset, the first {make.uid(9)}",
        f"sha256 of the sorted uids: {chosen.digest}",
    ]
