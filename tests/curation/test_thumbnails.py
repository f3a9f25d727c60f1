import io
import os
import shutil

from PIL import Image

from curation import thumbnails
from curation.catalog import Catalog
from tests import make


def test_a_thumbnail_is_a_small_jpeg_that_is_kept(scored_copy, source):
    catalog = Catalog.of(scored_copy)
    rows = catalog.rows([0, 1])
    first = thumbnails.load(scored_copy, source, rows)
    assert all(max(Image.open(io.BytesIO(data)).size) <= thumbnails.SIDE for data in first)
    kept = sorted(scored_copy.thumbnails.rglob("*.jpg"))
    assert len(kept) == 2
    assert thumbnails.load(scored_copy, source, rows) == first


def test_an_image_that_is_gone_has_no_thumbnail(scored_copy, tmp_path):
    rows = Catalog.of(scored_copy).rows([0])
    assert thumbnails.load(scored_copy, tmp_path, rows) == [None]


def test_a_path_out_of_the_image_root_is_not_followed(scored_copy, source):
    row = Catalog.of(scored_copy).rows([0])[0] | {"image_file": "../../etc/passwd", "uid": "0" * 32}
    assert thumbnails.load(scored_copy, source, [row]) == [None]


def test_a_changed_image_gets_a_new_thumbnail(scored_copy, source, tmp_path):
    folder = shutil.copytree(source, tmp_path / "photos")
    rows = Catalog.of(scored_copy).rows([0])
    before = thumbnails.load(scored_copy, folder, rows)
    make.jpeg(folder / rows[0]["image_file"], seed=99)
    os.utime(folder / rows[0]["image_file"], ns=(2**62, 2**62))
    assert thumbnails.load(scored_copy, folder, rows) != before
