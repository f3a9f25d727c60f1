import numpy as np
import pytest

from curation import uids
from curation.analysis import compare
from curation.analysis.compare import PARTS, SELECTED, TOPS, Sets
from curation.errors import CurationError
from curation.selection.decisions import Decisions
from curation.selection.recipe import Recipe
from curation.selection.select import top
from tests import make

MANY = 300


@pytest.fixture
def catalog(tmp_path):
    """Eight samples; x has ties, y lacks one value."""
    x = [0.1, 0.3, 0.3, 0.5, 0.2, 0.9, 0.3, 0.7]
    y = [0.8, 0.2, 0.4, 0.4, None, 0.1, 0.9, 0.3]
    return make.catalog(tmp_path, {"x": x, "y": y})[1]


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Samples with coarse scores, so that many tie, and some without one."""
    rng = np.random.default_rng(3)
    x = rng.integers(0, 40, MANY) / 8
    y = x + rng.integers(-12, 12, MANY) / 8
    scores = {"x": [float(v) for v in x], "y": [float(v) for v in y], "one": [1.0] * MANY}
    for n in range(0, MANY, 11):
        scores["y"][n] = None
    scores["none"] = [None] * (MANY - 1) + [1.0]
    return make.catalog(tmp_path_factory.mktemp("many"), scores)[1]


def masks(seed, share_a=0.4, share_b=0.3):
    rng = np.random.default_rng(seed)
    return Sets(rng.random(50) < share_a, rng.random(50) < share_b)


def mean_ranks(values):
    """Ranks from 1, ties sharing their mean, by comparing every value with every other."""
    return [sum(o < v for o in values) + (sum(o == v for o in values) + 1) / 2 for v in values]


@pytest.mark.parametrize("seed", range(5))
def test_parts_are_those_of_python_sets(seed):
    sets = masks(seed)
    a, b = (set(np.flatnonzero(mask).tolist()) for mask in (sets.a, sets.b))
    wanted = {"only_a": a - b, "both": a & b, "only_b": b - a, "neither": set(range(50)) - a - b}
    for part in PARTS:
        assert set(np.flatnonzero(sets.mask(part)).tolist()) == wanted[part]
        assert sets.counts[part] == len(wanted[part])
    assert (sets.in_a, sets.in_b) == (len(a), len(b))
    assert sets.jaccard == len(a & b) / len(a | b)
    assert sets.overlap == len(a & b) / min(len(a), len(b))


def test_ratios_of_empty_sets_are_nan():
    none = np.zeros(4, dtype=bool)
    assert np.isnan(Sets(none, none).jaccard)
    assert np.isnan(Sets(none, ~none).overlap)
    assert Sets(none, ~none).jaccard == 0
    assert Sets(none, none).counts == {"only_a": 0, "both": 0, "only_b": 0, "neither": 4}


def test_a_list_counts_a_repeat_once_and_how_many_uids_are_absent(catalog):
    words = uids.to_words([make.uid(n) for n in (6, 2, 99, 2, 2**127, 99)])
    members = compare.members_of_list(catalog, words)
    assert make.chosen(catalog, members.mask) == [2, 6]
    assert members.absent == 2
    assert not compare.members_of_list(catalog, words[:0]).mask.any()


def test_a_name_is_a_saved_selection_or_a_list(catalog, tmp_path):
    decisions = Decisions(tmp_path / "curation.duckdb")
    decisions.save_recipe("best", Recipe.parse("steps: [{score: x, count: 2}]"))
    decisions.save_uid_list("mine", uids.to_words([make.uid(1)] * 3), "file.npy")
    assert make.chosen(catalog, compare.load_members(catalog, decisions, "best").mask) == [5, 7]
    assert make.chosen(catalog, compare.load_members(catalog, decisions, "mine").mask) == [1]
    assert compare.whole_pool(catalog).mask.all()
    with pytest.raises(CurationError, match=r"no selection or uid list 'other'.*best, mine"):
        compare.load_members(catalog, decisions, "other")


def test_order_by_a_score_breaks_ties_by_row_and_puts_missing_ones_last(catalog):
    everyone = np.ones(8, dtype=bool)
    assert compare.sorted_rows(catalog, "x", everyone, True, 5).tolist() == [5, 7, 3, 1, 2]
    assert compare.sorted_rows(catalog, "x", everyone, False, 4).tolist() == [0, 4, 1, 2]
    assert compare.sorted_rows(catalog, "y", everyone, True, 9).tolist()[-1] == 4
    assert compare.sorted_rows(catalog, "y", everyone, False, 9).tolist()[-1] == 4
    assert compare.sorted_rows(catalog, "y", ~everyone, True, 9).tolist() == []


def test_spread_counts_every_known_value_of_each_part_on_the_same_bins(many):
    rng = np.random.default_rng(0)
    sets = Sets(rng.random(MANY) < 0.5, rng.random(MANY) < 0.5)
    spread = compare.score_histograms(many, sets, "y", 10)
    values = many.array("y")
    for part in SELECTED:
        own = values[sets.mask(part)]
        known = np.clip(own[~np.isnan(own)], spread.edges[0], spread.edges[-1])
        assert spread.counts[part].tolist() == np.histogram(known, spread.edges)[0].tolist()
        assert spread.missing[part] == np.isnan(own).sum()


def test_spread_of_an_empty_part_is_empty(catalog):
    none = np.zeros(8, dtype=bool)
    assert (
        compare.score_histograms(catalog, Sets(none, ~none), "x", 4).counts["both"].tolist()
        == [0] * 4
    )


def test_ranks_are_those_of_the_samples_with_both_scores(many):
    x, y = many.array("x"), many.array("y")
    known = np.flatnonzero(~np.isnan(y))
    ranked = compare.compare_ranks(many, "x", "y")
    assert ranked.count == len(known)
    for twice, values in ((ranked.twice_a, x), (ranked.twice_b, y)):
        assert (twice[known] / 2).tolist() == mean_ranks(values[known].tolist())
        assert (twice[np.isnan(y)] == 0).all()


def test_spearman_is_the_correlation_of_the_ranks(many):
    known = ~np.isnan(many.array("y"))
    own = [mean_ranks(many.array(name)[known].tolist()) for name in ("x", "y")]
    assert compare.compare_ranks(many, "x", "y").spearman == pytest.approx(np.corrcoef(*own)[0, 1])
    assert compare.compare_ranks(many, "x", "x").spearman == pytest.approx(1)
    assert np.isnan(compare.compare_ranks(many, "x", "one").spearman)


def test_a_percentile_is_the_share_that_one_is_above_ties_half(catalog):
    ranked = compare.compare_ranks(catalog, "x", "y")
    # Without sample 4: x has one below 0.3 and three that are it; y lowest for sample 5.
    by_x, by_y = ranked.percentiles(np.array([1, 5, 4]))
    assert by_x[:2] == pytest.approx([100 * 2.5 / 7, 100 * 6.5 / 7])
    assert by_y[:2] == pytest.approx([100 * 1.5 / 7, 100 * 0.5 / 7])
    assert np.isnan([by_x[2], by_y[2]]).all()


@pytest.mark.parametrize("wanted", [0, 1, 7, 40, 1000])
@pytest.mark.parametrize("up", [True, False])
def test_the_largest_moves_equal_those_of_a_plain_sort(many, up, wanted):
    known = np.flatnonzero(~np.isnan(many.array("y")))
    before, after = (mean_ranks(many.array(name)[known].tolist()) for name in ("x", "y"))
    sign = 1 if up else -1
    shifts = {int(r): sign * (q - p) for r, p, q in zip(known, before, after, strict=True)}
    rise = sorted((r for r in shifts if shifts[r] > 0), key=lambda r: (-shifts[r], r))
    ranked = compare.compare_ranks(many, "x", "y")
    assert ranked.moved(up, wanted).tolist() == rise[:wanted]
    assert ranked.moves[0 if up else 1] == len(rise)


def test_the_same_score_moves_nothing_and_shares_its_top(many):
    ranked = compare.compare_ranks(many, "x", "x")
    assert ranked.moves == (0, 0)
    assert ranked.moved(True, 5).tolist() == []
    assert ranked.shared == dict.fromkeys(TOPS, 1.0)


def test_tops_share_what_recipes_would_both_select(many):
    known = ~np.isnan(many.array("y"))
    shared = compare.compare_ranks(many, "x", "y").shared
    for percent in TOPS:
        wanted = round(percent / 100 * int(known.sum()))
        both = top(many, "x", known, wanted) & top(many, "y", known, wanted)
        assert shared[percent] == both.sum() / wanted


def test_rank_density_has_every_ranked_sample_in_its_cell(many):
    ranked = compare.compare_ranks(many, "x", "y")
    cells = ranked.density(5)
    across, up = ranked.percentiles(np.flatnonzero(ranked.twice_a))
    wanted = np.histogram2d(up, across, bins=5, range=[(0, 100), (0, 100)])[0]
    assert cells.tolist() == wanted.tolist()


def test_scores_that_no_sample_has_both_of_rank_nothing(tmp_path):
    catalog = make.catalog(tmp_path, {"x": [1.0, None], "y": [None, 2.0]})[1]
    ranked = compare.compare_ranks(catalog, "x", "y")
    assert ranked.count == 0
    assert np.isnan(ranked.spearman)
    assert all(np.isnan(share) for share in ranked.shared.values())
    assert ranked.moved(True, 3).tolist() == []
    assert ranked.density(4).sum() == 0


def test_one_sample_ranks_in_the_middle(many):
    ranked = compare.compare_ranks(many, "x", "none")
    assert ranked.count == 1
    assert [p.tolist() for p in ranked.percentiles(np.array([MANY - 1]))] == [[50.0], [50.0]]
