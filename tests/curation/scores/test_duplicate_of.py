from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation import uids
from curation.errors import CurationError
from curation.scores import SCORES, duplicate_of
from curation.scores.base import Data, Shard, check_parameters
from tests.curation.scores import reference


def families(count, dim=16, size=4, noise=0.05, seed=0):
    """Rows in families of near copies."""
    rng = np.random.default_rng(seed)
    parents = rng.standard_normal((-(-count // size), dim))
    rows = parents[rng.integers(0, len(parents), count)]
    return (rows + noise * rng.standard_normal((count, dim))).astype(np.float32)


def by_brute_force(rows, least):
    """Row by row in order, every cosine in float64: the nearest kept row, −1 where kept."""
    unit = reference.unit(rows)
    kept, found, cosines = [], [], []
    for row in unit:
        near = unit[kept] @ row if kept else np.empty(0)
        is_duplicate = len(near) > 0 and near.max() >= least
        found.append(kept[int(near.argmax())] if is_duplicate else -1)
        cosines.append(near.max() if is_duplicate else np.nan)
        if not is_duplicate:
            kept.append(len(found) - 1)
    return np.array(found), np.array(cosines)


def angles(*degrees):
    """Unit vectors of the plane."""
    at = np.radians(degrees)
    return np.stack([np.cos(at), np.sin(at)], axis=1).astype(np.float32)


@pytest.mark.parametrize("count", [1, 2, 300, 2500])
@pytest.mark.parametrize("least", [0.7, 0.95, 0.99])
def test_is_what_comparing_every_row_with_every_kept_one_finds(count, least):
    rows = families(count)
    found = duplicate_of(rows, duplicate_cosine=least, device="cpu")
    expected, cosines = by_brute_force(rows, least)
    assert found.duplicate_of.tolist() == expected.tolist()
    np.testing.assert_allclose(found.cosine, cosines, atol=reference.TOLERANCE)


def test_every_duplicate_has_a_kept_row_near_it_and_no_two_kept_rows_are_near():
    rows = families(3000, noise=0.2)
    found = duplicate_of(rows, duplicate_cosine=0.9).duplicate_of
    kept = np.flatnonzero(found < 0)
    assert 100 < len(kept) < 2900
    assert (found[found[found >= 0]] == -1).all()
    unit = reference.unit(rows)
    among = unit[kept] @ unit[kept].T - 2 * np.eye(len(kept))
    assert among.max() < 0.9


def test_of_a_chain_whose_ends_are_unlike_both_ends_stay():
    # 0° ~ 15° ~ 30°, but not 0° ~ 30°: cos 15° = 0.966, cos 30° = 0.866.
    assert duplicate_of(angles(0, 15, 30)).duplicate_of.tolist() == [-1, 0, -1]
    assert duplicate_of(angles(15, 0, 30)).duplicate_of.tolist() == [-1, 0, 0]


def test_a_duplicate_is_of_the_nearest_kept_row():
    assert duplicate_of(angles(0, 30, 20)).duplicate_of.tolist() == [-1, -1, 1]


def test_of_equal_rows_the_first_stands_for_all():
    rows = np.tile(families(1), (2000, 1)) * np.linspace(0.1, 9, 2000)[:, None]
    found = duplicate_of(rows, duplicate_cosine=1.0)
    assert found.duplicate_of.tolist() == [-1] + [0] * 1999
    np.testing.assert_allclose(found.cosine[1:], 1, atol=1e-6)
    assert found.cosine[1:].max() <= 1


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_an_unusable_embedding_is_no_duplicate_and_has_none(value):
    rows = np.tile(families(1), (4, 1))
    rows[[0, 2]] = value
    found = duplicate_of(rows)
    assert found.duplicate_of.tolist() == [-1, -1, -1, 1]
    assert np.isnan(found.cosine[:3]).all()
    rows[:] = value
    assert duplicate_of(rows).duplicate_of.tolist() == [-1] * 4


def test_in_one_dimension_rows_point_one_way_or_the_other():
    found = duplicate_of(np.array([[2.0], [-1.0], [5.0], [-3.0]]))
    assert found.duplicate_of.tolist() == [-1, -1, 0, 1]


@pytest.mark.parametrize("clusters", [0, 1, 7, 10_000])
def test_of_no_rows_and_of_one_row_is_no_duplicate(clusters):
    assert duplicate_of(np.empty((0, 4)), clusters=clusters).duplicate_of.shape == (0,)
    assert duplicate_of(np.ones((1, 4)), clusters=clusters).duplicate_of.tolist() == [-1]


def test_clusters_find_nearly_all_that_comparing_all_with_all_finds():
    rows = families(6000, dim=32, noise=0.1)
    exact = duplicate_of(rows, clusters=1).duplicate_of >= 0
    clustered = duplicate_of(rows, clusters=40).duplicate_of >= 0
    assert exact.mean() > 0.5
    assert (exact & clustered).sum() / exact.sum() > 0.95


def test_more_clusters_than_rows_still_finds_equal_rows():
    rows = np.repeat(families(50, size=1), 2, axis=0)
    found = duplicate_of(rows, clusters=1000, duplicate_cosine=1.0).duplicate_of
    assert (found >= 0).sum() == 50


def scored(rows, words, cuts=(), **parameters):
    """The columns by uid, the samples in this order and cut into shards here."""
    edges = [0, *sorted(cuts), len(rows)]
    shards = [
        Shard(number, stop - start, lambda a=start, b=stop: words[a:b], rows[start:stop])
        for number, (start, stop) in enumerate(pairwise(edges))
    ]
    score = SCORES["duplicate_of"]
    look_up = score.prepare(Data(shards), check_parameters(score, parameters))
    result = {}
    for shard in shards:
        columns = {name: list(np.asarray(v)) for name, v in look_up(shard, "cpu").items()}
        names = uids.to_hex(shard.uids()).to_pylist()
        found = zip(columns["is_duplicate"], columns["duplicate_of"], strict=True)
        result |= dict(zip(names, found, strict=True))
    return result


@settings(max_examples=30, deadline=None)
@given(st.data())
@pytest.mark.parametrize("clusters", [1, 5])
def test_neither_order_nor_shards_change_what_is_kept(clusters, data):
    rows, words = families(40, noise=0.02), reference.row_number_uids(40)
    order = np.array(data.draw(st.permutations(range(40))))
    cuts = data.draw(st.lists(st.integers(0, 40), max_size=4))
    same = scored(rows[order], words[order], cuts, clusters=clusters)
    assert same == scored(rows, words, clusters=clusters)


def test_a_duplicate_names_the_uid_of_a_sample_in_another_shard():
    found = scored(angles(0, 90, 1, 91), reference.row_number_uids(4), cuts=[2])
    zero, one, two, three = sorted(found)
    assert found == {zero: (False, None), one: (False, None), two: (True, zero), three: (True, one)}


def test_a_repeated_uid_stands_for_nothing():
    # The catalog has only the first row of a uid: here that of 0°.
    words = reference.row_number_uids(3)[[0, 0, 1]]
    shard = Shard(0, 3, lambda: words, angles(0, 90, 91))
    score = SCORES["duplicate_of"]
    found = score.prepare(Data([shard]), check_parameters(score, {}))(shard, "cpu")
    assert found["is_duplicate"].tolist() == [False, False, False]


@pytest.mark.parametrize(
    ("parameter", "value", "expected"),
    [
        ("duplicate_cosine", 0.0, "> 0"),
        ("duplicate_cosine", 1.5, "≤ 1"),
        ("duplicate_cosine", float("nan"), "> 0"),
        ("clusters", -1, "≥ 0"),
        ("clusters", 2.5, "a whole number"),
        ("cluster_seed", -1, "≥ 0"),
    ],
)
def test_a_parameter_out_of_range_is_refused(parameter, value, expected):
    with pytest.raises(CurationError, match=f"{parameter} is {value}; expected {expected}"):
        duplicate_of(np.ones((2, 2)), **{parameter: value})


def test_embeddings_that_are_no_matrix_are_refused():
    with pytest.raises(CurationError, match=r"expected \(N, d\)"):
        duplicate_of(np.ones(3))
