import hashlib
import os
import subprocess

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation import uids

HEX = st.integers(0, 2**128 - 1).map(lambda n: f"{n:032x}")


@settings(deadline=None)
@given(st.lists(HEX))
def test_hex_and_words_are_the_same_identifiers(texts):
    assert uids.to_hex(uids.to_words(texts)).to_pylist() == texts


@settings(deadline=None)
@given(st.lists(HEX))
def test_words_sort_as_their_hex_text(texts):
    words = uids.to_words(texts)
    assert uids.to_hex(words[uids.order(words)]).to_pylist() == sorted(texts)


@settings(deadline=None)
@given(st.lists(HEX, max_size=20), st.lists(HEX, max_size=20))
def test_find_tells_where_each_stands_or_minus_one(wanted, listed):
    ranked = sorted(set(listed))
    words = uids.to_words(wanted + listed)
    found = uids.find(words, uids.to_words(ranked))
    expected = [ranked.index(t) if t in ranked else -1 for t in wanted + listed]
    assert found.tolist() == expected


def test_find_tells_apart_uids_that_share_their_first_half():
    ranked = uids.to_words([f"{7:016x}{n:016x}" for n in range(0, 20, 2)])
    wanted = uids.to_words([f"{7:016x}{n:016x}" for n in range(20)])
    expected = [n // 2 if n % 2 == 0 else -1 for n in range(20)]
    assert uids.find(wanted, ranked).tolist() == expected


def test_first_of_each_keeps_the_first_row_of_a_repeated_uid():
    words = uids.to_words(["b" * 32, "a" * 32, "b" * 32, "a" * 32])
    assert uids.first_occurrences(words).tolist() == [1, 0]


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_the_digest_is_that_of_sort_and_sha256sum(tmp_path, count):
    texts = [uids.from_key(str(n)) for n in range(count)]
    listing = tmp_path / "uids.txt"
    listing.write_text("".join(f"{text}\n" for text in texts))
    told = subprocess.run(
        f"LC_ALL=C sort '{listing}' | sha256sum",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    assert uids.digest(uids.to_words(texts)) == told.stdout.split()[0]


def test_a_key_always_gives_the_same_uid():
    assert (
        uids.from_key("a.jpg\0a dog")
        == hashlib.blake2b(b"a.jpg\0a dog", digest_size=16).hexdigest()
    )
    assert uids.is_uid(uids.from_key("\ud800"))


@pytest.mark.parametrize("text", ["", "0" * 31, "0" * 33, "g" * 32, "A" * 32, "0" * 31 + "é"])
def test_only_32_lower_case_hex_digits_are_a_uid(text):
    assert not uids.is_uid(text)
    assert uids.is_uid("0123456789abcdef" * 2)


@pytest.mark.parametrize("text", ["", "0" * 31, "0" * 33, "g" * 32, "é" * 16, None])
def test_what_is_no_uid_is_named(text):
    with pytest.raises(ValueError, match=repr(text)):
        uids.to_words(["0" * 32, text])


def test_slices_and_chunks_of_arrow_arrays_are_read_from_their_offset():
    texts = [f"{n:032x}" for n in range(10)]
    chunked = pa.chunked_array([pa.array(texts)[2:4], pa.array(texts)[7:]])
    assert uids.to_hex(uids.to_words(chunked)).to_pylist() == texts[2:4] + texts[7:]


def test_slices_of_large_string_arrays_are_read_from_their_offset():
    texts = [f"{n:032x}" for n in range(10)]
    part = pa.array(texts, pa.large_string())[3:6]
    assert uids.to_hex(uids.to_words(part)).to_pylist() == texts[3:6]


def test_uids_that_share_a_half_are_distinct_and_each_is_counted():
    same_first = ["0" * 32, "0" * 31 + "1", "0" * 31 + "1"]
    same_second = ["1" + "0" * 31, "2" + "0" * 31, "2" + "0" * 31, "2" + "0" * 31]
    words = uids.to_words([*same_second, *same_first])
    first, counts = uids.first_and_counts(words)
    assert uids.to_hex(words[first]).to_pylist() == sorted({*same_first, *same_second})
    assert counts.tolist() == [1, 2, 1, 3]
    assert first.tolist() == [4, 5, 0, 1]


def test_sorted_uids_ascend_by_both_halves():
    low, middle, high = ("0" * 31 + "1", "0" * 31 + "2", "1" + "0" * 31)
    assert uids.is_sorted(uids.to_words([low, middle, middle, high]))
    assert not uids.is_sorted(uids.to_words([middle, low]))
    assert not uids.is_sorted(uids.to_words([high, middle]))
    assert uids.is_sorted(uids.to_words([]))


def test_draw_keys_differ_by_seed_and_draw_and_repeat():
    words = uids.to_words([f"{n:032x}" for n in range(1000)])
    keys = [uids.draw_keys(words, seed, draw) for seed, draw in ((0, 0), (0, 1), (1, 0), (0, 0))]
    assert (keys[0] == keys[3]).all()
    ranks = [np.argsort(np.argsort(k)) for k in keys]
    for other in (1, 2):
        assert abs(np.corrcoef(ranks[0], ranks[other])[0, 1]) < 0.15


def test_draw_keys_are_spread_evenly_over_uids_that_count_up():
    keys = uids.draw_keys(uids.to_words([f"{n:032x}" for n in range(4000)]), 0, 0)
    share = np.histogram(keys / 2.0**64, bins=4, range=(0, 1))[0] / 4000
    assert abs(share - 0.25).max() < 0.04
