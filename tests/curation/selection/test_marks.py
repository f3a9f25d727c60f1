import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from curation.analysis.quadrants import View
from curation.cli import main
from curation.errors import CurationError
from curation.selection import marks
from curation.selection.marks import Change, Marks, MarkStatus
from curation.selection.recipe import Recipe
from curation.selection.select import select
from tests import make

A, B, C, D = (make.uid(n) for n in range(4))


@pytest.fixture
def made(tmp_path):
    return Marks(tmp_path / "curation.duckdb")


def test_without_marks_everything_is_empty_and_no_file_is_written(made):
    assert made.all() == ((), ())
    assert made.counts() == {"keep": 0, "drop": 0}
    assert made.among([A]) == {}
    assert (made.newest(), made.log(), made.can_undo_redo()) == ([], [], (False, False))
    assert made.undo() is made.redo() is made.clear() is made.mark([A], None) is None
    assert made.mark([], "keep") is None
    assert not made.path.exists()


def test_a_sample_has_one_mark_the_last(made):
    assert made.mark([B, A], "keep") == Change("keep", (B, A))
    made.mark([B, C], "drop")
    assert made.all() == ((A,), (B, C))
    assert made.counts() == {"keep": 1, "drop": 2}
    assert made.among([B, A, D]) == {A: "keep", B: "drop"}
    made.mark([B], None)
    assert made.all() == ((A,), (C,))


def test_only_what_changes_is_a_change(made):
    made.mark([A], "keep")
    assert made.mark([A, A], "keep") is None
    assert made.mark([A, B, B], "keep") == Change("keep", (B,))
    assert len(made.log()) == 2


def test_undo_and_redo_go_back_and_forth(made):
    made.mark([A, B], "keep")
    made.mark([B, C], "drop")
    made.clear()
    states = [((), ()), ((A,), (B, C)), ((A, B), ()), ((), ())]
    for done, state in zip(("cleared 3", "dropped 2", "kept 2"), states[1:], strict=True):
        assert str(made.undo()) == done
        assert made.all() == state
    assert made.undo() is None
    for state in states[2::-1]:
        assert made.redo() is not None
        assert made.all() == state
    assert made.redo() is None


def test_a_change_after_an_undo_replaces_what_was_undone(made):
    for uid in (A, B):
        made.mark([uid], "keep")
    made.undo()
    made.mark([C], "drop")
    assert made.redo() is None
    assert (made.undo(), made.undo()) == (Change("drop", (C,)), Change("keep", (A,)))
    assert made.undo() is None
    assert made.can_undo_redo() == (False, True)


def test_what_is_undone_has_its_old_time_again(made, monkeypatch):
    for number, mark in enumerate(("keep", "drop")):
        monkeypatch.setattr(marks, "now", lambda n=number: f"2026-01-0{n + 1}T00:00:00+00:00")
        made.mark([A], mark)
    made.undo()
    assert [(m.mark, m.marked[:10]) for m in made.newest()] == [("keep", "2026-01-01")]
    made.redo()
    assert [(m.mark, m.marked[:10]) for m in made.newest()] == [("drop", "2026-01-02")]


def test_the_newest_come_first(made):
    for uid in (A, C, B):
        made.mark([uid], "keep")
    assert [mark.uid for mark in made.newest()] == [B, C, A]
    assert [mark.uid for mark in made.newest(1, 1)] == [C]
    # Marked at the same time: the last one first.
    made.mark([A, D], "drop")
    assert [mark.uid for mark in made.newest(2)] == [D, A]


def test_every_change_is_logged(made):
    made.mark([A], "keep")
    made.mark([A], "drop")
    made.undo()
    made.clear()
    lines = [(line.action, line.old, line.new) for line in reversed(made.log())]
    assert lines == [
        ("keep", None, "keep"),
        ("drop", "keep", "drop"),
        ("undo", "drop", "keep"),
        ("clear", "keep", None),
    ]
    assert all(line.uid == A and line.logged for line in made.log())
    assert len(made.log(2)) == 2


@pytest.mark.parametrize("uid", ["", "a", A.upper() + "g", "G" * 32, A + "\n"])
def test_what_is_no_uid_is_not_marked_nor_what_comes_with_it(made, uid):
    with pytest.raises(CurationError, match="is not a uid"):
        made.mark([B, uid], "keep")
    assert made.counts()["keep"] == 0


def test_a_uid_in_capitals_is_the_same_sample(made):
    uid = "ab" * 16
    assert made.mark([uid.upper(), uid], "keep") == Change("keep", (uid,))
    assert made.mark([uid], "keep") is None


def test_a_line_of_the_log_is_reverted_while_it_stands(made):
    made.mark([A, B], "keep")
    made.mark([A], "drop")
    dropped, kept_b, kept_a = made.log()
    assert [line.is_current for line in (dropped, kept_b, kept_a)] == [True, True, False]
    assert made.revert(kept_a.number) is made.revert(99) is None
    assert made.revert(dropped.number) == Change("revert", (A,))
    assert made.all() == ((A, B), ())
    assert made.revert(kept_b.number) == Change("revert", (B,))
    assert made.all() == ((A,), ())
    assert str(made.undo()) == "reverted 1"
    assert made.all() == ((A, B), ())
    assert made.log(1, 1)[0].action == "revert"


def test_the_status_has_marks_counts_and_a_growing_version(made):
    assert made.status([A]) == MarkStatus({}, 0, 0, 0)
    made.mark([A, B], "keep")
    made.mark([C], "drop")
    assert made.status([C, A, D]) == MarkStatus({A: "keep", C: "drop"}, 2, 1, 3)
    made.undo()
    assert made.status([C]) == MarkStatus({}, 2, 0, 4)


# Root may write everywhere; this process becomes someone who may not.
AS_A_GUEST = """
import os, sys
from pathlib import Path
from curation.errors import CurationError
from curation.selection.marks import Marks
from curation.selection.decisions import Decisions
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
path = Path(sys.argv[1])
made = Marks(path)
print(made.all(), made.can_undo_redo(), len(made.log()), Decisions(path).selection_names())
for change in (lambda: made.mark(["1" * 32], "keep"), made.undo, made.clear):
    try:
        print(change())
    except CurationError as problem:
        print(problem)
"""


@pytest.mark.parametrize("has_file", [True, False])
def test_where_nothing_may_be_written_marks_are_read_and_no_more(has_file):
    # Not below pytest's own folder, which is nobody else's to look into.
    with tempfile.TemporaryDirectory() as folder:
        made = Marks(Path(folder) / "curation.duckdb")
        if has_file:
            made.mark([A], "keep")
            made.path.chmod(0o444)
        Path(folder).chmod(0o555)
        run = subprocess.run(
            [sys.executable, "-c", AS_A_GUEST, str(made.path)],
            capture_output=True,
            text=True,
            check=True,
        )
        Path(folder).chmod(0o755)
        assert made.all() == (((A,), ()) if has_file else ((), ()))
    seen, *changes = run.stdout.splitlines()
    if has_file:
        assert seen == f"{((A,), ())} (True, False) 1 []"
        assert changes == [f"{made.path} cannot be written: it is read-only"] * 3
    else:
        assert seen == "((), ()) (False, False) 0 []"
        assert "curation.duckdb cannot be opened" in changes[0]


def test_there_are_two_marks(made):
    with pytest.raises(CurationError, match="'maybe' is not a mark"):
        made.mark([A], "maybe")


def test_many_are_marked_at_once(made):
    many = [make.uid(n) for n in range(100_000)]
    start = time.perf_counter()
    made.mark(many, "drop")
    made.undo()
    assert time.perf_counter() - start < 20
    made.redo()
    assert made.counts() == {"keep": 0, "drop": len(many)}


def test_threads_take_turns(made):
    threads = [threading.Thread(target=made.mark, args=([make.uid(n)], "keep")) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made.counts()["keep"] == 8
    assert len({line.uid for line in made.log()}) == 8


@pytest.fixture
def scored_pairs(tmp_path):
    return make.catalog(tmp_path, {"x": [0.1, 0.2, 0.3, 0.4], "y": [0.4, 0.3, 0.2, 0.1]})


def test_marks_hold_wherever_the_lines_are(scored_pairs):
    workspace, catalog = scored_pairs
    made = Marks.of(workspace)
    made.mark([A], "keep")
    made.mark([D, make.uid(99)], "drop")
    for x_line, by_score in ((0.1, [0, 1, 2, 3]), (0.25, [2, 3]), (0.5, [])):
        recipe = View(catalog, "x", "y", x_line, 0.0).recipe("high_high", "q", *made.all())
        chosen = select(Recipe.parse(recipe.to_yaml()), catalog)
        assert make.chosen(catalog, chosen.mask) == sorted({0, *by_score} - {3})
        assert chosen.unknown == (make.uid(99),)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((3, 5), "3 kept and 5 dropped by hand"),
        ((0, 1200), "1,200 dropped by hand"),
        ((1, 0), "1 kept by hand"),
        ((0, 0), "nothing marked by hand"),
    ],
)
def test_counts_in_words(counts, words):
    assert marks.describe_counts(*counts) == words


def test_the_command_line_lists_and_clears(scored_pairs, monkeypatch, capsys):
    workspace, _ = scored_pairs

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["curation", "marks", str(workspace.path), *arguments])
        main.main()
        return capsys.readouterr().out.splitlines()

    assert call() == ["nothing marked by hand"]
    assert call("--clear") == ["there are no marks"]
    assert call("--undo") == ["there is nothing to undo"]
    made = Marks.of(workspace)
    made.mark([A], "keep")
    made.mark([make.uid(99)], "drop")
    drop, keep, counts = call()
    assert drop.startswith(f"{make.uid(99)}  drop  20")
    assert keep.startswith(f"{A}  keep  20")
    assert counts == "1 kept and 1 dropped by hand, 1 of them not in this dataset"
    assert call("--clear") == ["cleared 2"]
    assert call("--undo") == ["undone: cleared 2"]
    assert made.counts() == {"keep": 1, "drop": 1}
    log = [line.split("  ")[1:] for line in call("--log")]
    assert log[0] == ["undo", make.uid(99), "unmarked → drop"]
    assert log[-1] == ["keep", A, "unmarked → keep"]
    assert len(log) == 6
