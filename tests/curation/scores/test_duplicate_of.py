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
    """Rows in families of near duplicates."""
    rng = np.random.default_rng(seed)
    parents = rng.standard_normal((-(-count // size), dim))
    rows = parents[rng.integers(0, len(parents), count)]
    return (rows + noise * rng.standard_normal((count, dim))).astype(np.float32)


def by_brute_force(rows, threshold):
    """Originals (−1 for kept rows) and cosines, from all cosines in float64, row by row."""
    unit = reference.unit(rows)
    kept, originals, cosines = [], [], []
    for row in unit:
        near = unit[kept] @ row if kept else np.empty(0)
        is_duplicate = len(near) > 0 and near.max() >= threshold
        originals.append(kept[int(near.argmax())] if is_duplicate else -1)
        cosines.append(near.max() if is_duplicate else np.nan)
        if not is_duplicate:
            kept.append(len(originals) - 1)
    return np.array(originals), np.array(cosines)


def angles(*degrees):
    """Unit vectors of the plane at these angles."""
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


@pytest.mark.parametrize("count", [1, 2, 300, 2500])
@pytest.mark.parametrize("threshold", [0.7, 0.95, 0.99])
def test_agrees_with_comparing_every_row_with_every_kept_row(count, threshold):
    rows = families(count)
    result = duplicate_of(rows, duplicate_cosine=threshold, device="cpu")
    expected, cosines = by_brute_force(rows, threshold)
    assert result.duplicate_of.tolist() == expected.tolist()
    np.testing.assert_allclose(result.cosine, cosines, atol=reference.TOLERANCE)


def test_every_duplicate_has_a_kept_row_near_it_and_no_two_kept_rows_are_near():
    rows = families(3000, noise=0.2)
    result = duplicate_of(rows, duplicate_cosine=0.9).duplicate_of
    kept = np.flatnonzero(result < 0)
    assert 100 < len(kept) < 2900
    assert (result[result[result >= 0]] == -1).all()
    unit = reference.unit(rows)
    among = unit[kept] @ unit[kept].T - 2 * np.eye(len(kept))
    assert among.max() < 0.9


def test_both_ends_of_a_chain_are_kept_if_they_are_not_near_each_other():
    # 0° ~ 15° ~ 30°, but not 0° ~ 30°: cos 15° = 0.966, cos 30° = 0.866.
    assert duplicate_of(angles(0, 15, 30)).duplicate_of.tolist() == [-1, 0, -1]
    assert duplicate_of(angles(15, 0, 30)).duplicate_of.tolist() == [-1, 0, 0]


def test_the_original_is_the_nearest_kept_row():
    assert duplicate_of(angles(0, 30, 20)).duplicate_of.tolist() == [-1, -1, 1]


def test_of_equal_rows_the_first_is_the_original_of_all():
    rows = np.tile(families(1), (2000, 1)) * np.linspace(0.1, 9, 2000)[:, None]
    result = duplicate_of(rows, duplicate_cosine=1.0)
    assert result.duplicate_of.tolist() == [-1] + [0] * 1999
    np.testing.assert_allclose(result.cosine[1:], 1, atol=1e-6)
    assert result.cosine[1:].max() <= 1


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_an_unusable_embedding_is_no_duplicate_and_has_none(value):
    rows = np.tile(families(1), (4, 1))
    rows[[0, 2]] = value
    result = duplicate_of(rows)
    assert result.duplicate_of.tolist() == [-1, -1, -1, 1]
    assert np.isnan(result.cosine[:3]).all()
    rows[:] = value
    assert duplicate_of(rows).duplicate_of.tolist() == [-1] * 4


def test_in_one_dimension_rows_of_the_same_sign_are_duplicates():
    result = duplicate_of(np.array([[2.0], [-1.0], [5.0], [-3.0]]))
    assert result.duplicate_of.tolist() == [-1, -1, 0, 1]


@pytest.mark.parametrize("clusters", [0, 1, 7, 10_000])
def test_no_rows_and_one_row_have_no_duplicates(clusters):
    assert duplicate_of(np.empty((0, 4)), clusters=clusters).duplicate_of.shape == (0,)
    assert duplicate_of(np.ones((1, 4)), clusters=clusters).duplicate_of.tolist() == [-1]


def test_clusters_find_nearly_all_duplicates():
    rows = families(6000, dim=32, noise=0.1)
    exact = duplicate_of(rows, clusters=1).duplicate_of >= 0
    clustered = duplicate_of(rows, clusters=40).duplicate_of >= 0
    assert exact.mean() > 0.5
    assert (exact & clustered).sum() / exact.sum() > 0.95


def test_more_clusters_than_rows_still_finds_equal_rows():
    rows = np.repeat(families(50, size=1), 2, axis=0)
    result = duplicate_of(rows, clusters=1000, duplicate_cosine=1.0).duplicate_of
    assert (result >= 0).sum() == 50


def scored(rows, words, cuts=(), **parameters):
    """Whether each sample is a duplicate, and of which one, by uid; shards end at the cuts."""
    edges = [0, *sorted(cuts), len(rows)]
    shards = [
        Shard(number, stop - start, lambda a=start, b=stop: words[a:b], rows[start:stop])
        for number, (start, stop) in enumerate(pairwise(edges))
    ]
    score = SCORES["duplicate_of"]
    look_up = score.prepare(Data(shards), check_parameters(score, parameters))
    by_uid = {}
    for shard in shards:
        columns = {name: list(np.asarray(v)) for name, v in look_up(shard, "cpu").items()}
        names = uids.to_hex(shard.uids()).to_pylist()
        values = zip(columns["is_duplicate"], columns["duplicate_of"], strict=True)
        by_uid |= dict(zip(names, values, strict=True))
    return by_uid


@settings(max_examples=30, deadline=None)
@given(st.data())
@pytest.mark.parametrize("clusters", [1, 5])
def test_neither_order_nor_shards_change_what_is_kept(clusters, data):
    rows, words = families(40, noise=0.02), reference.row_number_uids(40)
    order = np.array(data.draw(st.permutations(range(40))))
    cuts = data.draw(st.lists(st.integers(0, 40), max_size=4))
    same = scored(rows[order], words[order], cuts, clusters=clusters)
    assert same == scored(rows, words, clusters=clusters)


def test_the_original_may_be_in_another_shard():
    result = scored(angles(0, 90, 1, 91), reference.row_number_uids(4), cuts=[2])
    zero, one, two, three = sorted(result)
    assert result == {
        zero: (False, None),
        one: (False, None),
        two: (True, zero),
        three: (True, one),
    }


def test_a_row_with_a_repeated_uid_is_no_original():
    # The catalog has only the first row of a uid, here the one at 0°.
    words = reference.row_number_uids(3)[[0, 0, 1]]
    shard = Shard(0, 3, lambda: words, angles(0, 90, 91))
    score = SCORES["duplicate_of"]
    result = score.prepare(Data([shard]), check_parameters(score, {}))(shard, "cpu")
    assert result["is_duplicate"].tolist() == [False, False, False]


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
def test_a_parameter_out_of_range_is_an_error(parameter, value, expected):
    with pytest.raises(CurationError, match=f"{parameter} is {value}; expected {expected}"):
        duplicate_of(np.ones((2, 2)), **{parameter: value})


def test_embeddings_that_are_no_matrix_are_an_error():
    with pytest.raises(CurationError, match=r"expected \(N, d\)"):
        duplicate_of(np.ones(3))
