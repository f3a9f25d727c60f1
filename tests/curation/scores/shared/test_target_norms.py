import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.scores.shared import target_norms
from tests.curation.scores import reference


@settings(max_examples=25, deadline=None)
@given(
    rows=st.sampled_from([1, 2, 511, 513, 1025]),
    columns=st.sampled_from([1, 3, 63, 64, 65, 2047, 2048, 2049, 4097]),
    seed=st.integers(0, 1000),
)
def test_tiles_agree_with_the_whole_matrix(rows, columns, seed):
    rng = np.random.default_rng(seed)
    left = reference.unit(rng.standard_normal((rows, 4))).astype(np.float32)
    right = reference.unit(rng.standard_normal((columns, 4))).astype(np.float32)
    whole = np.abs(left.astype(np.float64) @ right.T.astype(np.float64))
    top, index = target_norms.nearest(torch.from_numpy(left), torch.from_numpy(right))
    np.testing.assert_allclose(top, whole.max(axis=1), atol=reference.TOLERANCE)
    chosen = whole[np.arange(rows), index]
    np.testing.assert_allclose(chosen, whole.max(axis=1), atol=reference.TOLERANCE)
    for p in (1, 3.5):
        total = target_norms.power_sum(torch.from_numpy(left), torch.from_numpy(right), p)
        expected = (whole**p).sum(axis=1) ** (1 / p)
        np.testing.assert_allclose(total, expected, reference.TOLERANCE, reference.TOLERANCE)


@pytest.mark.parametrize("column", [0, 63, 64, 2047, 2048, 2100])
def test_the_nearest_may_be_in_any_block_or_tile(column):
    right = np.tile(np.array([[0.6, 0.8]], dtype=np.float32), (2101, 1))
    right[column] = [-1, 0]
    left = np.array([[1, 0]], dtype=np.float32)
    top, index = target_norms.nearest(torch.from_numpy(left), torch.from_numpy(right))
    assert (top.item(), index.item()) == (1, column)


@pytest.mark.parametrize(
    "columns",
    [[5, 6], [3, 64], [64, 128], [2047, 2048], [100, 2100], [1, 2048, 4096]],
)
def test_of_equally_near_items_the_first_counts(columns):
    right = torch.tensor([[0.6, 0.8]]).repeat(4100, 1)
    # One of them points the other way: the absolute cosine counts.
    right[columns] = torch.tensor([1.0, 0])
    right[columns[-1]] = torch.tensor([-1.0, 0])
    top, index = target_norms.nearest(torch.tensor([[1.0, 0], [-1.0, 0]]), right)
    assert (top.tolist(), index.tolist()) == ([1, 1], [columns[0]] * 2)


def test_at_right_angles_to_every_item_the_first_is_the_nearest():
    left = torch.tensor([[0.0, 1]])
    top, index = target_norms.nearest(left, torch.tensor([[1.0, 0]]).expand(70, 2))
    assert (top.item(), index.item()) == (0, 0)


@pytest.mark.parametrize("p", [1.0, 2.0, 40.0, 400.0])
@pytest.mark.parametrize("largest_first", [False, True])
def test_a_power_sum_neither_overflows_nor_underflows_across_tiles(p, largest_first):
    cosines = np.concatenate([np.full(2048, 1e-3), np.full(10, 0.9)])
    cosines = cosines[::-1] if largest_first else cosines
    right = torch.from_numpy(cosines.astype(np.float32))[:, None]
    result = target_norms.power_sum(torch.tensor([[-1.0]]), right, p).item()
    expected = 0.9 * ((cosines / 0.9) ** p).sum() ** (1 / p)
    assert result == pytest.approx(expected, rel=reference.TOLERANCE)


@pytest.mark.parametrize("p", [1.0, 3.0])
def test_the_power_sum_at_right_angles_to_every_item_is_zero(p):
    right = torch.tensor([[1.0, 0]]).expand(70, 2)
    assert target_norms.power_sum(torch.tensor([[0.0, 1]]), right, p).item() == 0


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_a_large_target_loses_nothing_to_rounding(p):
    right = torch.full((300_000, 1), 1.0)
    total = target_norms.power_sum(torch.tensor([[0.1]]), right, p).item()
    expected = float(np.float32(0.1)) * 300_000 ** (1 / p)
    assert total == pytest.approx(expected, rel=reference.TOLERANCE)


@pytest.mark.parametrize("count", [1, 3, 65_537])
def test_the_norm_by_the_root_is_that_of_all_cosines(count):
    # Fewer items than dimensions leave eigenvalues of 0, which rounding makes negative.
    rng = np.random.default_rng(count)
    target = reference.unit(rng.standard_normal((count, 6))).astype(np.float32)
    target[65_536:] = [1, 0, 0, 0, 0, 0]
    image = reference.unit(rng.standard_normal((5, 6))).astype(np.float32)
    root = target_norms.root(torch.from_numpy(target))
    result = target_norms.root_norm(torch.from_numpy(image), root)
    expected = reference.norm_sim(image, target, 2)
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-6)
