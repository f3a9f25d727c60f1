import torch

from curation.scores.shared import products


def test_auto_is_float16_on_a_gpu_only():
    assert products.precision("auto", "cuda:1") == "float16"
    assert products.precision("auto", "cpu") == products.precision("auto", "mps") == "float32"
    assert products.precision("float32", "cuda") == "float32"


def test_overwriting_a_product_does_not_change_the_next():
    right = torch.randn(5, 3)
    product = products.by(right)
    rows = torch.randn(2, 3)
    first = product(rows)
    expected = first.clone()
    first.zero_()
    assert torch.equal(product(rows), expected)
    torch.testing.assert_close(expected, rows @ right.T)
