import csv
import datetime
import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation import uids
from curation.catalog import Catalog
from curation.errors import CurationError
from curation.export import default_columns, export
from curation.exporters import EXPORTERS
from curation.recipe import Recipe
from curation.selection import select
from tests import make

CAPTION = 'a "quoted", caption\nof two lines; über = "x"'
RECIPE = Recipe.parse("name: best\nsteps: [{score: quality, count: 2}]")
EVERY_FORMAT = pytest.mark.parametrize("format", list(EXPORTERS))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    # The uids of the source do not come sorted.
    rows = [{"uid": make.uid(n), "caption": CAPTION} for n in (2**127, 3, 2**64, 1)]
    return Catalog.of(make.workspace(tmp_path_factory.mktemp("e"), rows))


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    rows = [{"caption": CAPTION, "stars": n} for n in range(4)]
    scores = {"quality": [0.1, 0.4, 0.3, None]}
    return make.catalog(tmp_path_factory.mktemp("e"), scores, rows)[1]


@pytest.fixture(scope="module")
def selection(catalog):
    return select(RECIPE, catalog)


def test_parquet_holds_the_chosen_samples_with_their_scores(catalog, selection, tmp_path):
    export(catalog, selection, "parquet", tmp_path / "a.parquet")
    rows = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert [row["uid"] for row in rows] == [make.uid(1), make.uid(2)]
    assert list(rows[0]) == ["uid", "caption", "image_file", "quality"]
    assert rows[0] == {
        "uid": make.uid(1), "caption": CAPTION, "image_file": "001.jpg",
        "quality": float(np.float32(0.4)),
    }  # fmt: skip


def test_csv_survives_quotes_and_line_ends_in_captions(catalog, selection, tmp_path):
    export(catalog, selection, "csv", tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["uid"] for row in rows] == [make.uid(1), make.uid(2)]
    assert [row["caption"] for row in rows] == [CAPTION, CAPTION]
    assert float(rows[0]["quality"]) == pytest.approx(0.4)


def test_csv_holds_a_missing_value_as_an_empty_field(catalog, tmp_path):
    export(catalog, select(Recipe("all"), catalog), "csv", tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        assert [row["quality"] for row in csv.DictReader(file)][3] == ""


def test_datacomp_holds_the_sorted_uids_as_two_halves(world, tmp_path):
    export(world, select(Recipe("all"), world), "datacomp", tmp_path / "a.npy")
    array = np.load(tmp_path / "a.npy", allow_pickle=False)
    assert array.dtype == np.dtype("u8,u8")
    whole = [int(hi) << 64 | int(lo) for hi, lo in array]
    assert whole == [1, 3, 2**64, 2**127]


def test_the_chosen_columns_are_written_once_each_in_that_order(catalog, selection, tmp_path):
    columns = ["stars", "uid", "stars"]
    export(catalog, selection, "csv", tmp_path / "a.csv", columns=columns)
    assert (tmp_path / "a.csv").read_text().splitlines()[0] == '"stars","uid"'


def test_every_score_is_written_unless_told_otherwise(catalog):
    assert default_columns(catalog) == ["uid", "caption", "image_file", "quality"]


@EVERY_FORMAT
def test_every_format_holds_the_same_uids(catalog, selection, tmp_path, format):
    path = tmp_path / f"a{EXPORTERS[format].extension}"
    exported = export(catalog, selection, format, path)
    if format == "datacomp":
        words = np.load(path).view("u8").reshape(-1, 2)
    elif format == "parquet":
        words = uids.to_words(pq.read_table(path).column("uid"))
    else:
        with path.open(newline="") as file:
            words = uids.to_words([row["uid"] for row in csv.DictReader(file)])
    assert uids.digest(words) == exported.digest == selection.digest


@EVERY_FORMAT
def test_an_empty_selection_is_an_empty_file_of_the_format(catalog, tmp_path, format):
    path = tmp_path / f"a{EXPORTERS[format].extension}"
    export(
        catalog, select(Recipe.parse("steps: [{score: quality, top: 0}]"), catalog), format, path
    )
    if format == "datacomp":
        assert len(np.load(path)) == 0
    elif format == "parquet":
        assert pq.read_table(path).num_rows == 0
    else:
        assert path.read_text().splitlines() == ['"uid","caption","image_file","quality"']


def test_the_recipe_beside_it_selects_the_same_again(catalog, selection, tmp_path):
    exported = export(catalog, selection, "parquet", tmp_path / "a.parquet")
    again = select(Recipe.load(exported.recipe), catalog)
    assert exported.recipe.name == "a.recipe.yaml"
    assert again.digest == exported.digest


def test_the_manifest_beside_it_tells_how_it_was_made(catalog, selection, tmp_path):
    exported = export(catalog, selection, "parquet", tmp_path / "a.parquet")
    manifest = json.loads(exported.manifest.read_text(encoding="utf-8"))
    assert (manifest["pool"], manifest["selected"], manifest["fraction"]) == (4, 2, 0.5)
    assert manifest["steps"] == [{"step": "quality: best 2", "left": 2}]
    assert manifest["sha256_of_sorted_uids"] == selection.digest
    content = (tmp_path / "a.parquet").read_bytes()
    assert manifest["files"] == {"a.parquet": hashlib.sha256(content).hexdigest()}
    assert manifest["scores"].keys() == {"quality"}


def test_the_manifest_is_strict_json_though_norm_sims_p_is_infinite(scored, tmp_path):
    catalog = Catalog.of(scored)
    chosen = select(Recipe.parse("steps: [{score: norm_sim_inf_dots, top: 0.5}]"), catalog)
    exported = export(catalog, chosen, "datacomp", tmp_path / "a.npy")
    text = exported.manifest.read_text(encoding="utf-8")
    manifest = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert manifest["scores"]["norm_sim_inf_dots"]["parameters"]["p"] == ["inf", 2.0]


def test_a_file_that_is_there_is_not_overwritten(catalog, selection, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("mine")
    with pytest.raises(CurationError, match=r"a\.csv is there already; pass --overwrite"):
        export(catalog, selection, "csv", path)
    assert [f.name for f in tmp_path.iterdir()] == ["a.csv"]
    assert path.read_text() == "mine"
    export(catalog, selection, "csv", path, overwrite=True)
    assert path.read_text().startswith('"uid"')


def test_a_recipe_or_manifest_of_something_else_is_not_overwritten(catalog, selection, tmp_path):
    for name in ("a.recipe.yaml", "a.manifest.json"):
        (tmp_path / name).write_text("mine: 1")
        with pytest.raises(CurationError, match=f"{name} is there already"):
            export(catalog, selection, "csv", tmp_path / "a.csv")
        assert [f.read_text() for f in tmp_path.iterdir()] == ["mine: 1"]
        (tmp_path / name).unlink()


def test_the_recipe_one_exports_by_keeps_its_comments(catalog, selection, tmp_path):
    mine = tmp_path / "a.recipe.yaml"
    mine.write_text("# why\n" + RECIPE.to_yaml())
    export(catalog, selection, "csv", tmp_path / "a.csv")
    assert mine.read_text().startswith("# why")


def test_a_second_format_of_the_same_selection_joins_the_manifest(catalog, selection, tmp_path):
    for name, format in (("a.csv", "csv"), ("a.npy", "datacomp")):
        exported = export(catalog, selection, format, tmp_path / name)
    assert json.loads(exported.manifest.read_text())["files"].keys() == {"a.csv", "a.npy"}
    other = select(Recipe("all"), catalog)
    with pytest.raises(CurationError, match="is there already"):
        export(catalog, other, "parquet", tmp_path / "a.parquet")


@EVERY_FORMAT
def test_an_unwritable_place_is_named_and_nothing_is_half_written(
    catalog, selection, tmp_path, format
):
    (tmp_path / "file.txt").write_text("mine")
    with pytest.raises(CurationError, match=r"cannot write .*file\.txt/x"):
        export(catalog, selection, format, tmp_path / "file.txt" / "x.out")
    assert [f.name for f in tmp_path.iterdir()] == ["file.txt"]
    assert (tmp_path / "file.txt").read_text() == "mine"


def test_a_folder_is_not_a_place_to_write_a_file(catalog, selection, tmp_path):
    with pytest.raises(CurationError, match=r"is a folder; name a file in it.*selection\.csv"):
        export(catalog, selection, "csv", tmp_path)


def test_an_unknown_format_or_column_is_named_and_nothing_written(catalog, selection, tmp_path):
    with pytest.raises(CurationError, match="no format 'xml'; there are datacomp, parquet, csv"):
        export(catalog, selection, "xml", tmp_path / "a.xml")
    with pytest.raises(CurationError, match="no score or column 'nope'"):
        export(catalog, selection, "csv", tmp_path / "a.csv", columns=["uid", "nope"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_every_type_of_column_can_be_written(tmp_path, format):
    make.jpeg(tmp_path / "0.jpg")
    when = datetime.datetime(2020, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    table = pa.table({
        "image": ["0.jpg"], "text": ["a"], "when": [when], "naive": [when.replace(tzinfo=None)],
        "day": [when.date()], "bytes": [b"\xff\x00"], "long": [datetime.timedelta(days=2)],
        "list": [[1, 2]], "flag": [True], "nothing": pa.nulls(1),
    })  # fmt: skip
    pq.write_table(table, tmp_path / "a.parquet")
    catalog = make.published(tmp_path / "a.parquet")
    path = tmp_path / f"out.{format}"
    export(catalog, select(Recipe("all"), catalog), format, path, columns=list(catalog.columns))
    if format == "csv":
        with path.open(newline="") as file:
            (row,) = csv.DictReader(file)
        assert (row["bytes"], row["list"], row["day"]) == ("ff00", "[1, 2]", "2020-01-02")
    else:
        (row,) = pq.read_table(path).to_pylist()
        assert (row["when"], row["bytes"]) == (when, b"\xff\x00")
    assert set(row) == set(catalog.columns)
