import numpy as np
import pytest

from curation.catalog.ranks import Ranks

RNG = np.random.default_rng(0)
COLUMNS = {
    "normal": RNG.normal(size=300_000),
    "ties": RNG.integers(0, 7, 5000),
    "one far away": np.concatenate([RNG.random(5000), [1e30, -1e30]]),
    "all the same": np.full(50, 0.25),
    "infinite": np.array([np.inf, -np.inf, 0.5, np.inf, 0.1]),
    "only infinite": np.array([np.inf, -np.inf, np.inf]),
    "missing": np.where(RNG.random(4000) < 0.5, np.nan, RNG.random(4000)),
    "tiny": RNG.random(1000) * 1e-38,
    "huge": RNG.uniform(-1, 1, 1000) * 3.4e38,
    "none known": np.full(5, np.nan),
    "empty": np.empty(0),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_it_is_as_if_all_were_sorted(name):
    values = COLUMNS[name].astype(np.float32)
    ranked = np.sort(values[~np.isnan(values)])
    ranks = Ranks(values)
    assert len(ranks) == len(ranked)
    positions = np.unique(np.linspace(0, len(ranked) - 1, 60).astype(int)) if len(ranked) else []
    for position in positions:
        value = ranked[position]
        assert ranks.at(int(position)) == value
        for asked in (value, np.nextafter(value, np.float32(np.inf)), value - np.float32(0.01)):
            assert ranks.below(float(asked)) == np.searchsorted(ranked, asked, side="left")
    assert ranks.below(float("nan")) == len(ranked)


def test_about_is_within_a_bin():
    values = COLUMNS["normal"].astype(np.float32)
    ranked, ranks = np.sort(values), Ranks(values)
    assert (ranks.least, ranks.greatest) == (ranked[0], ranked[-1])
    bin_ = (ranks.greatest - ranks.least) / 65_000
    for position in (0, 300, 150_000, 299_999):
        assert abs(ranks.about(position) - ranked[position]) <= bin_


def test_near_is_within_a_two_thousandth_of_all():
    values = COLUMNS["normal"].astype(np.float32)
    ranked, ranks = np.sort(values), Ranks(values)
    for asked in np.concatenate([RNG.normal(size=100), ranked[:5], ranked[-5:]]):
        exact = np.searchsorted(ranked, np.float32(asked), side="left")
        assert abs(ranks.near(float(asked)) - exact) <= len(values) / 2000
