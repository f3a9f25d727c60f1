import numpy as np
import pytest

from curation.analysis import quadrants, sampling
from curation.analysis.quadrants import QUADRANTS, View
from tests import make


@pytest.fixture
def catalog(tmp_path):
    """Ten samples with x = 0 … 0.9 and y falling, one of them without y."""
    y = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, None]
    return make.catalog(tmp_path, {"x": [k / 10 for k in range(10)], "y": y})[1]


@pytest.mark.parametrize("quadrant", QUADRANTS)
def test_rows_of_a_quadrant_are_those_of_its_mask(catalog, quadrant):
    view = View(catalog, "x", "y", 0.3, 0.5)
    assert (
        sampling.quadrant_rows(view, quadrant).tolist()
        == np.flatnonzero(view.mask(quadrant)).tolist()
    )


@pytest.mark.parametrize("wanted", [0, 2, 99])
@pytest.mark.parametrize("quadrant", QUADRANTS)
@pytest.mark.parametrize("rows", [3, 1 << 17])
def test_random_rows_are_a_seeded_draw(catalog, monkeypatch, rows, quadrant, wanted):
    # For any number of rows per chunk.
    monkeypatch.setattr(quadrants, "_CHUNK_ROWS", rows)
    view = View(catalog, "x", "y", 0.3, 0.5)
    members = sampling.quadrant_rows(view, quadrant)
    drawn = np.random.default_rng(5).choice(members, min(wanted, len(members)), replace=False)
    assert sampling.random_rows(view, quadrant, wanted, 5).tolist() == drawn.tolist()


def test_rows_near_a_cutoff_are_nearest_first(catalog):
    everyone = np.ones(10, dtype=bool)
    inside = sampling.rows_near_cutoff(catalog, "x", 0.45, everyone, True, 3)
    outside = sampling.rows_near_cutoff(catalog, "x", 0.45, everyone, False, 3)
    assert inside.tolist() == [5, 6, 7]
    assert outside.tolist() == [4, 3, 2]


def test_the_best_are_best_by_both_scores_together(catalog):
    view = View(catalog, "x", "x", 0, 0)
    everyone = np.arange(10)
    assert sampling.best_rows(view, everyone, True, 3).tolist() == [9, 8, 7]
    assert sampling.best_rows(view, everyone, False, 3).tolist() == [0, 1, 2]
    assert sampling.best_rows(view, everyone[:0], True, 3).tolist() == []


def test_uncertain_rows_are_near_the_cutoff_in_standard_errors(tmp_path):
    scores = {"x": [0.1, 0.2, 0.3, 0.4], "x_se": [0.1, 0.001, 0.5, None], "y": [1, 1, 1, 1]}
    catalog = make.catalog(tmp_path, scores)[1]
    view = View(catalog, "x", "y", 0.25, 0.5)
    # An imported column is not the standard error of another.
    assert sampling.standard_errors(catalog, "x") is None
    assert len(sampling.uncertain_rows(view, "x", 5)[0]) == 0
