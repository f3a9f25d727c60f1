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
def test_tiles_give_what_the_whole_matrix_gives(rows, columns, seed):
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


@pytest.mark.parametrize("place", [0, 63, 64, 2047, 2048, 2100])
def test_the_nearest_is_found_wherever_it_lies(place):
    right = np.tile(np.array([[0.6, 0.8]], dtype=np.float32), (2101, 1))
    right[place] = [-1, 0]
    left = np.array([[1, 0]], dtype=np.float32)
    top, index = target_norms.nearest(torch.from_numpy(left), torch.from_numpy(right))
    assert (top.item(), index.item()) == (1, place)


def test_at_right_angles_to_everything_the_first_is_the_nearest():
    left = torch.tensor([[0.0, 1]])
    top, index = target_norms.nearest(left, torch.tensor([[1.0, 0]]).expand(70, 2))
    assert (top.item(), index.item()) == (0, 0)


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_a_large_target_loses_nothing_to_rounding(p):
    right = torch.full((300_000, 1), 1.0)
    total = target_norms.power_sum(torch.tensor([[0.1]]), right, p).item()
    expected = float(np.float32(0.1)) * 300_000 ** (1 / p)
    assert total == pytest.approx(expected, rel=reference.TOLERANCE)
