import numpy as np
import pyarrow as pa
import pytest

from curation import uids
from curation.catalog.catalog import Catalog
from curation.catalog.uid_index import UidIndex
from tests import make

# Not in the order of the rows.
NUMBERS = [7, 3, 2**127 + 1, 5]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    rows = [{"uid": make.uid(number)} for number in NUMBERS]
    return make.workspace(tmp_path_factory.mktemp("u"), rows, shard_size=3).catalog


@pytest.fixture(params=["looked up", "all in memory"])
def index(path, request, monkeypatch):
    index = Catalog(path).uids
    if request.param == "looked up":
        yield index
        assert "words" not in vars(index)
    else:
        assert len(index.words) == len(NUMBERS)
        yield index


def hexes(words):
    return uids.to_hex(words).to_pylist()


def test_words_are_in_the_order_of_the_rows(path):
    assert hexes(Catalog(path).uids.words) == [make.uid(n) for n in NUMBERS]


def test_uids_of_several_batches_follow_one_another():
    class Batches:
        def stream(self, query):
            for part in (NUMBERS[:1], NUMBERS[1:3], NUMBERS[3:]):
                yield pa.record_batch({"uid": [make.uid(number) for number in part]})

    assert hexes(UidIndex(Batches(), len(NUMBERS)).words) == [make.uid(n) for n in NUMBERS]


def test_uids_of_rows_come_in_the_order_of_the_rows_asked_for(index):
    assert hexes(index.words_of(np.array([3, 0, 2]))) == [make.uid(NUMBERS[n]) for n in (3, 0, 2)]
    assert hexes(index.words_of(np.array([1, 1]))) == [make.uid(3)] * 2


def test_rows_are_found_by_uid_in_the_order_of_the_uids(index):
    wanted = [make.uid(n) for n in (2**127 + 1, 99, 3, 7, 3)]
    rows = index.find_rows(wanted)
    assert list(rows.items()) == [(make.uid(3), 1), (make.uid(7), 0), (make.uid(2**127 + 1), 2)]


def test_a_uid_is_found_in_upper_case_and_returned_as_written(index):
    upper = make.uid(2**127 + 10).upper()
    assert index.find_rows([upper]) == {}
    assert index.find_rows([make.uid(0xA).upper()]) == {}
    assert index.find_rows([make.uid(2**127 + 1).upper()]) == {make.uid(2**127 + 1).upper(): 2}


def test_no_uids_are_no_rows(index):
    assert index.find_rows([]) == {}
    assert index.words_of(np.array([], dtype=np.int64)).shape == (0, 2)


def test_what_is_not_a_uid_is_refused(index):
    with pytest.raises(ValueError, match="is not a uid"):
        index.find_rows(["x" * 32])


def test_many_uids_are_read_rather_than_looked_up(path, monkeypatch):
    monkeypatch.setattr("curation.catalog.uid_index._MAX_LOOKUPS", 2)
    few, many = Catalog(path).uids, Catalog(path).uids
    few.find_rows([make.uid(3), make.uid(5), make.uid(3)])
    few.words_of(np.array([0, 1]))
    assert "words" not in vars(few)
    many.find_rows([make.uid(3), make.uid(5), make.uid(7)])
    assert "words" in vars(many)
    others = Catalog(path).uids
    others.words_of(np.array([0, 1, 2]))
    assert "words" in vars(others)
