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
    area = label_auc.auc(np.float32(higher), np.float32(lower))
    assert area == pytest.approx(sum(pairs) / len(pairs))


def test_auc_is_exact_where_values_are_close_or_of_all_magnitudes():
    # Neighboring float32 values far from zero.
    low = np.float32(1000)
    high = np.nextafter(low, np.float32(np.inf))
    assert label_auc.auc(np.array([high, high]), np.array([low])) == 1
    powers = np.float32(10.0 ** np.arange(-30, 31))
    signed = np.concatenate([-powers[::-1], np.float32([-0.0, 0.0]), powers])
    assert label_auc.auc(signed, signed[::-1]) == pytest.approx(0.5, abs=1e-12)
    assert label_auc.auc(np.float32([0.0]), np.float32([-0.0])) == 0.5


def test_a_score_is_judged_by_what_it_keeps_of_the_marked(tmp_path):
    rows = [{"bad": n < 2} for n in range(6)] + [{"bad": None}]
    scores = {"good": [0, 1, 5, 4, 3, None, 9], "poor": [9, 8, 1, 2, 3, 4, 0]}
    catalog = make.catalog(tmp_path, scores, rows)[1]
    good, poor = label_auc.judge_scores(catalog, "bad", keep=0.3)
    assert (good.score, good.auc, good.kept, good.base) == ("good", 1, 0, 0.4)
    assert (poor.auc, poor.kept) == (0, 1)
    assert "good" in text_report.labels(catalog, "bad", 0.3)


def test_samples_tied_at_the_cutoff_are_kept_by_uid_whatever_the_order_of_the_rows(tmp_path):
    # Uids 5 to 0: the kept two have uids 0 and 1, which are the last rows.
    rows = [{"uid": make.uid(5 - n), "bad": n < 4} for n in range(6)]
    catalog = make.catalog(tmp_path, {"same": [1.0] * 6}, rows)[1]
    (result,) = label_auc.judge_scores(catalog, "bad", keep=0.34)
    assert (result.auc, result.kept) == (0.5, 0)


def test_a_label_that_marks_nothing_judges_nothing(tmp_path):
    catalog = make.catalog(tmp_path, {"q": [1, 2]}, [{"bad": False}, {"bad": False}])[1]
    assert label_auc.judge_scores(catalog, "bad") == []
    assert "there are no scores, or all" in text_report.labels(catalog, "bad", 0.3)
