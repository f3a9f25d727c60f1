"""Tests of the Triton kernel; test_triton_log_sum_exp.py runs them in a second process."""

import os

import numpy as np
import pytest
import torch

from curation.scores.contrastive_loss import triton_log_sum_exp
from tests.curation.scores import reference


@pytest.fixture
def device() -> str:
    name = "cpu" if os.environ.get("TRITON_INTERPRET") == "1" else "cuda"
    assert triton_log_sum_exp.is_available(torch.device(name))
    return name


@pytest.mark.parametrize(
    ("rows", "columns", "dim"),
    [(1, 1, 1), (1, 2, 16), (128, 128, 64), (129, 1100, 70), (300, 257, 65)],
)
@pytest.mark.parametrize("tau", [0.001, 0.01, 1.0])
def test_sums_of_float16_embeddings_agree_with_float64(device, rows, columns, dim, tau):
    left, right = _half_rows(rows, dim, 0), _half_rows(columns, dim, 1)
    whole = left.astype(np.float64) @ right.astype(np.float64).T / tau
    on_device = [torch.from_numpy(side).to(device) for side in (left, right)]
    by_row, by_column = triton_log_sum_exp.of_rows_and_columns(*on_device, tau)
    alone = triton_log_sum_exp.of_rows(*on_device, tau)
    for result, axis in ((alone, 1), (by_row, 1), (by_column, 0)):
        expected = reference.log_sum_exp(whole, axis)
        np.testing.assert_allclose(tau * result.cpu().numpy(), tau * expected, atol=4e-6)


def test_a_row_and_a_column_far_below_the_largest_entry_keep_their_sums(device):
    left, right = torch.eye(3, device=device), torch.eye(3, device=device)
    right[2] = torch.tensor([-1, 0, 0])
    by_row, by_column = triton_log_sum_exp.of_rows_and_columns(left, right, 0.001)
    assert by_row.tolist() == pytest.approx([1000, 1000, np.log(3)], abs=1e-3)
    assert by_column.tolist() == pytest.approx([1000, 1000, np.log(2)], abs=1e-3)


def _half_rows(count: int, dim: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return reference.unit(rng.standard_normal((count, dim))).astype(np.float16).astype(np.float32)
