import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.scores.contrastive_loss import log_sum_exp
from curation.scores.shared import products
from tests.curation.scores import reference


@settings(max_examples=20, deadline=None)
@given(
    rows=st.sampled_from([1, 2, 255, 257, 1025]),
    columns=st.sampled_from([1, 3, 8191, 8193]),
    dim=st.sampled_from([1, 4, 64]),
    tau=st.sampled_from([0.001, 0.01, 0.1, 1.0]),
    seed=st.integers(0, 1000),
)
def test_tiles_give_what_the_whole_matrix_gives(rows, columns, dim, tau, seed):
    left, right = _unit_rows(rows, dim, seed), _unit_rows(columns, dim, seed + 1)
    whole = left.double().numpy() @ right.double().numpy().T / tau
    by_row, by_column = log_sum_exp.of_rows_and_columns(left, right, tau)
    alone = log_sum_exp.of_rows(left, right, tau)
    for found, axis in ((alone, 1), (by_row, 1), (by_column, 0)):
        expected = reference.log_sum_exp(whole, axis)
        np.testing.assert_allclose(tau * found.numpy(), tau * expected, atol=2e-6)


@pytest.mark.parametrize("tau", [0.001, 0.01])
def test_a_column_far_below_the_largest_entry_is_summed_by_itself(tau):
    left, right = torch.eye(3), torch.eye(3)
    right[2] = torch.tensor([-1, 0, 0])
    _, columns = log_sum_exp.of_rows_and_columns(left, right, tau)
    # Column 2 holds −1, 0 and 0 where row 0's maximum is 1.
    assert columns[2].item() == pytest.approx(math.log(2), abs=1e-6)


def test_16_bit_operands_move_a_half_by_less_than_two_ten_thousandths():
    left, right = _unit_rows(500, 512, 0), _unit_rows(3000, 512, 1)
    expected = log_sum_exp.of_rows_and_columns(left, right, 0.01)
    found = log_sum_exp.of_rows_and_columns(left, right, 0.01, "float16")
    for half, other in zip(found, expected, strict=True):
        moved = 0.01 * (half - other).abs().max()
        assert 0 < moved < 2e-4


def test_auto_is_16_bit_on_a_gpu_only():
    assert products.precision("auto", "cuda:1") == "float16"
    assert products.precision("auto", "cpu") == products.precision("auto", "mps") == "float32"
    assert products.precision("float32", "cuda") == "float32"


def test_a_product_may_be_changed_without_changing_the_next():
    right = torch.randn(5, 3)
    product = products.by(right)
    rows = torch.randn(2, 3)
    first = product(rows)
    expected = first.clone()
    first.zero_()
    assert torch.equal(product(rows), expected)
    torch.testing.assert_close(expected, rows @ right.T)


def _unit_rows(count: int, dim: int, seed: int) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(reference.unit(rng.standard_normal((count, dim))).astype(np.float32))
