import shlex

import numpy as np
import pytest

from curation import uids
from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.exporters import datacomp
from curation.exporters.export import export
from curation.selection.decisions import Decisions
from curation.selection.recipe import Recipe
from curation.selection.select import select
from tests import make


@pytest.fixture
def unsorted(tmp_path):
    rows = [{"uid": make.uid(n)} for n in (2**127, 3, 2**64, 1)]
    return Catalog.of(make.workspace(tmp_path, rows))


def test_datacomp_holds_the_sorted_uids_as_two_halves(unsorted, tmp_path):
    export(unsorted, select(Recipe("all"), unsorted), "datacomp", tmp_path / "a.npy")
    array = np.load(tmp_path / "a.npy", allow_pickle=False)
    assert array.dtype == np.dtype("u8,u8")
    assert [int(hi) << 64 | int(lo) for hi, lo in array] == [1, 3, 2**64, 2**127]


def test_the_file_is_byte_for_byte_as_numpy_saves_it(unsorted, tmp_path):
    export(unsorted, select(Recipe("all"), unsorted), "datacomp", tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", np.array([(0, 1), (0, 3), (1, 0), (2**63, 0)], dtype="u8,u8"))
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


def test_a_repeated_uid_stays_repeated(unsorted, tmp_path):
    decisions = Decisions(tmp_path / "curation.duckdb")
    words = uids.to_words([make.uid(n) for n in (2**64, 1, 2**64, 3, 2**64)])
    decisions.save_uid_list("repeated", words, "a test")
    recipe = Recipe.parse("steps: [{where: width < 0}, {union: repeated}]")
    steps: list[int] = []
    selection = select(recipe, unsorted, decisions)
    export(unsorted, selection, "datacomp", tmp_path / "a.npy", advance=steps.append)
    array = np.load(tmp_path / "a.npy", allow_pickle=False)
    assert array.tolist() == [(0, 1), (0, 3), (1, 0), (1, 0), (1, 0)]
    assert np.array_equal(datacomp.load(tmp_path / "a.npy"), selection.sorted_uids)
    assert sum(steps) == 5


@pytest.mark.parametrize(
    "damage", [lambda array: array[:-1], lambda array: array * 0, lambda array: array[::-1]]
)
def test_a_file_that_does_not_read_back_as_written_is_an_error(
    unsorted, tmp_path, monkeypatch, damage
):
    def save(path, array):
        halves = array.view("u8").reshape(-1, 2)
        np.save(path.open("wb"), np.ascontiguousarray(damage(halves)).view("u8,u8").ravel())

    monkeypatch.setattr(datacomp.matrices, "save", save)
    with pytest.raises(CurationError, match="does not contain what was written to it"):
        export(unsorted, select(Recipe("all"), unsorted), "datacomp", tmp_path / "a.npy")
    assert not (tmp_path / "a.npy").exists()


def test_uids_that_are_not_sorted_are_never_written(unsorted, tmp_path):
    selection = select(Recipe("all"), unsorted)
    # Set before it is computed, as a fault in sorting would.
    selection.__dict__["sorted_uids"] = uids.to_words([make.uid(n) for n in (3, 1)])
    with pytest.raises(CurationError, match="does not contain what was written to it"):
        export(unsorted, selection, "datacomp", tmp_path / "a.npy")
    assert not (tmp_path / "a.npy").exists()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(3, "u8"), "has dtype uint64 and 1 dimensions"),
        (np.zeros((3, 2), "u8"), "has dtype uint64 and 2 dimensions"),
        (np.zeros((3, 2), "u8,u8"), "2 dimensions; a DataComp subset file has dtype u8,u8"),
        (np.array(["a"], object), "is not an .npy file of uids"),
    ],
)
def test_an_array_of_another_kind_is_refused(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(CurationError) as raised:
        datacomp.load(tmp_path / "a.npy")
    assert message in str(raised.value)


def test_a_file_of_another_kind_is_refused(tmp_path):
    np.savez((tmp_path / "a.npy").open("wb"), x=np.zeros(3))
    with pytest.raises(CurationError, match=r"a\.npy is an \.npz file"):
        datacomp.load(tmp_path / "a.npy")
    (tmp_path / "b.npy").write_bytes(b"no array")
    for name in ("b.npy", "none.npy"):
        with pytest.raises(CurationError, match=f"{name} is not an .npy file of uids"):
            datacomp.load(tmp_path / name)


def test_the_resharders_command_takes_any_path(tmp_path):
    path = tmp_path / "it's mine" / "a b.npy"
    assert shlex.split(datacomp.resharder_command(path))[-1] == str(path)
