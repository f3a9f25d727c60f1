"""Measures from the pipeline to recipes: what a sample is, beside how good it is."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from curation.catalog.catalog import Catalog
from curation.cli import text_report
from curation.errors import CurationError
from curation.exporters import export
from curation.pipeline import import_scores, publish
from curation.pipeline.run import score_dataset
from curation.scores import duplicate_of
from curation.selection.recipe import Recipe
from curation.selection.select import select
from curation.storage.workspace import Workspace
from tests import make
from tests.conftest import PAIRS


@pytest.fixture(scope="module")
def mixed(job, tmp_path_factory):
    """Large and small pictures with captions in two languages, and one picture twice."""
    folder = tmp_path_factory.mktemp("mixed")
    for number, size in enumerate([(300, 240), (300, 240), (300, 240), (120, 90), (900, 240)]):
        make.jpeg(folder / "s" / f"{number}.jpg", max(number, 1), size)
    captions = [
        "a dog on the beach",
        "the same dog once more",
        "Ein Hund läuft am Strand",
        "a small cat on a mat",
        "a wide view of the sea",
    ]
    rows = [
        {"file_name": f"{n}.jpg", "caption": caption, "bad": n == 4, "language": "as told"}
        for n, caption in enumerate(captions)
    ]
    table = make.pairs(folder / "s", rows)
    scores = (
        "clip_score",
        "caption_length",
        "image_size",
        "language",
        "basic_filter",
        "duplicate_of",
    )
    asked = replace(job, source=table, workspace=folder / "w", targets=(), scores=scores)
    # To a model of random weights all pictures are much alike.
    score_dataset(replace(asked, parameters={"duplicate_cosine": 1.0}), make.QUIET)
    return Catalog(folder / "w" / "catalog.duckdb")


def test_the_usual_run_makes_every_measure_that_needs_no_choice(scored):
    catalog = Catalog.of(scored)
    types = {c.name: c.type for c in catalog.measures}
    assert types == {
        "word_count": "INTEGER",
        "character_count": "INTEGER",
        "smaller_side": "INTEGER",
        "aspect_ratio": "FLOAT",
        "language": "VARCHAR",
        "basic_filter": "BOOLEAN",
    }
    assert catalog.array("word_count").tolist() == [4.0] * PAIRS
    assert catalog.array("smaller_side").tolist() == [30.0] * PAIRS


def test_a_measure_is_no_score_and_no_label_of_the_source(mixed):
    assert [c.name for c in mixed.scores] == ["clip_score"]
    assert [c.name for c in mixed.labels] == ["bad"]
    names = [c.name for c in mixed.numbers]
    assert names[:2] == ["clip_score", "word_count"]


def test_details_say_what_they_describe(mixed):
    of = {c.name: c.of for c in mixed.columns.values() if c.kind == "detail"}
    assert of == {
        "language_score": "language",
        "duplicate_of": "is_duplicate",
        "duplicate_cosine": "is_duplicate",
    }


def test_the_picture_that_is_there_twice_is_a_duplicate(mixed):
    rows = mixed.rows(range(5))
    assert [row["is_duplicate"] for row in rows] == [False, True, False, False, False]
    assert [row["duplicate_of"] for row in rows] == [None, make.uid(0), None, None, None]
    assert rows[1]["duplicate_cosine"] == pytest.approx(1, abs=1e-6)
    assert rows[0]["duplicate_cosine"] is None


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("basic_filter", [0, 1]),
        ("basic_filter and not is_duplicate", [0]),
        ("not is_duplicate", [0, 2, 3, 4]),
        ("language == 'en'", [0, 1, 3, 4]),
        ("language != 'en' and language_score > 0.5", [2]),
        ("word_count > 4 and smaller_side >= 200 and aspect_ratio <= 3", [0, 1, 2]),
    ],
)
def test_a_recipe_takes_measures(mixed, condition, kept):
    recipe = Recipe.parse(f'steps: [{{where: "{condition}"}}]')
    assert make.chosen(mixed, select(recipe, mixed).mask) == kept


def test_a_recipe_may_rank_by_a_measure(mixed):
    recipe = Recipe.parse("steps: [{score: smaller_side, at_least: 200}]")
    assert make.chosen(mixed, select(recipe, mixed).mask) == [0, 1, 2, 4]


def test_an_unknown_language_meets_no_condition_on_it(job, tmp_path):
    made = make.workspace(tmp_path, [{"caption": "12345"}, {"caption": "a dog on the beach"}])
    run = replace(job, source=tmp_path / "source" / "pairs.jsonl", workspace=made.path)
    score_dataset(replace(run, targets=(), scores=("language",), parameters={}), make.QUIET)
    catalog = Catalog.of(made)
    for condition in ("language == 'de'", "language != 'en'"):
        recipe = Recipe.parse(f'steps: [{{where: "{condition}"}}]')
        assert select(recipe, catalog).count == 0


def test_duplicates_are_those_of_the_function_on_the_embeddings(mixed):
    workspace = Workspace.open(mixed.path.parent)
    image = np.load(workspace.embeddings("tiny").file(0, "image.npy"))
    found = duplicate_of(image, duplicate_cosine=1.0).duplicate_of
    assert [row["is_duplicate"] for row in mixed.rows(range(5))] == (found >= 0).tolist()


def test_info_tells_the_spread_of_every_measure(mixed):
    lines = text_report.overview(mixed).splitlines()
    (words,) = (line.split() for line in lines if line.startswith("  word_count"))
    assert words == ["word_count", "0", "5", "5", "6"]
    assert "  language                    en 80.0 %, de 20.0 %" in lines
    assert "  is_duplicate                false 80.0 %, true 20.0 %" in lines


def test_exports_have_measures_and_how_they_were_made(mixed):
    assert {"language", "is_duplicate", "word_count"} <= set(export.default_columns(mixed))
    assert mixed.column("is_duplicate").parameters["duplicate_cosine"] == 1.0


def test_an_imported_score_may_not_take_the_name_of_a_measure(scored_copy, tmp_path):
    table = tmp_path / "mine.jsonl"
    table.write_text(json.dumps({"uid": make.uid(0), "word_count": 1}))
    with pytest.raises(CurationError, match="already has a column word_count"):
        import_scores.import_scores(scored_copy, table)


def test_a_column_of_the_source_gives_way_to_a_measure_of_its_name(mixed):
    assert (mixed.column("language").kind, mixed.column("source_language").kind) == (
        "measure",
        "source",
    )


def test_clip_scores_that_came_with_the_source_are_scores(tmp_path):
    rows = [
        {"clip_b32_similarity_score": 0.25, "clip_l14_similarity_score": 0.5, "clip_x": 1.0},
        {"clip_b32_similarity_score": None, "clip_l14_similarity_score": 0.5, "clip_x": 1.0},
    ]
    catalog = Catalog.of(make.workspace(tmp_path, rows))
    titles = {c.name: c.title for c in catalog.scores}
    assert titles == {
        "clip_b32_similarity_score": "stored CLIP B/32 similarity",
        "clip_l14_similarity_score": "stored CLIP L/14 similarity",
    }
    assert "came with the source" in catalog.column("clip_b32_similarity_score").help
    recipe = Recipe.parse("steps: [{score: clip_b32_similarity_score, at_least: 0.25}]")
    assert make.chosen(catalog, select(recipe, catalog).mask) == [0]
    assert text_report.overview(catalog)


def test_stored_clip_scores_that_are_no_numbers_stay_the_source_s(tmp_path):
    catalog = Catalog.of(make.workspace(tmp_path, [{"clip_b32_similarity_score": "high"}]))
    assert catalog.scores == []
    assert catalog.column("clip_b32_similarity_score").kind == "source"


def test_a_catalog_can_be_published_again(scored_copy):
    before = {n: c.kind for n, c in Catalog.of(scored_copy).columns.items()}
    publish.publish(scored_copy, make.QUIET)
    assert {n: c.kind for n, c in Catalog.of(scored_copy).columns.items()} == before
