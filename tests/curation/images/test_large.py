import io

import pytest
from PIL import Image

from curation.errors import CurationError
from curation.images import large
from tests import make


def test_a_large_image_is_reduced_to_the_side_length(tmp_path):
    make.jpeg(tmp_path / "a.jpg", size=(1600, 1200))
    result = Image.open(io.BytesIO(large.load(tmp_path, {"image_file": "a.jpg"})))
    assert result.size == (768, 576)


def test_a_small_image_keeps_its_size(tmp_path):
    make.jpeg(tmp_path / "a.jpg", size=(40, 30))
    result = Image.open(io.BytesIO(large.load(tmp_path, {"image_file": "a.jpg"})))
    assert result.size == (40, 30)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({}, "no image"),
        ({"image_file": "gone.jpg"}, "does not exist"),
        ({"image_file": "cut.jpg"}, "cannot be decoded"),
        ({"url": "https://x.example/a.jpg"}, "on the web and was not downloaded"),
    ],
)
def test_a_missing_image_is_an_error_with_its_reason(tmp_path, row, message):
    make.truncated_jpeg(tmp_path / "cut.jpg")
    with pytest.raises(CurationError, match=message):
        large.load(tmp_path, row)
