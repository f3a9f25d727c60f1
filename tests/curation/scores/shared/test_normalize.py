import numpy as np
import pytest

from curation.scores.shared import normalize
from tests.curation.scores import reference


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("exponent", [-35, -30, -22, -10, 0, 10, 18, 30, 37])
def test_a_row_of_any_length_is_scaled_with_full_precision(dtype, exponent):
    rows = (np.random.default_rng(0).standard_normal((20, 8)) * 10.0**exponent).astype(dtype)
    scaled, bad = normalize.unit(rows)
    assert (scaled.dtype, scaled.shape) == (np.float32, (20, 8))
    assert not bad.any()
    np.testing.assert_allclose(scaled, reference.unit(rows), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("value", [0, np.nan, np.inf, -np.inf])
def test_a_row_that_cannot_be_scaled_is_zero_and_marked(value):
    rows = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    rows[2] = value
    scaled, bad = normalize.unit(rows)
    assert bad.tolist() == [False, False, True, False]
    assert scaled[2].tolist() == [0, 0, 0]
    np.testing.assert_allclose(np.linalg.norm(scaled[~bad], axis=1), 1, atol=1e-6)


def test_unusable_rows_are_the_ones_that_cannot_be_scaled():
    rows = np.array(
        [[1, 2], [0, 0], [0, 3], [np.nan, 1], [1, np.inf], [-1e-40, 0], [3e38, 3e38]],
        dtype=np.float32,
    )
    expected = [False, True, False, True, True, False, False]
    assert normalize.unusable(rows).tolist() == expected
    assert normalize.unit(rows)[1].tolist() == expected


def test_a_check_counts_each_row_once():
    rows = np.array([[1, 0], [0, 0], [3, 4], [np.nan, 0], [0, -1], [np.inf, 0], [0, 2]])
    check = normalize.check(rows)
    assert check.zero.tolist() == [1]
    assert check.not_finite.tolist() == [3, 5]
    assert check.not_unit == 2


def test_a_check_names_rows_beyond_the_first_chunk():
    rows = np.ones((9000, 1), dtype=np.float16)
    rows[8999] = 0
    assert normalize.check(rows).zero.tolist() == [8999]


@pytest.mark.parametrize(
    ("length", "size", "expected"),
    [(0, 3, []), (1, 3, [(0, 1)]), (3, 3, [(0, 3)]), (7, 3, [(0, 3), (3, 6), (6, 7)])],
)
def test_chunks_cover_the_range_and_end_with_it(length, size, expected):
    assert [(part.start, part.stop) for part in normalize.chunks(length, size)] == expected
