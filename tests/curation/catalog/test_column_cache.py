import threading
import time

import numpy as np
import pytest

from curation.catalog.column_cache import ColumnCache


class Source:
    """Columns by name; counts how often each is read."""

    def __init__(self):
        self.reads = []

    def read(self, name):
        time.sleep(0.01)
        self.reads.append(name)
        return np.float32([ord(name), np.nan, 0])


@pytest.fixture
def source():
    return Source()


def test_a_column_is_read_once_and_cannot_be_changed(source):
    cache = ColumnCache(source.read)
    array = cache.array("a")
    assert cache.array("a") is array
    assert source.reads == ["a"]
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


def test_ranks_are_made_once_from_the_column_in_memory(source):
    cache = ColumnCache(source.read)
    ranks = cache.ranks("a")
    assert (len(ranks), ranks.value_at(1)) == (2, ord("a"))
    assert cache.ranks("a") is ranks
    cache.array("a")
    assert source.reads == ["a"]


def test_the_column_not_used_for_longest_is_dropped_with_its_ranks(source, monkeypatch):
    monkeypatch.setattr("curation.catalog.column_cache._CAPACITY", 2)
    cache = ColumnCache(source.read)
    first = cache.ranks("a")
    cache.array("b")
    assert cache.ranks("a") is first
    cache.array("c")
    cache.array("a")
    assert source.reads == ["a", "b", "c"]
    cache.array("b")
    assert source.reads == ["a", "b", "c", "b"]
    cache.array("c")
    assert cache.ranks("a") is not first


def test_reading_uncached_keeps_nothing_and_uses_what_is_in_memory(source):
    cache = ColumnCache(source.read)
    cache.read_uncached("a")
    assert cache.array("a") is cache.read_uncached("a")
    assert source.reads == ["a", "a"]


def test_columns_are_preloaded_once_in_parallel(source):
    cache = ColumnCache(source.read)
    cache.ranks("a")
    cache.preload(["a", "b", "c", "b"])
    assert sorted(source.reads) == ["a", "b", "c"]
    cache.preload(["d"], wait=False)
    assert cache.ranks("d").value_at(1) == ord("d")
    assert source.reads.count("d") == 1


def test_threads_that_need_the_same_column_read_it_once(source):
    cache = ColumnCache(source.read)
    threads = [threading.Thread(target=cache.array, args=("a",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert source.reads == ["a"]
