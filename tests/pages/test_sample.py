"""The Sample page."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from curation.catalog.catalog import Catalog
from curation.selection.marks import Marks
from curation.storage.workspace import Workspace
from tests.pages.conftest import Open, html, metrics
from tests.web import workspace


@pytest.fixture
def catalog(sample_workspace: Workspace) -> Catalog:
    return Catalog.of(sample_workspace)


def uid_of(catalog: Catalog, rowid: int) -> str:
    return str(catalog.rows([rowid])[0]["uid"])


def headings(app: AppTest) -> list[str]:
    return [element.value for element in app.subheader]


def captions(app: AppTest) -> str:
    return "\n".join(element.value for element in app.caption)


def marking(app: AppTest) -> list[dict[str, Any]]:
    """The data of the marking component of each gallery."""
    return [json.loads(element.proto.json)[0] for element in app.get("bidi_component")]


def test_the_page_shows_everything_about_one_sample(open_page: Open, catalog: Catalog) -> None:
    (row,) = catalog.rows([7])
    app = open_page("sample", uid=row["uid"])
    assert metrics(app) == {
        "negCLIPLoss": f"{row['neg_clip_loss']:.3f}".replace("-", "−"),
        "Standard error": "0 (exact)",
        "Flip probability": "0.0 %",
    }
    assert len(app.get("plotly_chart")) == 1
    assert headings(app) == [
        "Captions that fit this image better or nearly as well",
        "Images that fit this caption better or nearly as well",
        "Nearest items of target “animals”",
        "Nearest items of target “food”",
    ]
    page = html(app)
    assert f"class='gallery portrait'><figure data-uid='{row['uid']}'>" in page
    # The sample and four rows of six.
    assert page.count("src='data:image/jpeg;base64,") == 25
    assert row["image_file"] in page
    assert captions(app).count("of 1,499 other") == 2


def test_the_table_has_the_percentile_in_every_score(open_page: Open, catalog: Catalog) -> None:
    app = open_page("sample", uid=uid_of(catalog, 3))
    table = app.dataframe[0].value
    assert table["Score"].tolist() == [c.title for c in catalog.scores]
    values = catalog.array("clip_score")
    assert table["Percentile"][0] == pytest.approx(100 * (values < values[3]).mean())


def test_neighbors_link_to_their_own_pages(open_page: Open, catalog: Catalog) -> None:
    uid = uid_of(catalog, 3)
    app = open_page("sample", uid=uid, x_top="12")
    own, *rows = marking(app)
    assert own["isPage"] and list(own["marks"]) == [uid]
    assert len(rows) == 2
    for row in rows:
        assert len(row["marks"]) == 6 and uid not in row["marks"]
        kept = dict(row["parameters"])
        assert kept["x_top"].startswith("12")
        assert "uid" not in kept
    # The images of a target are not samples, so they take no marks.
    assert html(app).count("<figure>") == 12


def test_the_sample_and_its_neighbors_show_marks_made_elsewhere(
    open_page: Open, scored_copy: Workspace
) -> None:
    uid, root = uid_of(Catalog.of(scored_copy), 0), scored_copy.path
    own, row, _ = marking(open_page("sample", root=root, uid=uid))
    assert set((own["marks"] | row["marks"]).values()) == {None}
    other = next(iter(row["marks"]))
    Marks.of(scored_copy).mark([uid], "keep")
    Marks.of(scored_copy).mark([other], "drop")
    own, row, _ = marking(open_page("sample", root=root, uid=uid))
    assert own["marks"] == {uid: "keep"}
    assert row["marks"][other] == "drop"
    assert own["total"] == row["total"] == "1 kept and 1 dropped by hand"


def test_the_flip_probability_is_shown_only_if_the_score_is_an_axis(
    open_page: Open, catalog: Catalog
) -> None:
    app = open_page("sample", uid=uid_of(catalog, 3), x="clip_score")
    assert "Flip probability" not in metrics(app)


def test_without_a_uid_the_page_offers_a_random_sample(open_page: Open, catalog: Catalog) -> None:
    app = open_page("sample")
    assert headings(app) == ["Explain a sample"]
    app.button[0].click().run()
    assert not app.exception
    uid = app.text_input(key="uid_field").value
    assert catalog.find(uid) is not None
    assert uid in app.query_params["uid"]
    assert "negCLIPLoss" in metrics(app)


@pytest.mark.parametrize(
    ("uid", "message"),
    [("0" * 32, "This workspace has no sample"), ("![x](http://a.example/b.png)", "A uid is 32")],
)
def test_an_unknown_uid_is_one_clear_error(open_page: Open, uid: str, message: str) -> None:
    app = open_page("sample", uid=uid)
    assert headings(app) == ["Sample not found"]
    (error,) = app.error
    assert error.value.startswith(message)
    assert "example" not in error.value


def test_an_entered_uid_is_in_the_url(open_page: Open, catalog: Catalog) -> None:
    app = open_page("sample", uid=uid_of(catalog, 1))
    other = uid_of(catalog, 2)
    app.text_input(key="uid_field").set_value(f" {other.upper()} ").run()
    assert other in app.query_params["uid"]
    assert app.text_input(key="uid_field").value == other
    assert not app.error


def test_the_page_returns_to_the_last_sample(open_page: Open, catalog: Catalog) -> None:
    uid = uid_of(catalog, 4)
    app = open_page("sample", uid=uid)
    app.switch_page("pages/overview.py").run()
    app.query_params.clear()
    app.switch_page("pages/sample.py").run()
    assert app.text_input(key="uid_field").value == uid


def test_missing_embeddings_are_one_error(open_page: Open, scored_copy: Workspace) -> None:
    uid = uid_of(Catalog.of(scored_copy), 0)
    shutil.rmtree(scored_copy.path / "embeddings")
    app = open_page("sample", root=scored_copy.path, uid=uid)
    (error,) = app.error
    assert "cannot be read" in error.value
    # The page still shows what the catalog has.
    assert "negCLIPLoss" in metrics(app)
    assert metrics(app)["Standard error"] != "0 (exact)"
    assert "3 random pools of 16 pairs" in captions(app)


def test_a_missing_target_leaves_the_others(open_page: Open, scored_copy: Workspace) -> None:
    uid = uid_of(Catalog.of(scored_copy), 0)
    shutil.rmtree(scored_copy.target("dots").path)
    app = open_page("sample", root=scored_copy.path, uid=uid)
    (error,) = app.error
    assert "dots" in error.value
    assert html(app).count("<figure>") == 5


def test_without_scores_the_page_says_so_and_captions_are_escaped(
    open_page: Open, tmp_path: Path
) -> None:
    root = workspace(tmp_path / "web", ["a.jpg", "https://<b onclick=x>.example/c.jpg"])
    catalog = Catalog.of(Workspace(root))
    app = open_page("sample", root=root, uid=uid_of(catalog, 1))
    assert "no negCLIPLoss" in app.info[0].value
    page = html(app)
    assert "on the web and was not downloaded" in page
    assert "<b onclick" not in page
    assert "src='http" not in page
