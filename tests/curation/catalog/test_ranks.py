import numpy as np
import pytest

from curation.catalog.ranks import Ranks

RNG = np.random.default_rng(0)
COLUMNS = {
    "normal": RNG.normal(size=30_000),
    "ties": RNG.integers(0, 7, 5000),
    "outliers": np.concatenate([RNG.random(5000), [1e30, -1e30]]),
    "constant": np.full(50, 0.25),
    "infinite": np.array([np.inf, -np.inf, 0.5, np.inf, 0.1]),
    "only infinite": np.array([np.inf, -np.inf, np.inf]),
    "missing": np.where(RNG.random(4000) < 0.5, np.nan, RNG.random(4000)),
    "tiny": RNG.random(1000) * 1e-38,
    "huge": RNG.uniform(-1, 1, 1000) * 3.4e38,
    "none known": np.full(5, np.nan),
    "empty": np.empty(0),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_queries_agree_with_counting(name):
    values = COLUMNS[name].astype(np.float32)
    ranks = Ranks(values)
    known = sorted(v for v in values.tolist() if v == v)
    assert len(ranks) == len(known)
    positions = np.unique(np.linspace(0, len(known) - 1, 60).astype(int)) if known else []
    for position in positions:
        value = ranks.value_at(int(position))
        assert value == known[position]
        above = float(np.nextafter(np.float32(value), np.float32(np.inf)))
        for threshold in (value, above, float(np.float32(value - 0.01))):
            assert ranks.count_below(threshold) == np.count_nonzero(values < np.float32(threshold))
    assert ranks.count_below(float("nan")) == len(known)


def test_the_column_is_not_changed():
    values = np.float32([3, np.nan, 1, 2])
    values.flags.writeable = False
    assert Ranks(values).value_at(0) == 1
    np.testing.assert_array_equal(values, np.float32([3, np.nan, 1, 2]))


def test_a_threshold_is_rounded_to_float32():
    ranks = Ranks(np.float32([0.1, 0.2]))
    assert ranks.count_below(0.1) == 0  # float32(0.1) is greater than 0.1
    assert ranks.count_below(0.2 + 1e-12) == 1
    # Greater than float32(0.1), and equal to it once it is rounded.
    assert ranks.count_below(np.float64(0.100000002)) == 0


def test_the_finite_range_leaves_out_infinity():
    assert Ranks(np.float32([np.inf, 2, -np.inf, 1, np.nan])).finite_range() == (1, 2)
    assert Ranks(np.float32([5])).finite_range() == (5, 5)
    assert Ranks(np.float32([np.inf, -np.inf])).finite_range() is None
    assert Ranks(np.float32([np.nan])).finite_range() is None


def test_bins_cover_the_values():
    edges = Ranks(np.arange(10, dtype=np.float32)).bin_edges(3)
    assert edges.tolist() == [0, 3, 6, 9]


def test_bins_of_few_values_reach_their_ends_and_bins_of_more_leave_one_out():
    # Of up to 20 values no one is an outlier; of 21 one at either end may be.
    few, more = (np.arange(count, dtype=np.float32) for count in (20, 21))
    few[-1] = more[-1] = 1000
    assert Ranks(few).bin_edges(1).tolist() == [0, 1000]
    # The inner values run from 1 to 19: half their spread beyond is 28.
    assert Ranks(more).bin_edges(1).tolist() == [0, 28]
    more[0] = -1000
    assert Ranks(more).bin_edges(1).tolist() == [-8, 28]


def test_bins_leave_out_a_thousandth_at_either_end():
    values = np.arange(4000, dtype=np.float32)
    values[-4:] = 1e6
    assert Ranks(values).bin_edges(1)[1] < 1e4
    values[-5:] = 1e6
    assert Ranks(values).bin_edges(1)[1] == 1e6
    # Of 1,998 values, a thousandth is one.
    fewer = np.arange(1998, dtype=np.float32)
    fewer[-2:] = 1e6
    assert Ranks(fewer).bin_edges(1)[1] == 1e6


def test_bins_of_one_value_have_a_width():
    assert Ranks(np.full(9, 2, dtype=np.float32)).bin_edges(2).tolist() == [1.5, 2, 2.5]
    large = Ranks(np.full(9, 1e6, dtype=np.float32)).bin_edges(2)
    assert large.tolist() == [1e6 - 10, 1e6, 1e6 + 10]
    negative = Ranks(np.full(9, -1e6, dtype=np.float32)).bin_edges(2)
    assert negative.tolist() == [-1e6 - 10, -1e6, -1e6 + 10]


def test_bins_of_values_that_are_equal_but_for_outliers_reach_the_outliers():
    values = np.full(100, 2, dtype=np.float32)
    values[0] = 5
    assert Ranks(values).bin_edges(1).tolist() == [2, 5]


def test_bins_without_finite_values_run_from_0_to_1():
    for values in ([], [np.nan], [np.inf]):
        assert Ranks(np.float32(values)).bin_edges(4).tolist() == [0, 0.25, 0.5, 0.75, 1]
