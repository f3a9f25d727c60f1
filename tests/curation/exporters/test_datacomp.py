import numpy as np
import pytest

from curation.catalog.catalog import Catalog
from curation.exporters.export import export
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
