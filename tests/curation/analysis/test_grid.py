import numpy as np
import pytest

from curation.analysis import grid
from curation.analysis.quadrants import Cut, View, line
from tests import make


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    """Two scores with ties, one far away, some missing."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=800).round(2).tolist(), (rng.random(800) ** 3).tolist()
    x[7], x[8], y[9] = 1e6, None, None
    return make.catalog(tmp_path_factory.mktemp("grid"), {"x": x, "y": y})[1]


ZOOMS = [None, (-0.5, 0.7, 0.1, 0.6), (0.3, -0.2, 0.9, 0.2), (2, 2, 0, 0)]


def grids(catalog):
    for zoom in ZOOMS:
        yield grid.grid(catalog, "x", "y", "value", zoom)
        percents = zoom and tuple(50 + 20 * v for v in zoom)
        yield grid.grid(catalog, "x", "y", "percentile", percents)


def test_a_count_at_any_two_edges_is_that_of_the_samples(catalog):
    rng = np.random.default_rng(1)
    for over in grids(catalog):
        assert over.total == 798
        for _ in range(40):
            k, j = rng.integers(over.x.bins + 1), rng.integers(over.y.bins + 1)
            view = View(catalog, "x", "y", float(over.x.edges[k]), float(over.y.edges[j]))
            assert over.cells[j + 1 :, k + 1 :].sum() == view.counts()["high_high"]


def test_between_two_edges_the_strip_above_line_has_the_rest(catalog):
    rng = np.random.default_rng(2)
    for over in grids(catalog):
        for at in rng.normal(size=10):
            k = rng.integers(over.x.bins + 1)
            view = View(catalog, "x", "y", float(over.x.edges[k]), at)
            row = np.searchsorted(over.y.edges, np.float32(at))
            part = grid.strip_above_line(catalog, over, "y", at)
            counted = over.cells[row + 1 :, k + 1 :].sum() + part[k + 1 :].sum()
            assert counted == view.counts()["high_high"]


@pytest.mark.parametrize(
    ("start", "step"), [(0, 0.01), (-0.6, 0.002), (0.9, 1e-5), (0.9, 1e-7), (-3e6, 2e4), (0, 0)]
)
def test_a_value_is_in_the_cell_between_its_edges(start, step):
    edges = (start + step * np.arange(301)).astype(np.float32)
    axis = grid.Axis("x", "value", start, step, edges, False)
    neighbors = [np.nextafter(edges, np.float32(way)) for way in (-np.inf, np.inf)]
    anywhere = np.random.default_rng(0).uniform(start - 9 * step, start + 320 * step, 5000)
    far = [-np.inf, -1e30, 0, 1e30, np.inf]
    values = np.concatenate([edges, *neighbors, anywhere, far]).astype(np.float32)
    assert (axis.cells(values) == np.searchsorted(edges, values, side="right")).all()


def test_edges_are_round_numbers(catalog):
    axis = grid.axis(catalog, "y")
    assert axis.step in (0.002, 0.005, 0.01)
    assert axis.start == 0
    ticks = axis.start + axis.step * np.arange(axis.bins + 1)
    assert np.allclose(axis.edges, ticks)
    assert np.allclose(ticks / axis.step, np.round(ticks / axis.step))


def test_edges_of_percentiles_are_cutoffs_at_those_percentiles(catalog):
    axis = grid.axis(catalog, "x", "percentile")
    assert (axis.start, axis.end) == (0, 100)
    for k in (0, 3, axis.bins // 2, axis.bins):
        at = axis.start + k * axis.step
        assert axis.edges[k] == np.float32(line(catalog, "x", Cut("percentile", at)))
        assert axis.edges[k] == np.float32(line(catalog, "x", Cut("top", 100 - at)))


def test_far_outliers_are_beyond_the_picture_and_counted(catalog):
    over = grid.grid(catalog, "x", "y")
    assert over.outside >= 1
    assert over.x.end < 100
    assert over.picture.sum() == over.total - over.outside


def test_zoom_makes_finer_cells_of_its_part_only(catalog):
    whole = grid.grid(catalog, "x", "y")
    part = grid.grid(catalog, "x", "y", "value", (-0.5, 0.7, 0.1, 0.6))
    assert part.x.step < whole.x.step
    assert (part.x.start, part.x.end) == pytest.approx((-0.5, 0.7), abs=0.1)
    x, y = catalog.array("x"), catalog.array("y")
    seen = (x >= part.x.edges[0]) & (x < part.x.edges[-1])
    seen &= (y >= part.y.edges[0]) & (y < part.y.edges[-1])
    assert part.picture.sum() == seen.sum()


def test_mean_is_over_the_samples_of_a_cell(catalog):
    over = grid.grid(catalog, "x", "y")
    y = catalog.array("y")
    means, counts = grid.mean(catalog, over, y), over.picture
    assert (np.isnan(means) == (counts == 0)).all()
    rows = over.y.start + over.y.step * over.coarse * (np.arange(len(counts)) + 0.5)
    known = ~np.isnan(means)
    assert np.abs(means - rows[:, None])[known].max() <= over.y.step * over.coarse / 2 + 1e-6


@pytest.mark.parametrize(
    "values",
    [[0.5] * 4, [None, None, None, 1.0], [1e-30, 2e-30, 3e-30, 0.0], [-1e30, 1e30, 0.0, 5.0]],
)
@pytest.mark.parametrize("scale", grid.SCALES)
def test_odd_scores_have_a_grid_too(tmp_path, values, scale):
    catalog = make.catalog(tmp_path, {"x": values, "y": [0.1, 0.2, 0.3, 0.4]})[1]
    over = grid.grid(catalog, "x", "y", scale)
    assert over.total == sum(v is not None for v in values)
    assert (np.diff(over.x.edges) >= 0).all()


@pytest.mark.parametrize("samples", [150, 1000, 3000])
def test_percentiles_end_at_a_hundred(tmp_path, samples):
    x = np.random.default_rng(0).random(samples)
    catalog = make.catalog(tmp_path, {"x": x.tolist(), "y": x.tolist()})[1]
    for zoom in (None, (90, 100, 40, 50.5)):
        over = grid.grid(catalog, "x", "y", "percentile", zoom)
        assert over.x.end == pytest.approx(100)
        assert over.x.start >= 0


def test_a_score_that_is_one_large_number_has_a_grid(tmp_path):
    catalog = make.catalog(tmp_path, {"x": [1e16] * 3, "y": [1, 2, 3]})[1]
    assert grid.grid(catalog, "x", "y").picture.sum() == 3


def test_no_sample_is_outside_the_percentiles(catalog):
    over = grid.grid(catalog, "x", "y", "percentile")
    assert over.outside == 0
    assert over.picture.sum() == 798


def test_samples_beyond_a_zoomed_percentile_axis_are_in_its_outer_cells(catalog):
    over = grid.grid(catalog, "x", "y", "percentile", (25, 75, 0, 100))
    x = catalog.array("x")[~np.isnan(catalog.array("x")) & ~np.isnan(catalog.array("y"))]
    assert over.cells[:, 0].sum() == np.count_nonzero(x < over.x.edges[0])
    assert over.cells[:, -1].sum() == np.count_nonzero(x >= over.x.edges[-1])
    assert over.outside == over.cells[:, 0].sum() + over.cells[:, -1].sum() > 300


@pytest.mark.parametrize("scale", grid.SCALES)
def test_a_line_moves_finely_and_the_picture_is_coarse_for_few_samples(catalog, scale):
    over = grid.grid(catalog, "x", "y", scale)
    # 1.5 √798 = 42 cells of the picture would be as many as the samples can fill.
    assert over.coarse == {"value": 7, "percentile": 8}[scale]
    for axis in (over.x, over.y):
        assert axis.bins % over.coarse == 0
        assert 100 < axis.bins <= 300
    low, high = {"value": (-0.1, 0.1), "percentile": (45, 50)}[scale]
    assert grid.grid(catalog, "x", "y", scale, (low, high, low, high)).coarse > over.coarse


def test_cells_do_not_depend_on_the_chunks(catalog, monkeypatch):
    over = grid.grid(catalog, "x", "y")
    means = grid.mean(catalog, over, catalog.array("y"))
    monkeypatch.setattr(grid, "_CHUNK_ROWS", 7)
    assert (grid.grid(catalog, "x", "y").cells == over.cells).all()
    again = grid.mean(catalog, over, catalog.array("y"))
    assert np.allclose(again, means, equal_nan=True)


def test_a_mean_is_over_the_values_that_are_known(tmp_path):
    catalog = make.catalog(tmp_path, {"x": [0, 0, 1], "y": [0, 0, 1]})[1]
    over = grid.grid(catalog, "x", "y")
    means = grid.mean(catalog, over, np.array([3, np.nan, np.nan], dtype=np.float32))
    assert means[over.picture == 2].tolist() == [3]
    assert np.isnan(means[over.picture == 1]).all()
