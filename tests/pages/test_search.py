"""The Search page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from curation.catalog.catalog import Catalog
from curation.storage.workspace import Workspace, read_toml, write_toml
from tests.pages.conftest import Open, html
from tests.pages.read_app import shown_uids


@pytest.fixture
def catalog(sample_workspace: Workspace) -> Catalog:
    return Catalog.of(sample_workspace)


def cosines(app: AppTest) -> list[float]:
    values = re.findall(r">Cosine</span><span class='value'><span>([−\d.]+)</span>", html(app))
    return [float(text.replace("−", "-")) for text in values]


def share_of(catalog: Catalog, samples: list[str], *words: str) -> float:
    """The share of samples whose own caption has one of the words; swapped ones do not count."""
    rows = catalog.rows([row for row in map(catalog.find, samples) if row is not None])
    captions = [row["caption"].lower() for row in rows if not row["swapped"]]
    return sum(any(word in caption for word in words) for caption in captions) / len(captions)


@pytest.mark.parametrize(
    ("text", "words", "least"),
    # One in fifteen pictures is tagged as an animal, and some animals are not tagged.
    [
        ("dog", ("mammal", "animal"), 0.4),
        ("flag", ("flag",), 0.9),
        ("fruit", ("fruit", "food"), 0.8),
    ],
)
def test_a_text_finds_what_a_person_expects(
    open_page: Open, catalog: Catalog, text: str, words: tuple[str, ...], least: float
) -> None:
    app = open_page("search", text=text)
    assert app.subheader[0].value == f"Nearest to “{text}”"
    results = shown_uids(app)
    assert len(set(results)) == 24
    assert share_of(catalog, results, *words) >= least
    assert cosines(app) == sorted(cosines(app), reverse=True)


def test_another_text_finds_other_samples_and_is_in_the_url(open_page: Open) -> None:
    app = open_page("search", text="dog")
    before = shown_uids(app)
    app.text_input(key="text").set_value("flag").run()
    assert app.query_params["text"] == "flag"
    assert set(shown_uids(app)).isdisjoint(before)
    app.text_input(key="text").set_value(" ").run()
    assert "text" not in app.query_params
    assert "as a caption would" in app.info[0].value


def test_a_sample_is_its_own_nearest_match(open_page: Open, catalog: Catalog) -> None:
    (sample,) = catalog.rows([700])
    app = open_page("search", like=sample["uid"], many="96")
    assert app.segmented_control(key="by").value == "sample"
    results = shown_uids(app)
    assert (results[0], len(results), cosines(app)[0]) == (sample["uid"], 96, 1.0)
    app.segmented_control(key="side").set_value("text").run()
    assert app.query_params["side"] == "text"
    assert shown_uids(app) != results
    assert sample["caption"][:20] in app.subheader[0].value


def test_a_random_sample_can_be_searched_for(open_page: Open) -> None:
    app = open_page("search", by="sample")
    assert "Enter a uid" in app.info[0].value.replace("\\", "")
    app.button[0].click().run()
    # Another sample with the same image may come first.
    assert app.query_params["like"] in shown_uids(app)
    assert cosines(app)[0] == 1.0


def test_each_kind_of_query_is_kept_while_another_is_shown(
    open_page: Open, catalog: Catalog
) -> None:
    app = open_page("search", text="dog")
    results = shown_uids(app)
    app.segmented_control(key="by").set_value("sample").run()
    assert "text" not in app.query_params
    app.text_input(key="like").set_value(catalog.rows([3])[0]["uid"]).run()
    app.segmented_control(key="by").set_value("text").run()
    assert "like" not in app.query_params
    assert shown_uids(app) == results


@pytest.mark.parametrize("uid", ["nonsense", "0" * 32, "' OR 1=1"])
def test_an_unknown_sample_is_a_clear_error(open_page: Open, uid: str) -> None:
    app = open_page("search", like=uid)
    assert "has no sample" in app.error[0].value
    assert not shown_uids(app)


def test_an_image_finds_itself(
    open_page: Open, catalog: Catalog, sample_workspace: Workspace
) -> None:
    (row,) = catalog.rows([42])
    data = (Path(sample_workspace.info().image_root) / row["image_file"]).read_bytes()
    app = open_page("search", by="picture")
    assert "Upload an image" in app.info[0].value
    app.file_uploader[0].set_value(("a.jpg", data, "image/jpeg")).run()
    assert shown_uids(app)[0] == row["uid"]
    app.file_uploader[0].set_value(("b.jpg", b"nonsense", "image/jpeg")).run()
    assert "not an image" in app.error[0].value


def test_the_samples_found_are_marked_on_the_chart(open_page: Open) -> None:
    app = open_page("search", text="dog")
    figure = json.loads(app.get("plotly_chart")[0].proto.spec)
    marks = figure["data"][-1]
    assert (marks["type"], marks["mode"]) == ("scatter", "markers")
    assert not figure["layout"].get("annotations")


def test_without_a_known_model_only_samples_can_be_searched_for(
    open_page: Open, scored_copy: Workspace
) -> None:
    file = scored_copy.embeddings("tiny").path / "model.toml"
    write_toml(file, read_toml(file) | {"precision": "ready-made"})
    uid = Catalog.of(scored_copy).rows([1])[0]["uid"]
    app = open_page("search", root=scored_copy.path, text="dog")
    assert app.text_input(key="text").disabled
    assert "came ready" in app.info[0].value.replace("\\", "")
    assert not shown_uids(app)
    assert shown_uids(open_page("search", root=scored_copy.path, like=uid))[0] == uid
    assert open_page("search", root=scored_copy.path).segmented_control(key="by").value == "sample"


def test_a_model_that_does_not_load_is_a_clear_error(
    open_page: Open, scored_copy: Workspace, tmp_path: Path
) -> None:
    file = scored_copy.embeddings("tiny").path / "model.toml"
    (tmp_path / "empty").mkdir()
    write_toml(file, read_toml(file) | {"folder": str(tmp_path / "empty")})
    app = open_page("search", root=scored_copy.path, text="dog")
    assert "no architecture" in app.error[0].value or "cannot be loaded" in app.error[0].value


def test_text_from_strangers_is_escaped(open_page: Open, catalog: Catalog) -> None:
    evil = "![x](http://example.invalid/a.png)<script>"
    app = open_page("search", text=evil)
    assert "![x](" not in app.subheader[0].value
    assert "<script" not in html(app)
