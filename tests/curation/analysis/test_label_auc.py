import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.analysis import label_auc
from curation.cli import text_report
from tests import make

VALUES = st.lists(st.integers(0, 5), min_size=1, max_size=20)


@given(VALUES, VALUES)
def test_auc_is_the_share_of_pairs_in_the_right_order(higher, lower):
    pairs = [1.0 if h > low else 0.5 if h == low else 0.0 for h in higher for low in lower]
    found = label_auc.auc(np.float32(higher), np.float32(lower))
    assert found == pytest.approx(sum(pairs) / len(pairs))


def test_auc_of_many_is_that_of_their_order(monkeypatch):
    rng = np.random.default_rng(0)
    higher, lower = (rng.normal(mean, 0.1, 4000).astype(np.float32) for mean in (0.02, -0.05))
    exact = label_auc.auc(higher, lower)
    monkeypatch.setattr(label_auc, "_EXACT", 100)
    assert label_auc.auc(higher, lower) == pytest.approx(exact, abs=1e-5)
    assert label_auc.auc(-lower, -higher) == pytest.approx(exact, abs=1e-5)
    # Far from zero, and close together.
    far = [np.float32(1000) + values for values in (higher, lower)]
    close = label_auc.auc(*far)
    monkeypatch.setattr(label_auc, "_EXACT", 1_000_000)
    assert close == pytest.approx(label_auc.auc(*far), abs=1e-3)
    # Every order of magnitude, both signs, and a zero of each.
    powers = np.float32(10.0 ** np.arange(-30, 31))
    signed = np.concatenate([-powers[::-1], np.float32([-0.0]), powers])
    monkeypatch.setattr(label_auc, "_EXACT", 1_000_000)
    exact = label_auc.auc(signed, signed[::2])
    monkeypatch.setattr(label_auc, "_EXACT", 100)
    assert label_auc.auc(signed, signed[::2]) == pytest.approx(exact, abs=1e-12)


def test_a_score_is_judged_by_what_it_keeps_of_the_marked(tmp_path):
    rows = [{"bad": n < 2} for n in range(6)] + [{"bad": None}]
    scores = {"good": [0, 1, 5, 4, 3, None, 9], "poor": [9, 8, 1, 2, 3, 4, 0]}
    catalog = make.catalog(tmp_path, scores, rows)[1]
    good, poor = label_auc.judge(catalog, "bad", keep=0.3)
    assert (good.score, good.auc, good.kept, good.base) == ("good", 1, 0, 0.4)
    assert (poor.auc, poor.kept) == (0, 1)
    assert "good" in text_report.labels(catalog, "bad", 0.3)


def test_a_label_that_marks_nothing_judges_nothing(tmp_path):
    catalog = make.catalog(tmp_path, {"q": [1, 2]}, [{"bad": False}, {"bad": False}])[1]
    assert label_auc.judge(catalog, "bad") == []
    assert "no score to judge by it" in text_report.labels(catalog, "bad", 0.3)
