import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation.scores import caption_length

# Arrow text holds no half characters.
captions = st.text(st.characters(exclude_categories=["Cs"]))


@settings(deadline=None)
@given(st.lists(captions))
@example(["", " ", "\n", "a\u00a0b\u3000c", "\x1ca\x1fb", "a \n\t b", "e\u0301"])
def test_counts_words_as_split_does_and_characters_as_strip_leaves(texts):
    found = caption_length(texts)
    assert found.words.tolist() == [len(text.split()) for text in texts]
    assert found.characters.tolist() == [len(text.strip()) for text in texts]


@pytest.mark.parametrize(
    ("caption", "words", "characters"),
    [
        ("a dog on the beach", 5, 18),
        ("  two\nlines ", 2, 9),
        ("狗在沙滩上奔跑", 1, 7),
        ("👍🏽", 1, 2),
        ("", 0, 0),
        (None, 0, 0),
    ],
)
def test_examples(caption, words, characters):
    found = caption_length([caption])
    assert (found.words.tolist(), found.characters.tolist()) == ([words], [characters])


def test_takes_arrow_arrays_and_parts_of_them():
    whole = pa.chunked_array([["one two", "three"], ["four five six", None]])
    assert caption_length(whole).words.tolist() == [2, 1, 3, 0]
    assert caption_length(whole.chunk(0)[1:]).words.tolist() == [1]


def test_of_no_captions_is_no_length():
    assert caption_length([]).words.shape == (0,)
