import numpy as np
import pyarrow as pa
import pytest

from curation.scores import basic_filter

ENGLISH = "a dog running on the beach"


def passes(caption=ENGLISH, width=640, height=480):
    (passed,) = basic_filter([caption], pa.array([width]), pa.array([height])).tolist()
    return passed


def test_an_english_caption_and_a_large_image_pass():
    assert passes()


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("Ein Hund läuft am Strand entlang", False),
        ("running dog", False),
        ("the running dog", True),
        ("a b c", False),
        ("😀 😀 😀 😀 😀 😀", False),
        ("", False),
        (None, False),
    ],
)
def test_the_caption_must_be_english_with_more_than_two_words_and_five_characters(
    caption, expected
):
    assert passes(caption) == expected


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (200, 200, True),
        (199, 640, False),
        (600, 200, True),
        (200, 600, True),
        (601, 200, False),
        (200, 601, False),
        (None, 480, False),
        (640, 0, False),
    ],
)
def test_the_image_must_have_sides_of_200_pixels_and_a_ratio_of_three(width, height, expected):
    sides = pa.array([width], pa.int32()), pa.array([height], pa.int32())
    assert basic_filter([ENGLISH], *sides).tolist() == [expected]


def test_each_pair_is_filtered_separately():
    captions = [ENGLISH, "no", ENGLISH, "Ein Hund läuft am Strand", ENGLISH]
    result = basic_filter(captions, pa.array([640, 640, 9, 640, 300]), pa.array([480] * 5))
    assert result.tolist() == [True, False, False, False, True]
    assert result.dtype == np.bool_


def test_no_pairs_give_an_empty_result():
    none = pa.array([], pa.int32())
    assert basic_filter([], none, none).shape == (0,)
