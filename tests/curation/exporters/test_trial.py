import numpy as np
import pytest

from curation import uids
from curation.errors import CurationError
from curation.exporters import EXPORTERS, trial
from curation.exporters.export import default_columns, export
from curation.exporters.manifest import files_of
from curation.selection.recipe import Recipe
from curation.selection.select import select
from tests import make

EVERY_FORMAT = pytest.mark.parametrize("format", list(EXPORTERS))
MANY = 30


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    rows = [{"caption": f"caption {'x' * n}"} for n in range(MANY)]
    scores = {"quality": [(7 * n % MANY) / MANY for n in range(MANY)]}
    return make.catalog(tmp_path_factory.mktemp("e"), scores, rows)[1]


@pytest.fixture(scope="module")
def selection(catalog):
    return select(Recipe.parse("steps: [{score: quality, count: 20}]"), catalog)


def written(catalog, selection, format, path):
    exported = export(catalog, selection, format, path / f"a{EXPORTERS[format].extension}")
    return sum(file.stat().st_size for file in files_of(exported.path)), exported.path


@EVERY_FORMAT
def test_the_size_of_a_small_export_is_known(catalog, selection, tmp_path, format):
    size = trial.estimate_size(catalog, selection, format, default_columns(catalog, format))
    assert size.bytes == written(catalog, selection, format, tmp_path)[0]
    assert size.is_exact == (format in ("datacomp", "txt"))


@pytest.mark.parametrize("format", ["csv", "parquet", "webdataset"])
def test_a_large_one_is_estimated_from_samples_from_all_over_it(
    catalog, selection, tmp_path, format, monkeypatch
):
    monkeypatch.setattr(trial, "ROWS", 10)
    monkeypatch.setattr(trial, "IMAGES", 10)
    size = trial.estimate_size(catalog, selection, format, default_columns(catalog, format))
    real = written(catalog, selection, format, tmp_path)[0]
    assert size.bytes != real
    # The fixed part of so small a file is counted twice.
    assert real * 0.9 < size.bytes < real * 2.2


@EVERY_FORMAT
def test_a_look_shows_the_beginning_of_what_is_written(catalog, selection, tmp_path, format):
    exporter = EXPORTERS[format]
    look = trial.preview(catalog, selection, format, default_columns(catalog, format))
    _, path = written(catalog, selection, format, tmp_path)
    whole = exporter.preview(path)
    assert len(look.rows) == 8 or len(look.lines) in (8, 9)
    assert look.rows == whole.rows[: len(look.rows)]
    assert look.lines == whole.lines[: len(look.lines)]
    assert bool(look.image) == (not exporter.extension)


def test_repeats_come_as_often_as_they_are_written(catalog):
    decisions = make_decisions(catalog, [0, 0, 0, 5])
    recipe = Recipe.parse("steps: [{score: quality, top: 0}, {union: mine}]")
    repeated = select(recipe, catalog, decisions)
    look = trial.preview(catalog, repeated, "txt", ["uid"])
    assert look.lines == (*[make.uid(0)] * 3, make.uid(5))
    assert trial.estimate_size(catalog, repeated, "txt", ["uid"]).bytes == 4 * 33


def make_decisions(catalog, numbers):
    from curation.selection.decisions import Decisions

    decisions = Decisions(catalog.path.with_name("curation.duckdb"))
    decisions.save_uid_list("mine", uids.to_words([make.uid(n) for n in numbers]), "here")
    return decisions


def test_images_that_are_not_here_are_not_fetched(tmp_path):
    table = tmp_path / "urls.csv"
    rows = [f"{make.uid(n)},http://127.0.0.1:9/{n}.jpg,caption {n}" for n in range(3)]
    table.write_text("\n".join(["uid,url,caption", *rows]))
    catalog = make.published(table)
    assert len(catalog) == 3
    every = select(Recipe("all"), catalog)
    for format in ("webdataset", "imagefolder", "huggingface"):
        assert trial.preview(catalog, every, format, ["uid"]) is None
        assert trial.estimate_size(catalog, every, format, ["uid"]) is None
    assert len(trial.preview(catalog, every, "csv", ["uid", "url"]).lines) == 4


def test_if_no_image_can_be_read_the_preview_says_why(tmp_path):
    catalog = make.catalog(tmp_path, {"quality": [1.0, 0.5]})[1]
    for file in (tmp_path / "source").glob("*.jpg"):
        file.unlink()
    with pytest.raises(CurationError, match="none of the 2 selected samples has an image"):
        trial.preview(catalog, select(Recipe("all"), catalog), "webdataset", ["uid"])


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ((19_328, True), "19.3 kB"),
        ((19_328, False), "about 19 kB"),
        ((0, False), "about 0 B"),
        ((8, False), "about 8 B"),
        ((996_000_000, False), "about 1 GB"),
    ],
)
def test_a_size_in_words(size, words):
    assert str(trial.Size(*size)) == words


def test_the_list_that_the_look_shows_is_sorted(catalog, selection):
    look = trial.preview(catalog, selection, "datacomp", ["uid"])
    names = [row["uid"] for row in look.rows]
    assert names == sorted(names)
    assert np.array_equal(uids.to_words(names), selection.sorted_uids[:8])
