import numpy as np
import pytest

from curation.analysis import quadrants
from curation.analysis.quadrants import QUADRANTS, Cut, View
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
