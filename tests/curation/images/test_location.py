import numpy as np
import pytest
from PIL import Image

from curation.errors import CurationError, UnreadableError
from curation.images import location
from curation.images.location import ImageRef
from tests import make


def test_a_range_of_a_file_is_read(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"0123456789")
    assert ImageRef("a.tar", 3, 4).read(tmp_path) == b"3456"
    assert ImageRef("a.tar", 3, 4).read(tmp_path, at_most=2) == b"34"
    assert ImageRef("a.tar", 3, 4).read(tmp_path, at_most=9) == b"3456"
    assert ImageRef("a.tar").read(tmp_path) == b"0123456789"


@pytest.mark.parametrize(
    ("format", "options"),
    [("JPEG", {"icc_profile": bytes(100_000)}), ("WEBP", {"lossless": True}), ("TIFF", {})],
)
def test_the_size_is_found_behind_a_long_profile(tmp_path, format, options):
    noise = np.random.default_rng(0).integers(0, 256, (150, 200, 3), dtype=np.uint8)
    data = make.encoded(Image.fromarray(noise), format, **options)
    assert len(data) > 1 << 16
    (tmp_path / "a.tar").write_bytes(b"xyz" + data)
    assert ImageRef("a.tar", 3, len(data)).size(tmp_path) == (200, 150)


def test_the_size_of_a_large_image_needs_only_its_first_bytes(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    (tmp_path / "a.jpg").write_bytes(make.encoded(Image.fromarray(noise), quality=95))
    read, asked = ImageRef.read, []
    monkeypatch.setattr(
        ImageRef, "read", lambda self, root, most=None: asked.append(most) or read(self, root, most)
    )
    assert ImageRef("a.jpg").size(tmp_path) == (400, 300)
    assert asked == [1 << 16]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CurationError, match=r"does not exist: no/such.jpg"):
        ImageRef("no/such.jpg").read(tmp_path)


def test_a_path_outside_the_root_is_refused(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret.jpg").write_bytes(b"x")
    (root / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (root / "folder").symlink_to(tmp_path)
    for file in ("../secret.jpg", str(tmp_path / "secret.jpg"), "link.jpg", "folder/secret.jpg"):
        with pytest.raises(CurationError, match="outside the image root"):
            ImageRef(file).read(root)


def test_a_path_inside_the_root_may_have_any_form(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.jpg").write_bytes(b"x")
    for file in ("a/b.jpg", "./a/../a/b.jpg", str(tmp_path / "a" / "b.jpg")):
        assert ImageRef(file).read(tmp_path) == b"x"


@pytest.mark.parametrize("file", ["a\0b.jpg", "\ud800.jpg", "x" * 5000 + ".jpg"])
def test_invalid_file_names_are_refused(tmp_path, file):
    with pytest.raises(CurationError):
        ImageRef(file).read(tmp_path)


def test_circular_links_are_refused(tmp_path):
    (tmp_path / "a.jpg").symlink_to("b.jpg")
    (tmp_path / "b.jpg").symlink_to("a.jpg")
    with pytest.raises(CurationError):
        ImageRef("a.jpg").read(tmp_path)


def test_a_folder_is_not_an_image(tmp_path):
    (tmp_path / "a.jpg").mkdir()
    with pytest.raises(CurationError, match=r"not a regular file: a\.jpg"):
        ImageRef("a.jpg").read(tmp_path)


def test_no_more_than_the_maximum_is_read_of_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(location, "_MAX_BYTES", 3)
    (tmp_path / "a.jpg").write_bytes(b"0123456789")
    assert ImageRef("a.jpg").read(tmp_path) == b"012"


@pytest.mark.parametrize("file", ["gone.jpg", "a.jpg/b.jpg"])
def test_a_file_that_cannot_be_read_now_may_be_read_later(tmp_path, file):
    (tmp_path / "a.jpg").write_bytes(b"x")
    with pytest.raises(UnreadableError, match=file):
        ImageRef(file).read(tmp_path)


def test_a_small_file_that_is_not_an_image_is_read_once(tmp_path, monkeypatch):
    (tmp_path / "a.jpg").write_bytes(b"x")
    read, limits = ImageRef.read, []
    monkeypatch.setattr(
        ImageRef,
        "read",
        lambda self, root, most=None: limits.append(most) or read(self, root, most),
    )
    with pytest.raises(CurationError, match="not an image"):
        ImageRef("a.jpg").size(tmp_path)
    assert limits == [1 << 16]


def test_a_sample_without_file_and_url_has_no_image():
    nothing = dict.fromkeys(location.COLUMNS)
    assert ImageRef.of(nothing) is None
    assert ImageRef.of(nothing | {"url": "http://a"}) == ImageRef(None, url="http://a")
    row = {"image_file": "a.tar", "image_offset": 1, "image_length": 2}
    assert ImageRef.of(nothing | row) == ImageRef("a.tar", 1, 2)
