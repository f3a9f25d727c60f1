import numpy as np
import pytest

from curation.analysis.distribution import distribution
from tests import make


def test_every_known_value_is_in_a_bin(tmp_path):
    y = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, None]
    catalog = make.catalog(tmp_path, {"y": y})[1]
    of = distribution(catalog, "y", bins=5)
    assert (of.known, of.heights.sum()) == (9, 9)
    assert (of.least, of.median, of.greatest) == pytest.approx((0.1, 0.5, 0.9))


def test_heights_are_those_of_a_histogram(tmp_path):
    x = np.random.default_rng(0).normal(size=3000).astype(np.float32)
    of = distribution(make.catalog(tmp_path, {"x": x.tolist()})[1], "x", bins=20)
    edges = [-np.inf, *of.edges[1:-1].astype(np.float32), np.inf]
    assert of.heights.tolist() == np.histogram(x, edges)[0].tolist()


def test_an_outlier_does_not_stretch_the_bins(tmp_path):
    x = [*np.linspace(0, 1, 99), 1e6]
    of = distribution(make.catalog(tmp_path, {"x": x})[1], "x")
    assert of.edges[-1] < 10
    assert of.heights.sum() == 100
    assert of.greatest == 1e6


def test_a_column_without_values_has_no_range(tmp_path):
    of = distribution(make.catalog(tmp_path, {"x": [np.nan, np.nan]})[1], "x")
    assert of.known == 0
    assert np.isnan([of.least, of.median, of.greatest]).all()


def test_the_median_of_an_even_number_of_values_is_the_mean_of_the_middle_two(tmp_path):
    of = distribution(make.catalog(tmp_path, {"x": [1, 2, 4, 9]})[1], "x")
    assert of.median == 3


def test_a_distribution_keeps_no_column_in_memory(tmp_path):
    catalog = make.catalog(tmp_path, {"x": [1, 2]})[1]
    distribution(catalog, "x")
    assert not catalog.cache._columns
