import numpy as np
import pytest

from curation.analysis import quadrants
from curation.analysis.quadrants import QUADRANTS, Cut, View
from curation.errors import CurationError
from curation.selection.select import select
from tests import make


@pytest.fixture
def catalog(tmp_path):
    """Ten samples with x = 0 … 0.9 and y falling, one of them without y."""
    y = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, None]
    return make.catalog(tmp_path, {"x": [k / 10 for k in range(10)], "y": y})[1]


def test_a_sample_on_the_line_is_on_its_high_side(catalog):
    view = View(catalog, "x", "y", 0.3, 0.5)
    assert view.side("x", True).tolist() == [False] * 3 + [True] * 7
    assert view.side("x", False).tolist() == [True] * 3 + [False] * 7


def test_a_sample_without_a_score_is_in_no_quadrant(catalog):
    view = View(catalog, "x", "y", 0.3, 0.5)
    assert view.counts() == {"high_high": 2, "low_high": 3, "high_low": 4, "low_low": 0}
    assert not any(view.mask(q)[9] for q in QUADRANTS)


@pytest.mark.parametrize("quadrant", QUADRANTS)
@pytest.mark.parametrize("lines", [(0.3, 0.5), (0.35, 0.45), (-1.0, 2.0), (0.9, 0.1)])
def test_mask_count_and_recipe_of_a_quadrant_agree(catalog, quadrant, lines):
    view = View(catalog, "x", "y", *lines)
    mask = view.mask(quadrant)
    assert int(mask.sum()) == view.counts()[quadrant]
    assert (select(view.recipe(quadrant, "it"), catalog).mask == mask).all()


@pytest.mark.parametrize(
    ("cut", "kept"),
    [
        (Cut("top", 30), 3),
        (Cut("top", 0), 0),
        (Cut("top", 100), 10),
        (Cut("percentile", 70), 3),
        (Cut("percentile", 0), 10),
        (Cut("value", 0.75), 2),
    ],
)
def test_a_cut_keeps_what_it_says(catalog, cut, kept):
    line = quadrants.line(catalog, "x", cut)
    assert int((catalog.array("x") >= np.float32(line)).sum()) == kept


def test_a_cut_of_what_the_other_line_leaves_comes_after_it(catalog):
    # x ≥ 0.5 leaves y = 0.4, 0.3, 0.2, 0.1 and one without y.
    half, two = Cut("left", 50), Cut("count", 2)
    for cut in (half, two):
        x_line, y_line = quadrants.lines(catalog, "x", "y", Cut("value", 0.5), cut)
        assert (x_line, y_line) == (0.5, pytest.approx(0.3))
        y_line, x_line = quadrants.lines(catalog, "y", "x", cut, Cut("value", 0.5))
        assert View(catalog, "x", "y", x_line, y_line).counts()["high_high"] == 2


@pytest.mark.parametrize("wanted", [0, 1, 7, 10, 99])
def test_a_count_keeps_as_many_as_there_are(catalog, wanted):
    line = quadrants.line(catalog, "x", Cut("count", wanted), np.ones(10, dtype=bool))
    assert int((catalog.array("x") >= np.float32(line)).sum()) == min(wanted, 10)


def test_a_line_among_nothing_keeps_nothing(catalog):
    line = quadrants.line(catalog, "x", Cut("left", 50), np.zeros(10, dtype=bool))
    assert not (catalog.array("x") >= np.float32(line)).any()


@pytest.mark.parametrize("at", [0, 10, 30, 50, 100])
@pytest.mark.parametrize("by", ["top", "percentile"])
def test_a_cut_stated_by_value_is_stated_back(catalog, by, at):
    line = quadrants.line(catalog, "x", Cut(by, at))
    assert quadrants.restate(catalog, "x", line, "value") == line
    assert quadrants.restate(catalog, "x", line, by) == pytest.approx(at)


def test_a_box_has_its_edges(catalog):
    view = View(catalog, "x", "y", 0, 0)
    assert np.flatnonzero(view.box((0.2, 0.4), (0.6, 0.7))).tolist() == [2, 3]


def test_a_box_has_the_samples_on_each_of_its_bounds(catalog):
    view = View(catalog, "x", "y", 0, 0)
    assert np.flatnonzero(view.box((0.2, 0.4), (0, 1))).tolist() == [2, 3, 4]
    assert np.flatnonzero(view.box((0, 1), (0.2, 0.4))).tolist() == [5, 6, 7]


def test_the_recipe_of_a_low_side_leaves_out_a_sample_on_the_line(catalog):
    view = View(catalog, "x", "y", 0.3, 0.5)
    chosen = select(view.recipe("low_low", "it"), catalog).mask
    assert np.flatnonzero(chosen).tolist() == []
    chosen = select(view.recipe("low_high", "it"), catalog).mask
    assert np.flatnonzero(chosen).tolist() == [0, 1, 2]


def test_counts_are_added_up_over_chunks(catalog, monkeypatch):
    view = View(catalog, "x", "y", 0.3, 0.5)
    counts = view.counts()
    monkeypatch.setattr(quadrants, "_CHUNK_ROWS", 3)
    assert View(catalog, "x", "y", 0.3, 0.5).counts() == counts


@pytest.mark.parametrize(
    ("samples", "top", "kept"), [(150, 33.3, 50), (7, 40, 3), (1000, 0.06, 1), (1000, 0.04, 0)]
)
def test_a_share_keeps_the_nearest_number_of_samples(tmp_path, samples, top, kept):
    catalog = make.catalog(tmp_path, {"x": list(range(samples))})[1]
    line = quadrants.line(catalog, "x", Cut("top", top))
    assert int((catalog.array("x") >= np.float32(line)).sum()) == kept


def test_a_share_and_the_percentile_that_it_leaves_are_one_line(tmp_path):
    catalog = make.catalog(tmp_path, {"x": list(range(3000))})[1]
    # 0.05 % is one and a half samples, and 100 − 99.95 a hair less than 0.05.
    for top in (99.95, 99.9, 70.0, 0.1):
        percentile = Cut("percentile", round(100 - top, 2))
        assert quadrants.line(catalog, "x", Cut("top", top)) == quadrants.line(
            catalog, "x", percentile
        )


@pytest.mark.parametrize(("by", "at"), [("top", 40), ("percentile", 60), ("count", 4)])
def test_of_tied_samples_a_line_keeps_all_or_none(tmp_path, by, at):
    catalog = make.catalog(tmp_path, {"x": [0, 0, 0, 0, 1, 1, 1, 1, 2, 2], "y": [0] * 10})[1]
    line = quadrants.line(catalog, "x", Cut(by, at), np.ones(10, dtype=bool))
    assert line == 1
    assert (
        quadrants.restate(catalog, "x", line, by) == {"top": 60, "percentile": 40, "count": 6}[by]
    )


def test_restating_among_the_remaining_counts_only_those(catalog):
    among = catalog.array("x") >= np.float32(0.5)
    # Remaining: y = 0.4, 0.3, 0.2, 0.1 and one without y.
    assert quadrants.restate(catalog, "y", 0.3, "count", among) == 2
    assert quadrants.restate(catalog, "y", 0.3, "left", among) == 50


def test_without_a_line_nothing_is_kept_and_nothing_can_be_selected(catalog):
    assert quadrants.restate(catalog, "x", float("nan"), "top") == 0
    with pytest.raises(CurationError, match="no sample has the score x"):
        View(catalog, "x", "y", float("nan"), 1).recipe("high_high", "it")
