import io
import os
import shutil
import time

import pytest
from PIL import Image

from curation.catalog.catalog import Catalog
from curation.images import connect, thumbnails
from curation.storage.workspace import Workspace
from tests import make
from tests.web import Page, pictures, serving


def test_a_thumbnail_is_a_small_jpeg_in_the_cache(scored_copy, source):
    catalog = Catalog.of(scored_copy)
    rows = catalog.rows([0, 1])
    first = thumbnails.load(scored_copy, source, rows)
    assert all(max(Image.open(io.BytesIO(data)).size) <= thumbnails.SIDE for data in first)
    kept = sorted(scored_copy.thumbnails.rglob("*.jpg"))
    assert len(kept) == 2
    assert thumbnails.load(scored_copy, source, rows) == first


def test_a_missing_image_has_no_thumbnail(scored_copy, tmp_path):
    rows = Catalog.of(scored_copy).rows([0])
    assert thumbnails.load(scored_copy, tmp_path, rows) == [None]


def test_a_path_outside_the_image_root_has_no_thumbnail(scored_copy, source):
    row = Catalog.of(scored_copy).rows([0])[0] | {"image_file": "../../etc/passwd", "uid": "0" * 32}
    assert thumbnails.load(scored_copy, source, [row]) == [None]


def test_a_changed_image_gets_a_new_thumbnail(scored_copy, source, tmp_path):
    folder = shutil.copytree(source, tmp_path / "photos")
    rows = Catalog.of(scored_copy).rows([0])
    before = thumbnails.load(scored_copy, folder, rows)
    make.jpeg(folder / rows[0]["image_file"], seed=99)
    os.utime(folder / rows[0]["image_file"], ns=(2**62, 2**62))
    assert thumbnails.load(scored_copy, folder, rows) != before


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv(connect.PRIVATE, "1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving(pictures(1) | {"/page": Page(b"<html>")}) as result:
        yield result


def on_the_web(url):
    return {"uid": make.uid(1), "image_file": None, "url": url}


def test_an_image_on_the_web_is_downloaded_only_if_allowed(site, tmp_path):
    workspace, row = Workspace(tmp_path), on_the_web(f"{site.address}/0.jpg")
    assert thumbnails.load(workspace, tmp_path, [row]) == [None]
    assert site.asked == []
    (first,) = thumbnails.load(workspace, tmp_path, [row], from_the_web=True)
    assert Image.open(io.BytesIO(first)).format == "JPEG"
    assert thumbnails.load(workspace, tmp_path, [row], from_the_web=True) == [first]
    assert site.asked == ["/0.jpg"]
    # A cached thumbnail of an image on the web is not shown either.
    assert thumbnails.load(workspace, tmp_path, [row]) == [None]


@pytest.mark.parametrize("path", ["/page", "/none"])
def test_a_failed_download_is_not_repeated_for_some_minutes(site, tmp_path, path, monkeypatch):
    workspace, row = Workspace(tmp_path), on_the_web(site.address + path)
    for _ in range(3):
        assert thumbnails.load(workspace, tmp_path, [row], from_the_web=True) == [None]
    assert site.asked == [path]
    assert thumbnails.failure(row["url"]).startswith("image could not be fetched: ")
    later = time.monotonic() + thumbnails.RETRY_AFTER
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert thumbnails.failure(row["url"]) is None
    site.pages[path] = site.pages["/0.jpg"]
    assert thumbnails.load(workspace, tmp_path, [row], from_the_web=True) != [None]


def test_the_number_of_remembered_failures_is_limited(monkeypatch):
    monkeypatch.setattr(thumbnails, "MAX_FAILURES", 3)
    monkeypatch.setattr(thumbnails, "_failed", {})
    for number in range(10):
        thumbnails._remember_failure(f"http://a.example/{number}", "gone")
    assert len(thumbnails._failed) <= 3
    assert thumbnails.failure("http://a.example/9") == "gone"
