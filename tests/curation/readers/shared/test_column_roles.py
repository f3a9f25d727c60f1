from pathlib import Path

import pytest
from upath import UPath

from curation.errors import CurationError
from curation.images.location import ImageRef
from curation.readers.shared.column_roles import image_at, pick_column, recorded_size

FILE = Path("a.csv")


@pytest.mark.parametrize(
    ("record", "size"),
    [
        ({"width": 4, "height": 3}, (4, 3)),
        ({"Width": 4.0, "HEIGHT": 3.0}, (4, 3)),
        ({"width": 4, "source_width": 40, "original_width": 400}, (400, None)),
        ({"width": 4, "source_width": 40}, (40, None)),
        ({"width": 4, "original_width": 0, "height": -1}, (4, None)),
        ({"width": 1, "height": 2**31 - 1}, (1, 2**31 - 1)),
        ({"width": 2**31, "height": float("inf")}, (None, None)),
        ({"width": "4", "height": None}, (None, None)),
        ({"width": float("nan")}, (None, None)),
    ],
)
def test_the_recorded_size_prefers_the_original_one(record, size):
    assert recorded_size(record) == size


@pytest.mark.parametrize(
    ("text", "image"),
    [
        (None, None),
        ("1.jpg", ImageRef("1.jpg")),
        (" 1.jpg", ImageRef(" 1.jpg")),
        (" /root/a%20b.jpg ", ImageRef("a%20b.jpg")),
        ("/root2/1.jpg", ImageRef("/root2/1.jpg")),
        (" HTTPS://a.example/1.jpg\n", ImageRef(None, url="HTTPS://a.example/1.jpg")),
        ("ftp://a.example/1.jpg", ImageRef("ftp://a.example/1.jpg")),
    ],
)
def test_text_in_a_cell_is_a_path_or_a_url(text, image):
    assert image_at(text, Path("/root")) == image


def test_a_url_below_a_root_on_the_web_is_an_unquoted_path():
    root = UPath("https://a.example/data")
    assert image_at("https://a.example/data/a%20b.jpg", root) == ImageRef("a b.jpg")
    other = "https://a.example/database/1.jpg"
    assert image_at(other, root) == ImageRef(None, url=other)


def test_a_column_is_picked_by_the_order_of_usual_names_and_ignoring_case():
    assert pick_column(["text", "Caption"], None, ("caption", "text"), "--c", FILE) == "Caption"
    assert pick_column(["TEXT", "text"], None, ("caption", "text"), "--c", FILE) == "TEXT"
    assert pick_column(["x", "text"], "x", ("text",), "--c", FILE) == "x"


@pytest.mark.parametrize(
    ("usual", "names"), [(("a",), "a"), (("a", "b"), "a or b"), (("a", "b", "c"), "a, b or c")]
)
def test_a_missing_column_is_reported_with_usual_names_and_the_option(usual, names):
    message = rf"a\.csv has no column named {names}; it has x, y: name one with --c$"
    with pytest.raises(CurationError, match=message):
        pick_column(["x", "y"], None, usual, "--c", FILE)
    with pytest.raises(CurationError, match=r"a\.csv has no column 'X'; it has x, y$"):
        pick_column(["x", "y"], "X", usual, "--c", FILE)
