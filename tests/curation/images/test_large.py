import io

import pytest
from PIL import Image

from curation.errors import CurationError
from curation.images import large
from tests import make


def test_it_is_no_longer_than_its_side(tmp_path):
    make.jpeg(tmp_path / "a.jpg", size=(1600, 1200))
    found = Image.open(io.BytesIO(large.load(tmp_path, {"image_file": "a.jpg"})))
    assert found.size == (768, 576)


def test_a_small_one_stays_as_it_is(tmp_path):
    make.jpeg(tmp_path / "a.jpg", size=(40, 30))
    found = Image.open(io.BytesIO(large.load(tmp_path, {"image_file": "a.jpg"})))
    assert found.size == (40, 30)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({}, "no image"),
        ({"image_file": "gone.jpg"}, "does not exist"),
        ({"image_file": "cut.jpg"}, "cannot be decoded"),
        ({"url": "https://x.example/a.jpg"}, "on the web and was not downloaded"),
    ],
)
def test_where_there_is_none_it_says_why(tmp_path, row, told):
    make.truncated_jpeg(tmp_path / "cut.jpg")
    with pytest.raises(CurationError, match=told):
        large.load(tmp_path, row)
