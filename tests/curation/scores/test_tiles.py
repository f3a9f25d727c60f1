import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.scores.tiles import both_log_sum_exp, row_log_sum_exp
from tests.curation.scores import reference


@settings(max_examples=20, deadline=None)
@given(
    rows=st.sampled_from([1, 2, 511, 513, 1025]),
    columns=st.sampled_from([1, 3, 2047, 2049]),
    tau=st.sampled_from([0.001, 0.01, 0.1, 1.0]),
    seed=st.integers(0, 1000),
)
def test_tiles_give_what_the_whole_matrix_gives(rows, columns, tau, seed):
    rng = np.random.default_rng(seed)
    left = reference.unit(rng.standard_normal((rows, 4))).astype(np.float32)
    right = reference.unit(rng.standard_normal((columns, 4))).astype(np.float32)
    scaled, other = torch.from_numpy(left) / tau, torch.from_numpy(right)
    whole = left.astype(np.float64) @ right.T.astype(np.float64) / tau
    by_row, by_column = both_log_sum_exp(scaled, other)
    for found, axis in ((row_log_sum_exp(scaled, other), 1), (by_row, 1), (by_column, 0)):
        expected = reference.log_sum_exp(whole, axis)
        np.testing.assert_allclose(tau * found.numpy(), tau * expected, atol=2e-6)


@pytest.mark.parametrize("tau", [0.001, 0.01])
def test_a_column_far_below_the_largest_entry_is_summed_by_itself(tau):
    left, right = np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32)
    right[2] = [-1, 0, 0]
    _, columns = both_log_sum_exp(torch.from_numpy(left) / tau, torch.from_numpy(right))
    # Column 2 holds −1, 0 and 0 where row 0's maximum is 1.
    assert columns[2].item() == pytest.approx(math.log(2), abs=1e-6)
