"""Images that are web addresses: shown only if the switch in the sidebar is on."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from curation.images import connect, thumbnails
from tests.pages.conftest import Open, html
from tests.web import ALL, Page, Site, pictures, serving, workspace

COUNT = 8
SWITCH = "web_images"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server of pictures, of which the fourth is missing."""
    monkeypatch.setenv(connect.PRIVATE, "1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    pages = pictures(COUNT)
    pages["/3.jpg"] = Page(b"gone", 404)
    with serving(pages) as site:
        yield site


@pytest.fixture
def web(tmp_path: Path, site: Site) -> Path:
    return workspace(tmp_path / "web", [f"{site.address}/{n}.jpg" for n in range(COUNT)])


def frames(app: AppTest) -> list[str]:
    """What each frame shows: ``picture``, or the text of the placeholder."""
    divs = re.findall(r"<div class='frame.*?</div>", html(app))
    return [
        "picture" if "<img" in frame else " ".join(re.sub("<[^>]*>", " ", frame).split())
        for frame in divs
    ]


@pytest.mark.parametrize(
    ("page", "parameters"),
    [
        ("quadrants", ALL),
        ("quadrants", ALL | {"shown": "line", "x_top": "50"}),
        ("quadrants", ALL | {"shown": "box", "box": "-1,9,-1,9"}),
        ("overview", {}),
    ],
)
def test_nothing_is_fetched_until_the_switch_is_on(
    open_page: Open, web: Path, site: Site, page: str, parameters: dict[str, str]
) -> None:
    app = open_page(page, root=web, **parameters)
    assert not app.toggle(key=SWITCH).value
    assert set(frames(app)) == {"Image on the web 127.0.0.1"}
    assert site.asked == []
    app.toggle(key=SWITCH).set_value(True).run()
    assert set(frames(app)) == {"picture", "Not reachable 127.0.0.1"}
    assert not app.exception


def test_pictures_are_inlined_and_no_address_is_a_link(
    open_page: Open, web: Path, site: Site
) -> None:
    app = open_page("quadrants", root=web, **ALL)
    for is_on in (False, True):
        app.toggle(key=SWITCH).set_value(is_on).run()
        page = html(app)
        assert "<a " not in page
        assert set(re.findall(r"src='(.{10})", page)) <= {"data:image"}
    (first, *_) = re.findall(r"src='data:image/jpeg;base64,([^']*)'", page)
    shown = Image.open(io.BytesIO(base64.b64decode(first)))
    assert shown.format == "JPEG"


def test_an_image_is_fetched_once_and_a_failed_one_again_later(
    open_page: Open, web: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page("quadrants", root=web, **ALL)
    app.toggle(key=SWITCH).set_value(True).run()
    assert sorted(site.asked) == sorted(f"/{n}.jpg" for n in range(COUNT))
    assert "HTTP 404 Not Found" in html(app)
    site.asked.clear()
    app.selectbox(key="order").set_value("best").run()
    assert site.asked == []
    site.pages |= pictures(COUNT)
    later = thumbnails.time.monotonic() + thumbnails.RETRY_AFTER
    monkeypatch.setattr(thumbnails.time, "monotonic", lambda: later)
    app.run()
    assert site.asked == ["/3.jpg"]
    assert set(frames(app)) == {"picture"}


def test_switching_off_hides_the_pictures(open_page: Open, web: Path) -> None:
    app = open_page("quadrants", root=web, **ALL)
    app.toggle(key=SWITCH).set_value(True).run()
    app.toggle(key=SWITCH).set_value(False).run()
    assert set(frames(app)) == {"Image on the web 127.0.0.1"}


def test_the_switch_belongs_to_the_session(open_page: Open, web: Path, site: Site) -> None:
    app = open_page("quadrants", root=web, **ALL)
    app.toggle(key=SWITCH).set_value(True).run()
    for page in ("export", "overview", "export", "quadrants"):
        app.switch_page(f"pages/{page}.py").run()
    assert app.toggle(key=SWITCH).value
    assert "picture" in frames(app)
    link = {name: values[0] for name, values in app.query_params.items()}
    assert SWITCH not in link
    site.asked.clear()
    other = open_page("quadrants", root=web, **link, **{SWITCH: "true"})
    assert not other.toggle(key=SWITCH).value
    assert site.asked == []


def test_without_web_images_there_is_no_switch(open_page: Open, tmp_path: Path) -> None:
    app = open_page("quadrants", root=workspace(tmp_path / "files", ["a.jpg", "b.jpg"]), **ALL)
    assert not app.toggle
    assert frames(app) == ["picture"] * 2


def test_images_in_files_do_not_need_the_switch(
    open_page: Open, tmp_path: Path, site: Site
) -> None:
    images = ["a.jpg", f"{site.address}/1.jpg", "c.jpg"]
    root = workspace(tmp_path / "mixed", images)
    app = open_page("quadrants", root=root, **ALL)
    assert sorted(frames(app)) == ["Image on the web 127.0.0.1", "picture", "picture"]
    app.toggle(key=SWITCH).set_value(True).run()
    assert frames(app) == ["picture"] * 3
    assert site.asked == ["/1.jpg"]


def test_addresses_are_escaped(open_page: Open, tmp_path: Path) -> None:
    images = ["https://<b onclick=x>'&.example/'><script>a.jpg", "http://[::1/a.jpg"]
    app = open_page("quadrants", root=workspace(tmp_path / "odd", images), **ALL)
    assert "<script" not in html(app)
    assert "<b onclick" not in html(app)
    assert frames(app).count("Image on the web") == 1
    app.toggle(key=SWITCH).set_value(True).run()
    assert all(frame.startswith("Not reachable") for frame in frames(app))
    assert "<script" not in html(app)
    assert not app.exception


def test_private_addresses_are_not_fetched(
    open_page: Open, web: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(connect.PRIVATE)
    app = open_page("quadrants", root=web, **ALL)
    app.toggle(key=SWITCH).set_value(True).run()
    assert set(frames(app)) == {"Not reachable 127.0.0.1"}
    assert site.asked == []
