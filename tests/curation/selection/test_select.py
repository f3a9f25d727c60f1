import hashlib
import math

import numpy as np
import pytest

from curation import uids
from curation.errors import CurationError
from curation.pipeline import import_scores
from curation.selection.decisions import Decisions
from curation.selection.recipe import Recipe
from curation.selection.select import select, walk
from tests import make

# By uid 0, 1, 2, …: ties at 0.5, a missing score and a NaN.
QUALITY = [0.9, 0.5, 0.5, 0.1, None, 0.5, math.nan, 0.7, 0.3, -0.2]
NEARNESS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("selection")
    workspace, catalog = make.catalog(folder, {"quality": QUALITY, "nearness": NEARNESS})
    listing = folder / "list.txt"
    listing.write_text("\n".join(make.uid(n) for n in (3, 4, 3, 77)))
    import_scores.import_uids(workspace, "listed", listing)
    decisions = Decisions.of(workspace)
    decisions.save_recipe("best", Recipe.parse("steps: [{score: quality, count: 2}]"))
    return catalog, decisions


def chosen(world, steps, rest=""):
    catalog, decisions = world
    recipe = Recipe.parse(f"steps: {steps}\n{rest}")
    return make.chosen(catalog, select(recipe, catalog, decisions).mask)


# The uids of the rows of the catalog, which are not in order.
SHUFFLED = [5, 2, 6, 0, 3, 1, 4]


@pytest.fixture(scope="module")
def shuffled(tmp_path_factory):
    """Seven samples, by uid: one best, five equal, one without a score."""
    values = {"quality": [0.5, 0.5, 0.5, 0.9, 0.5, None, 0.5]}
    rows = [{"uid": make.uid(number)} for number in SHUFFLED]
    workspace, catalog = make.catalog(tmp_path_factory.mktemp("shuffled"), values, rows)
    assert [row["uid"] for row in catalog.rows(range(7))] == [make.uid(n) for n in SHUFFLED]
    return catalog, Decisions.of(workspace)


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, [3]), (2, [0, 3]), (3, [0, 1, 3]), (4, [0, 1, 2, 3]), (5, [0, 1, 2, 3, 4])],
)
def test_ties_break_by_uid_and_not_by_the_order_of_rows(shuffled, count, expected):
    assert chosen(shuffled, f"[{{score: quality, count: {count}}}]") == expected


def test_ties_are_broken_among_the_survivors_alone(shuffled):
    keep_and_drop = f"keep: ['{make.uid(0)}', '{make.uid(1)}']"
    shuffled[1].save_recipe("two", Recipe.parse(f"steps: [{{where: width < 0}}]\n{keep_and_drop}"))
    steps = "[{except: two}, {score: quality, count: 2}]"
    assert chosen(shuffled, steps) == [2, 3]


@pytest.mark.parametrize(
    ("share", "count"), [(0.07, 0), (0.08, 1), (0.3, 2), (0.35, 2), (0.4, 3), (0.42, 3), (0.8, 6)]
)
def test_a_share_is_rounded_to_the_nearest_number_of_samples(shuffled, share, count):
    for of in ("pool", "survivors"):
        step = f"[{{score: quality, top: {share}, of: {of}}}]"
        assert len(chosen(shuffled, step)) == count


def test_the_uids_of_a_selection_are_sorted_whatever_the_order_of_rows(shuffled):
    catalog, decisions = shuffled
    decisions.save_uid_list("listed", uids.to_words([make.uid(n) for n in (6, 1, 6)]), "a test")
    recipe = Recipe.parse("steps: [{score: quality, top: 0}, {union: listed}]")
    selection = select(recipe, catalog, decisions)
    expected = [make.uid(n) for n in (1, 6, 6)]
    assert uids.to_hex(selection.sorted_uids).to_pylist() == expected
    (listed,) = selection.sets
    assert uids.to_hex(listed.sorted_uids).to_pylist() == expected


def test_a_sample_is_repeated_65535_times_at_most(shuffled):
    catalog, decisions = shuffled
    words = np.repeat(uids.to_words([make.uid(3)]), 65537, axis=0)
    decisions.save_uid_list("many", words, "a test")
    selection = select(Recipe.parse("steps: [{intersect: many}]"), catalog, decisions)
    assert selection.count == 1
    recipe = Recipe.parse("steps: [{score: quality, top: 0}, {union: many}]")
    assert select(recipe, catalog, decisions).count == 65535


def test_top_zero_selects_nothing(world):
    assert chosen(world, "[{score: quality, top: 0}]") == []


def test_top_one_selects_the_whole_pool_of_those_with_a_score(world):
    assert chosen(world, "[{score: quality, top: 1}]") == [0, 1, 2, 3, 5, 7, 8, 9]


def test_the_best_come_first(world):
    assert chosen(world, "[{score: quality, top: 0.2}]") == [0, 7]
    assert chosen(world, "[{score: quality, count: 1}]") == [0]


def test_ties_break_by_uid(world):
    assert chosen(world, "[{score: quality, count: 3}]") == [0, 1, 7]
    assert chosen(world, "[{score: quality, count: 4}]") == [0, 1, 2, 7]
    assert chosen(world, "[{score: quality, count: 5}]") == [0, 1, 2, 5, 7]


def test_a_missing_score_is_never_selected_by_that_score(world):
    for rule in ("top: 1", "count: 10", "at_least: -100", "at_most: 100", "at_least: -.inf"):
        assert not {4, 6} & set(chosen(world, f"[{{score: quality, {rule}}}]")), rule


def test_a_count_beyond_the_pool_selects_all_with_a_score(world):
    assert len(chosen(world, "[{score: quality, count: 1000}]")) == 8
    assert chosen(world, "[{score: quality, count: 0}]") == []


def test_at_least_and_at_most_include_their_boundary(world):
    assert chosen(world, "[{score: quality, at_least: 0.7}]") == [0, 7]
    assert chosen(world, "[{score: quality, at_most: 0.1}]") == [3, 9]
    assert chosen(world, "[{score: quality, at_least: 0.7000001}]") == [0]


def test_a_fraction_is_of_the_whole_pool_even_after_other_steps(world):
    # 20 % of ten are two, of the five that the first step left.
    assert chosen(world, "[{score: nearness, top: 0.5}, {score: quality, top: 0.2, of: pool}]") == [
        5,
        7,
    ]


def test_a_fraction_of_the_survivors_is_of_what_is_left(world):
    # 40 % of the five that the first step left.
    assert chosen(
        world, "[{score: nearness, top: 0.5}, {score: quality, top: 0.4, of: survivors}]"
    ) == [5, 7]
    assert chosen(
        world, "[{score: nearness, top: 0.5}, {score: quality, top: 0.2, of: survivors}]"
    ) == [7]


def test_steps_narrow_what_the_steps_before_left(world):
    assert chosen(world, '[{where: "nearness < 0.55"}, {score: quality, count: 2}]') == [0, 1]


def test_union_adds_a_list(world):
    assert chosen(world, "[{score: quality, count: 1}, {union: listed}]") == [0, 3, 4]


def test_intersect_keeps_what_is_on_a_list(world):
    assert chosen(world, "[{score: quality, at_most: 0.5}, {intersect: listed}]") == [3]


def test_except_takes_a_list_away(world):
    assert chosen(world, "[{except: listed}]") == [0, 1, 2, 5, 6, 7, 8, 9]


def test_a_saved_selection_can_be_combined_like_a_list(world):
    assert chosen(world, "[{intersect: best}]") == [0, 7]
    assert chosen(world, "[{intersect: listed}, {union: best}]") == [0, 3, 4, 7]
    assert chosen(world, "[{score: quality, top: 1}, {except: best}]") == [1, 2, 3, 5, 8, 9]


def test_keep_and_drop_come_last_and_drop_wins(world):
    rest = f"keep: ['{make.uid(4)}', '{make.uid(9)}']\ndrop: ['{make.uid(0)}', '{make.uid(9)}']"
    assert chosen(world, "[{score: quality, count: 2}]", rest) == [4, 7]


def test_uids_to_keep_that_the_dataset_lacks_are_reported(world):
    catalog, _ = world
    recipe = Recipe("r", keep=(make.uid(500), make.uid(1)), drop=(make.uid(600),))
    assert select(recipe, catalog).unknown == (make.uid(500), make.uid(600))
    twice = Recipe("r", keep=(make.uid(500), make.uid(500)))
    assert select(twice, catalog).unknown == (make.uid(500),)


def test_the_number_of_remaining_samples_is_reported_per_step(world):
    catalog, decisions = world
    steps = "[{score: nearness, top: 0.5}, {score: quality, count: 2}, {union: listed}]"
    selection = select(Recipe.parse(f"steps: {steps}"), catalog, decisions)
    assert selection.remaining == (5, 2, 5)  # the list has one uid twice
    assert (selection.count, selection.fraction) == (5, 0.5)


def copies(world, steps, rest=""):
    catalog, decisions = world
    selection = select(Recipe.parse(f"steps: {steps}\n{rest}"), catalog, decisions)
    return {n: int(k) for n, k in enumerate(selection.copies) if k}


def test_a_sample_that_a_list_repeats_is_repeated_by_union_as_often(world):
    none = "{score: quality, top: 0}"
    assert copies(world, f"[{none}, {{union: listed}}]") == {3: 2, 4: 1}
    assert copies(world, "[{score: quality, at_least: 0.1}, {union: listed}]")[3] == 2
    assert copies(world, f"[{none}, {{union: listed}}, {{union: listed}}]") == {3: 2, 4: 1}
    assert copies(world, f"[{none}, {{union: listed}}, {{score: nearness, count: 1}}]") == {4: 1}
    assert copies(world, f"[{none}, {{union: listed}}, {{where: 'nearness < 0.45'}}]") == {3: 2}


def test_repeats_of_a_list_are_no_more_than_what_both_have(world):
    assert copies(world, "[{intersect: listed}]") == {3: 1, 4: 1}
    assert 3 not in copies(world, "[{except: listed}]")
    both = "[{score: quality, top: 0}, {union: listed}, {intersect: listed}]"
    assert copies(world, both) == {3: 2, 4: 1}


def test_keep_adds_no_repeat_and_drop_takes_them_all(world):
    steps = "[{score: quality, top: 0}, {union: listed}]"
    assert copies(world, steps, f"keep: ['{make.uid(3)}', '{make.uid(0)}']") == {0: 1, 3: 2, 4: 1}
    assert copies(world, steps, f"drop: ['{make.uid(3)}']") == {4: 1}


def test_the_digest_counts_repeats(world):
    catalog, decisions = world
    steps = "steps: [{score: quality, top: 0}, {union: listed}]"
    selection = select(Recipe.parse(steps), catalog, decisions)
    text = "".join(make.uid(n) + "\n" for n in (3, 3, 4))
    assert selection.digest == hashlib.sha256(text.encode()).hexdigest()
    assert uids.to_hex(selection.sorted_uids).to_pylist() == text.split()


def test_an_unknown_score_is_named_with_the_existing_ones(world):
    with pytest.raises(CurationError, match=r"no score or column 'qualty'.*quality"):
        chosen(world, "[{score: qualty, top: 0.5}]")


def test_text_is_not_a_score(world):
    with pytest.raises(CurationError, match="'caption' holds VARCHAR, not numbers"):
        chosen(world, "[{score: caption, top: 0.5}]")


def test_an_unknown_list_is_named_with_the_existing_ones(world):
    with pytest.raises(CurationError, match=r"no selection or uid list 'none'.*best, listed"):
        chosen(world, "[{union: none}]")


def test_a_list_cannot_be_named_without_decisions(world):
    with pytest.raises(CurationError, match="no selection or uid list 'listed'"):
        select(Recipe.parse("steps: [{union: listed}]"), world[0])


def test_selections_that_refer_to_each_other_are_refused(world):
    catalog, decisions = world
    decisions.save_recipe("one", Recipe.parse("steps: [{union: best}]"))
    decisions.save_recipe("two", Recipe.parse("steps: [{union: one}]"))
    decisions.save_recipe("one", Recipe.parse("steps: [{union: two}]"))
    with pytest.raises(CurationError, match="'one' refers to itself"):
        select(Recipe.parse("steps: [{union: one}]"), catalog, decisions)


def test_replaying_a_recipe_gives_the_same_uids_and_hash(world):
    catalog, decisions = world
    recipe = Recipe.parse("steps: [{score: quality, top: 0.4}, {union: listed}]")
    first = select(recipe, catalog, decisions)
    again = select(Recipe.parse(recipe.to_yaml()), catalog, decisions)
    assert np.array_equal(first.mask, again.mask)
    assert first.digest == again.digest


def test_the_digest_is_of_the_sorted_uids_one_a_line(world):
    catalog, _ = world
    selection = select(Recipe.parse("steps: [{score: quality, count: 2}]"), catalog)
    text = "".join(make.uid(n) + "\n" for n in (0, 7))
    assert selection.digest == hashlib.sha256(text.encode()).hexdigest()
    assert selection.digest != uids.digest(catalog.uids.words)


def test_nothing_selected_has_the_digest_of_nothing(world):
    catalog, _ = world
    selection = select(Recipe.parse("steps: [{score: quality, top: 0}]"), catalog)
    assert selection.digest == hashlib.sha256(b"").hexdigest()
    assert selection.fraction == 0


WALKED = "[{score: quality, top: 0.6}, {score: nearness, count: 2}, {union: listed}]"


def test_a_walk_ends_where_select_does(world):
    catalog, decisions = world
    recipe = Recipe.parse(f"steps: {WALKED}\nkeep: ['{make.uid(6)}']\ndrop: ['{make.uid(3)}']")
    walked, selected = walk(recipe, catalog, decisions), select(recipe, catalog, decisions)
    assert walked.problem is None
    assert np.array_equal(walked.selection.copies, selected.copies)
    assert walked.selection.remaining == selected.remaining
    assert walked.selection.digest == selected.digest


def test_a_walk_records_which_step_left_a_sample_out(world):
    catalog, decisions = world
    recipe = Recipe.parse(f"steps: {WALKED}\nkeep: ['{make.uid(6)}']\ndrop: ['{make.uid(3)}']")
    walked = walk(recipe, catalog, decisions)
    # By quality 0 1 2 5 7 8 stay, by nearness 7 and 8; the list brings back 3 and 4.
    assert {step: make.chosen(catalog, walked.left_out_by == step) for step in range(5)} == {
        0: [4, 6, 7, 8],
        1: [9],
        2: [0, 1, 2, 5],
        3: [],
        4: [3],
    }


def test_a_walk_stops_before_a_step_that_is_wrong(world):
    catalog, decisions = world
    recipe = Recipe.parse(
        "steps: [{score: quality, count: 3}, {score: none, top: 1}, {union: best}]"
    )
    walked = walk(recipe, catalog, decisions)
    assert "'none'" in str(walked.problem)
    assert walked.selection.remaining == (3,)
    assert make.chosen(catalog, walked.selection.mask) == [0, 1, 7]
