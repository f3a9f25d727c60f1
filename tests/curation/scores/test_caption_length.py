import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation.scores import caption_length

# Arrow strings cannot hold surrogates.
captions = st.text(st.characters(exclude_categories=["Cs"]))


@settings(deadline=None)
@given(st.lists(captions))
@example(["", " ", "\n", "a\u00a0b\u3000c", "\x1ca\x1fb", "a \n\t b", "e\u0301"])
def test_counts_words_as_split_and_characters_as_strip(texts):
    result = caption_length(texts)
    assert result.words.tolist() == [len(text.split()) for text in texts]
    assert result.characters.tolist() == [len(text.strip()) for text in texts]


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
def test_lengths_of_examples(caption, words, characters):
    result = caption_length([caption])
    assert (result.words.tolist(), result.characters.tolist()) == ([words], [characters])


def test_accepts_arrow_arrays_and_slices():
    whole = pa.chunked_array([["one two", "three"], ["four five six", None]])
    assert caption_length(whole).words.tolist() == [2, 1, 3, 0]
    assert caption_length(whole.chunk(0)[1:]).words.tolist() == [1]


def test_no_captions_give_an_empty_result():
    assert caption_length([]).words.shape == (0,)
