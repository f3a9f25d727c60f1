import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.scores.contrastive_loss import log_sum_exp
from tests.curation.scores import reference


@settings(max_examples=20, deadline=None)
@given(
    rows=st.sampled_from([1, 2, 255, 257, 1025]),
    columns=st.sampled_from([1, 3, 8191, 8193]),
    dim=st.sampled_from([1, 4, 64]),
    tau=st.sampled_from([0.001, 0.01, 0.1, 1.0]),
    seed=st.integers(0, 1000),
)
def test_tiles_agree_with_the_whole_matrix(rows, columns, dim, tau, seed):
    assert_agrees(unit_rows(rows, dim, seed), unit_rows(columns, dim, seed + 1), tau)


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(log_sum_exp, "ROWS", 3)
    monkeypatch.setattr(log_sum_exp, "COLUMNS", 4)


@pytest.mark.parametrize("tau", [0.001, 0.01, 0.1, 1.0])
@pytest.mark.parametrize(("rows", "columns"), [(11, 10), (3, 4), (1, 9), (9, 1), (12, 8)])
@pytest.mark.usefixtures("small_tiles")
def test_many_small_tiles_agree_with_the_whole_matrix(rows, columns, tau):
    for seed in range(5):
        assert_agrees(unit_rows(rows, 2, seed), unit_rows(columns, 2, seed + 100), tau)


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
@pytest.mark.usefixtures("small_tiles")
def test_the_largest_entries_may_be_in_the_first_or_the_last_tile(order):
    # Entries of 1 in one tile and −1 in the other, 2,000 apart at this temperature.
    directions = torch.eye(1).repeat(2, 1) * torch.tensor([[1.0], [-1.0]])
    right = directions[order].repeat_interleave(4, dim=0)
    left = torch.ones(7, 1)
    assert_agrees(left, right, 0.001)
    assert_agrees(right, left, 0.001)


@pytest.mark.parametrize("tau", [0.001, 0.01])
def test_a_column_far_below_the_largest_entry_is_summed_separately(tau):
    left, right = torch.eye(3), torch.eye(3)
    right[2] = torch.tensor([-1, 0, 0])
    _, columns = log_sum_exp.of_rows_and_columns(left, right, tau)
    # Column 2 is −1, 0 and 0, and the maximum of row 0 is 1.
    assert columns[2].item() == pytest.approx(math.log(2), abs=1e-6)


@pytest.mark.usefixtures("small_tiles")
def test_no_other_column_is_summed_separately(monkeypatch):
    calls = []
    monkeypatch.setattr(log_sum_exp, "of_rows", lambda *_: calls.append(1))
    log_sum_exp.of_rows_and_columns(unit_rows(20, 16, 0), unit_rows(20, 16, 1), 0.01)
    assert not calls


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("tau", [0.001, 0.01])
def test_a_column_far_below_the_largest_entry_may_be_in_any_tile(tau):
    for column in range(10):
        right = torch.eye(10)
        # Its entries are all at most 0, and different from those of every other column.
        right[column] = -0.1 * torch.arange(1, 11) / 2
        assert_agrees(torch.eye(10), right, tau)


def test_float16_operands_change_a_side_by_less_than_two_ten_thousandths():
    left, right = unit_rows(500, 512, 0), unit_rows(3000, 512, 1)
    expected = log_sum_exp.of_rows_and_columns(left, right, 0.01)
    result = log_sum_exp.of_rows_and_columns(left, right, 0.01, "float16")
    for rounded, exact in zip(result, expected, strict=True):
        change = 0.01 * (rounded - exact).abs().max()
        assert 0 < change < 2e-4


@pytest.mark.usefixtures("small_tiles")
def test_bfloat16_operands_change_a_side_by_less_than_a_thousandth_in_every_tile():
    # A common part that differs from row to row, so that every row needs its own offset.
    left = unit_rows(11, 64, 0) + torch.linspace(-3, 3, 11)[:, None]
    right = unit_rows(10, 64, 1) + 1
    left, right = (torch.nn.functional.normalize(side) for side in (left, right))
    expected = log_sum_exp.of_rows_and_columns(left, right, 0.01)
    result = log_sum_exp.of_rows_and_columns(left, right, 0.01, "bfloat16")
    for rounded, exact in zip(result, expected, strict=True):
        assert 0 < 0.01 * (rounded - exact).abs().max() < 1e-3


def test_operands_shifted_for_bfloat16_have_the_same_product_and_row_maxima_near_zero():
    left, right = unit_rows(30, 8, 0) / 0.01, unit_rows(200, 8, 1) + 0.2
    shifted_left, shifted_right, offset = log_sum_exp._shifted_for_bfloat16(left, right)
    product = shifted_left @ shifted_right.T
    torch.testing.assert_close(product + offset[:, None], left @ right.T, atol=1e-3, rtol=0)
    # Rounding to bfloat16 moves the maxima by up to 2^-8 of about 100.
    assert product.amax(dim=1).abs().max() < 1
    assert offset.abs().max() > 30


def assert_agrees(left: torch.Tensor, right: torch.Tensor, tau: float) -> None:
    """Both functions agree with the formula on the whole matrix in float64."""
    whole = left.double().numpy() @ right.double().numpy().T / tau
    by_row, by_column = log_sum_exp.of_rows_and_columns(left, right, tau)
    alone = log_sum_exp.of_rows(left, right, tau)
    for result, axis in ((alone, 1), (by_row, 1), (by_column, 0)):
        expected = reference.log_sum_exp(whole, axis)
        np.testing.assert_allclose(tau * result.numpy(), tau * expected, atol=2e-6)


def unit_rows(count: int, dim: int, seed: int) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(reference.unit(rng.standard_normal((count, dim))).astype(np.float32))
