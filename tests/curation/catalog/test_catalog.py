import datetime
import decimal
import math
import shutil
import threading
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.images.location import ImageRef
from curation.pipeline import publish
from tests import make


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    rows = [
        {"swapped": True, "stars": 1, "note": "a"},
        {"swapped": False, "stars": None, "note": None},
        {"swapped": None, "stars": 3, "note": "c"},
    ]
    return make.catalog(tmp_path_factory.mktemp("c"), {"quality": [0.5, None, -0.25]}, rows)


def test_every_sample_has_a_row_in_the_order_of_the_source(world):
    _, catalog = world
    assert len(catalog) == 3
    rows = catalog.rows([2, 0])
    assert [row["uid"] for row in rows] == [make.uid(2), make.uid(0)]
    assert [row["row_id"] for row in rows] == [2, 0]
    assert (rows[0]["caption"], rows[0]["width"], rows[0]["stars"]) == ("pair 2", 40, 3)


def test_rowids_that_do_not_exist_are_left_out(world):
    assert [row["row_id"] for row in world[1].rows([1, 99])] == [1]
    assert world[1].rows([]) == []


def test_an_array_is_float32_with_nan_where_missing_and_cannot_be_changed(world):
    array = world[1].array("quality")
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, np.float32([0.5, math.nan, -0.25]))
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


def test_booleans_and_numbers_of_the_source_are_arrays_too(world):
    np.testing.assert_array_equal(world[1].array("swapped"), np.float32([1, 0, math.nan]))
    np.testing.assert_array_equal(world[1].array("stars"), np.float32([1, math.nan, 3]))


def test_text_is_not_an_array(world):
    with pytest.raises(CurationError, match="'note' holds VARCHAR, not numbers"):
        world[1].array("note")


def test_columns_have_a_kind(world):
    kinds = {name: info.kind for name, info in world[1].columns.items()}
    assert kinds["uid"] == kinds["width"] == "sample"
    assert kinds["stars"] == kinds["note"] == "source"
    assert kinds["quality"] == "score"
    assert [c.name for c in world[1].scores] == ["quality"]
    assert [c.name for c in world[1].labels] == ["swapped"]
    assert [c.name for c in world[1].numbers] == ["quality", "width", "height", "stars"]


def test_a_sample_is_found_by_its_uid(world):
    assert world[1].find(make.uid(2)) == 2
    assert world[1].find(make.uid(9)) is None


def test_the_image_of_a_sample_can_be_read(world):
    (row,) = world[1].rows([1])
    root = world[1].dataset.image_root
    assert ImageRef.of(row).read(Path(root))[:2] == b"\xff\xd8"


def test_the_dataset_has_its_source_and_counts(world):
    about = world[1].dataset
    assert about.source.endswith("pairs.jsonl")
    assert (about.reader, about.samples, about.skipped) == ("table", 3, 0)


def test_batches_hold_the_chosen_rows_and_columns_in_order(world):
    table = world[1].batches(["stars", "uid"], np.array([True, False, True])).read_all()
    assert table.to_pylist() == [{"stars": 1, "uid": make.uid(0)}, {"stars": 3, "uid": make.uid(2)}]


def test_threads_read_at_the_same_time(world):
    _, catalog = world
    problems = []

    def read():
        try:
            for _ in range(30):
                assert len(catalog.rows([0, 1, 2])) == 3
                catalog.array("quality")
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_a_catalog_can_be_opened_several_times(world):
    workspace, catalog = world
    others = [Catalog.of(workspace) for _ in range(3)]
    assert [len(c.rows([0])) for c in (catalog, *others)] == [1, 1, 1, 1]


def test_a_replaced_catalog_is_read_only_when_opened_again(tmp_path):
    workspace, old = make.catalog(tmp_path, {"quality": [0.1, 0.2]})
    shutil.rmtree(workspace.scores("quality").path)
    publish.publish(workspace, make.QUIET)
    new = Catalog.of(workspace)
    assert [c.name for c in old.scores] == ["quality"]
    assert [c.name for c in new.scores] == []
    assert len(old.rows([0, 1])) == len(new.rows([0, 1])) == 2


def test_an_open_catalog_reads_its_own_columns_after_the_file_is_replaced_or_deleted(tmp_path):
    workspace, old = make.catalog(tmp_path / "a", {"quality": [0.25, 0.5]})
    newer = make.catalog(tmp_path / "b", {"quality": [1, 2, 3]})[0]
    newer.catalog.replace(workspace.catalog)
    assert old.array("quality").tolist() == [0.25, 0.5]
    workspace.catalog.unlink()
    assert old.array("width").tolist() == [40, 40]


def test_a_catalog_reads_no_other_file_and_writes_none(world, tmp_path):
    _, catalog = world
    secret = tmp_path / "secret.csv"
    secret.write_text("x\n1\n")
    with pytest.raises(CurationError, match="permission"):
        catalog.where(f"(SELECT count(*) FROM '{secret}') > 0", [])
    with pytest.raises(CurationError):
        catalog.where("true; DROP TABLE samples", [])
    assert len(catalog.rows([0])) == 1


def test_a_folder_name_may_have_quotes(tmp_path):
    _, catalog = make.catalog(tmp_path / 'it\'s a "folder"; --', {"quality": [0.1]})
    assert len(catalog.rows([0])) == 1


def test_a_folder_name_with_an_equals_sign_adds_no_column(tmp_path):
    _, catalog = make.catalog(tmp_path / "run=3" / "uid=x", {"quality": [0.1]})
    assert catalog.rows([0])[0]["uid"] == make.uid(0)
    assert "run" not in catalog.columns


def test_columns_that_share_a_name_with_the_catalogs_own_are_renamed(tmp_path):
    row = {"rowid": 7, "row_id": 8, "Width": 9, "Row": 1, "ROW": 2, 'a"b': 3, "": 4}
    _, catalog = make.catalog(tmp_path, {"quality": [0.5, 0.25]}, [row, row])
    row = catalog.rows([1])[0]
    assert row["row_id"] == 1
    assert row["quality"] == 0.25
    assert row["width"] == 40
    assert (row["source_rowid"], row["source_row_id"]) == (7, 8)
    assert row["source_Width"] == 9
    assert (row["Row"], row["ROW_2"], row['a"b']) == (1, 2, 3)
    assert catalog.array('a"b').tolist() == [3, 3]
    assert catalog.find(make.uid(1)) == 1
    np.testing.assert_array_equal(catalog.where("uid = ?", [make.uid(1)]), [False, True])


def test_columns_may_be_empty_and_differ_in_type_between_shards(tmp_path):
    rows = [
        {"a": None, "b": 1, "c": 1, "only_here": 5, "flag": True},
        {"a": None, "b": 0.5, "c": "x", "big": 2**60 + 1, "flag": 2},
        {"a": None, "b": None, "c": None, "big": 0.5},
    ]
    workspace = make.workspace(tmp_path, rows, shard_size=1)
    catalog = Catalog.of(workspace)
    read = catalog.rows([0, 1, 2])
    assert [r["a"] for r in read] == [None, None, None]
    assert [r["b"] for r in read] == [1, 0.5, None]
    assert [r["c"] for r in read] == ["1", "x", None]
    assert [r["only_here"] for r in read] == [5, None, None]


def test_numbers_beyond_float32_are_missing_from_arrays_only(tmp_path):
    catalog = Catalog.of(make.workspace(tmp_path, [{"x": 1e300}, {"x": 1.0}]))
    np.testing.assert_array_equal(catalog.array("x"), np.float32([math.nan, 1]))
    assert catalog.rows([0])[0]["x"] == 1e300


def test_every_numeric_type_is_a_number(tmp_path):
    make.jpeg(tmp_path / "0.jpg")
    table = pa.table(
        {
            "image": ["0.jpg"],
            "text": ["a"],
            "u8": pa.array([200], pa.uint8()),
            "f16": pa.array([0.5], pa.float16()),
            "money": [decimal.Decimal("1.25")],
            "day": [datetime.date(2020, 1, 1)],
            "bytes": [b"\xff"],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    catalog = make.published(tmp_path / "a.parquet")
    numbers = {c.name: catalog.array(c.name).item() for c in catalog.numbers}
    assert numbers == {"width": 40, "height": 30, "u8": 200, "f16": 0.5, "money": 1.25}


def test_a_repeated_uid_is_kept_once_and_listed(tmp_path):
    rows = [{"uid": make.uid(5)}, {"uid": make.uid(6)}, {"uid": make.uid(5), "caption": "again"}]
    catalog = Catalog.of(make.workspace(tmp_path, rows, shard_size=2))
    assert [r["caption"] for r in catalog.rows(range(9))] == ["pair 0", "pair 1"]
    (skipped,) = catalog.skipped()
    assert (skipped["stage"], skipped["uid"]) == ("read", make.uid(5))
    assert skipped["reason"] == "repeats an earlier uid"
    assert catalog.dataset.skipped == 1


def test_reasons_for_skipping_are_counted_most_first(tmp_path):
    rows = [{}, {"caption": ""}, {"file_name": "none.jpg"}, {"caption": " "}]
    catalog = Catalog.of(make.workspace(tmp_path, rows))
    assert [(r["samples"], r["reason"]) for r in catalog.skipped_by_reason()] == [
        (2, "caption is empty"),
        (1, "file does not exist"),
    ]


def test_without_a_catalog_the_error_says_how_to_make_one(tmp_path):
    with pytest.raises(CurationError, match="has no catalog yet; score it with"):
        Catalog(tmp_path / "catalog.duckdb")


def test_a_file_that_is_not_a_catalog_is_refused(tmp_path):
    (tmp_path / "text.duckdb").write_text("x" * 5000)
    duckdb.connect(str(tmp_path / "other.duckdb")).close()
    with duckdb.connect(str(tmp_path / "older.duckdb")) as connection:
        connection.execute("CREATE TABLE dataset AS SELECT 1 AS x")
        connection.execute("CREATE TABLE samples AS SELECT 1 AS x")
    for name in ("text", "other", "older"):
        with pytest.raises(CurationError, match=f"{name}.duckdb is not a catalog"):
            Catalog(tmp_path / f"{name}.duckdb")
