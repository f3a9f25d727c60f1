import multiprocessing
import threading

import numpy as np
import pytest

from curation import uids
from curation.errors import CurationError
from curation.selection.database import open_database
from curation.selection.decisions import Decisions
from curation.selection.recipe import Recipe
from tests import make

RECIPE = Recipe.parse("name: café\nsteps: [{score: a, top: 0.5}]")
WORDS = uids.to_words([make.uid(n) for n in (5, 2**127, 5)])


@pytest.fixture
def decisions(tmp_path):
    return Decisions(tmp_path / "curation.duckdb")


def test_without_decisions_everything_is_empty(decisions):
    assert decisions.names() == []
    assert decisions.recipe("a") is None
    assert decisions.uid_list("a") is None
    assert not decisions.path.exists()


def test_a_saved_selection_comes_back(decisions):
    decisions.save_recipe("mine", RECIPE)
    assert decisions.recipe("mine") == RECIPE
    assert decisions.recipe("other") is None


def test_saving_again_replaces(decisions):
    decisions.save_recipe("mine", RECIPE)
    decisions.save_recipe("mine", Recipe("empty"))
    assert decisions.recipe("mine") == Recipe("empty")
    assert decisions.names() == ["mine"]


def test_a_uid_list_comes_back_with_its_repeats(decisions):
    decisions.save_uid_list("listed", WORDS, "file.npy")
    loaded = decisions.uid_list("listed")
    assert loaded.dtype == np.uint64
    assert sorted(map(tuple, loaded.tolist())) == sorted(map(tuple, WORDS.tolist()))


def test_the_members_of_one_list_are_not_those_of_another(decisions):
    for name, number in (("b", 1), ("a", 2), ("c", 3)):
        decisions.save_uid_list(name, uids.to_words([make.uid(number)]), "f")
    for name, number in (("b", 1), ("a", 2), ("c", 3)):
        assert decisions.uid_list(name).tolist() == [[0, number]]


def test_names_are_sorted(decisions):
    for name in ("c", "a", "d"):
        decisions.save_recipe(name, RECIPE)
    decisions.save_uid_list("b", WORDS, "f")
    assert decisions.selection_names() == ["a", "c", "d"]
    assert [one.name for one in decisions.saved_selections()] == ["a", "c", "d"]
    assert decisions.names() == ["a", "b", "c", "d"]


def test_an_empty_list_is_a_list(decisions):
    decisions.save_uid_list("none", WORDS[:0], "file.npy")
    assert decisions.uid_list("none").shape == (0, 2)


def test_a_list_replaces_an_older_one_whole(decisions):
    decisions.save_uid_list("listed", WORDS, "file.npy")
    decisions.save_uid_list("listed", WORDS[:1], "file.npy")
    assert len(decisions.uid_list("listed")) == 1


def test_a_name_is_a_selections_or_a_lists_but_not_both(decisions):
    decisions.save_recipe("one", RECIPE)
    decisions.save_uid_list("two", WORDS, "f")
    with pytest.raises(CurationError, match="'one' is a selection"):
        decisions.save_uid_list("one", WORDS, "f")
    with pytest.raises(CurationError, match="'two' is a uid list"):
        decisions.save_recipe("two", RECIPE)
    assert decisions.names() == ["one", "two"]


@pytest.mark.parametrize("name", ["", "Big", "a b", "1a", "a;b", "ä", "a" + "\n"])
def test_a_name_is_lower_case_letters_digits_and_underscores(decisions, name):
    with pytest.raises(CurationError, match="cannot name a selection"):
        decisions.save_recipe(name, RECIPE)
    with pytest.raises(CurationError, match="cannot name a uid list"):
        decisions.save_uid_list(name, WORDS, "f")


def test_a_selection_is_not_saved_under_a_name_it_refers_to(decisions):
    with pytest.raises(CurationError, match="refers to 'mine'"):
        decisions.save_recipe("mine", Recipe.parse("steps: [{union: mine}]"))


def test_threads_take_turns(decisions):
    threads = [
        threading.Thread(target=decisions.save_recipe, args=(f"r{n}", RECIPE)) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert decisions.names() == [f"r{n}" for n in range(8)]


def test_processes_take_turns(decisions):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_save_several, args=(decisions.path, n)) for n in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert len(decisions.names()) == 10


def _save_several(path, number):
    for k in range(5):
        Decisions(path).save_recipe(f"p{number}_{k}", RECIPE)


def test_a_file_that_is_no_database_is_named(decisions):
    decisions.path.write_bytes(b"not a database" * 100)
    with pytest.raises(CurationError, match=r"curation\.duckdb cannot be opened"):
        decisions.names()


def test_the_listing_has_steps_and_times(decisions):
    assert decisions.saved_selections() == []
    decisions.save_recipe("two", Recipe("empty"))
    decisions.save_recipe("one", RECIPE)
    decisions.save_uid_list("listed", WORDS, "f")
    one, two = decisions.saved_selections()
    assert (one.name, one.recipe, two.name) == ("one", RECIPE, "two")
    assert two.saved <= one.saved


def test_a_selection_is_renamed_with_its_recipe(decisions):
    decisions.save_recipe("mine", Recipe("mine", RECIPE.steps))
    decisions.rename("mine", "yours")
    assert decisions.names() == ["yours"]
    assert decisions.recipe("yours") == Recipe("yours", RECIPE.steps)


def test_a_selection_is_not_renamed_to_what_cannot_be_a_name(decisions):
    decisions.save_recipe("mine", RECIPE)
    with pytest.raises(CurationError, match="cannot name a selection"):
        decisions.rename("mine", "Not a name")
    assert decisions.names() == ["mine"]


def test_a_recipe_of_another_name_keeps_it(decisions):
    decisions.save_recipe("mine", RECIPE)
    decisions.rename("mine", "yours")
    assert decisions.recipe("yours").name == "café"


@pytest.mark.parametrize("taken", ["other", "listed", "mine"])
def test_a_selection_does_not_take_the_name_of_another(decisions, taken):
    decisions.save_recipe("mine", RECIPE)
    decisions.save_recipe("other", Recipe("empty"))
    decisions.save_uid_list("listed", WORDS, "f")
    with pytest.raises(CurationError, match=f"already a selection or uid list '{taken}'"):
        decisions.rename("mine", taken)
    assert decisions.recipe("mine") == RECIPE
    assert decisions.recipe("other") == Recipe("empty")


def test_a_selection_is_deleted(decisions):
    decisions.save_recipe("mine", RECIPE)
    decisions.save_recipe("other", RECIPE)
    decisions.delete("mine")
    assert decisions.names() == ["other"]


def test_what_others_refer_to_is_neither_renamed_nor_deleted(decisions):
    decisions.save_recipe("base", RECIPE)
    decisions.save_recipe("a", Recipe.parse("steps: [{union: base}]"))
    decisions.save_recipe("b", Recipe.parse("steps: [{except: base}]"))
    with pytest.raises(CurationError, match="'base' cannot be deleted: a, b refer to it"):
        decisions.delete("base")
    decisions.delete("a")
    with pytest.raises(CurationError, match="'base' cannot be renamed: b refers to it"):
        decisions.rename("base", "ground")
    assert decisions.recipe("base") == RECIPE


def test_only_existing_names_are_renamed_or_deleted(decisions):
    decisions.save_uid_list("listed", WORDS, "f")
    for name in ("listed", "none"):
        with pytest.raises(CurationError, match=f"no saved selection '{name}'"):
            decisions.delete(name)
        with pytest.raises(CurationError, match=f"no saved selection '{name}'"):
            decisions.rename(name, "new")
    assert decisions.names() == ["listed"]


def test_renaming_and_deleting_are_logged(decisions):
    decisions.save_recipe("mine", RECIPE)
    decisions.rename("mine", "yours")
    decisions.delete("yours")
    with open_database(decisions.path) as db:
        assert db.execute("SELECT action, name FROM log ORDER BY rowid").fetchall() == [
            ("save selection", "mine"),
            ("rename selection to yours", "mine"),
            ("delete selection", "yours"),
        ]
