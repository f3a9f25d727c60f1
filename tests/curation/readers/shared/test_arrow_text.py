"""Columns of Parquet and Arrow files whose content does not match their types."""

import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.images.location import ImageRef
from tests import make
from tests.curation.readers.huggingface.test_reader import JPEGS, RECORD, pixels, read, stream
from tests.curation.readers.test_table import rows, skipped_rows

NOT_UTF8 = "text is not UTF-8"


@pytest.fixture
def folder(tmp_path):
    for number in range(3):
        make.jpeg(tmp_path / f"{number}.jpg", number)
    return tmp_path


def text(*values):
    """A text column whose bytes need not be valid UTF-8."""
    held = pa.array([v.encode() if isinstance(v, str) else v for v in values], pa.binary())
    return pa.StringArray.from_buffers(len(held), *held.buffers()[1:], held.buffers()[0])


def beyond_year_9999(count):
    return pa.array([253402300800] * count, pa.timestamp("s"))


def test_invalid_utf8_skips_the_row_in_captions_and_is_replaced_elsewhere(folder):
    table = pa.table(
        {
            "image": ["0.jpg", "1.jpg", "2.jpg"],
            "text": text("a", b"caf\xe9", "c"),
            "note": text(b"x\xff", "y", None),
            "tags": pa.ListArray.from_arrays(pa.array([0, 1, 1, 2]), text(b"\xffz", "ü")),
        }
    )
    pq.write_table(table, folder / "a.parquet")
    result = make.read(folder / "a.parquet")
    assert [(r["caption"], r["note"], r["tags"]) for r in rows(result)] == [
        ("a", "x\ufffd", '["\ufffdz"]'),
        ("c", None, '["ü"]'),
    ]
    assert skipped_rows(result) == [("a.parquet row 1", NOT_UTF8)]
    assert len(make.published(folder / "a.parquet")) == 2


@pytest.mark.parametrize("kind", ["arrow", "parquet"])
def test_rows_of_a_dataset_with_invalid_utf8_are_skipped(tmp_path, kind):
    images = [{"bytes": data, "path": None} for data in JPEGS[:3]]
    several = pa.ListArray.from_arrays(pa.array([0, 1, 2, 3]), text("a", b"\xff", "c"))
    table = pa.table(
        {"image": pa.array(images, RECORD), "captions": several, "note": text(b"\xff", "", "")}
    )
    if kind == "arrow":
        stream(tmp_path / "a.arrow", table)
    else:
        pq.write_table(table, tmp_path / "a.parquet")
    result, skipped = read(tmp_path)
    assert [row["caption"] for row in result] == ["a", "c"]
    assert result[0]["note"] == "\ufffd"
    assert skipped == {f"a.{kind} row 1": NOT_UTF8}


def test_times_beyond_python_become_text(folder):
    when = beyond_year_9999(3)
    table = pa.table(
        {
            "image": ["0.jpg", "1.jpg", "2.jpg"],
            "text": ["a", "b", "c"],
            "when": when,
            "nested": pa.ListArray.from_arrays(pa.array([0, 1, 2, 3]), when),
            "good": [datetime.datetime(2020, 1, 2)] * 3,
        }
    )
    pq.write_table(table, folder / "a.parquet")
    row = rows(make.read(folder / "a.parquet"))[0]
    assert row["when"] == "10000-01-01 00:00:00.000"
    assert row["nested"] == '["10000-01-01 00:00:00.000"]'
    assert row["good"] == datetime.datetime(2020, 1, 2)


def test_times_beyond_python_in_a_dataset_become_text(tmp_path):
    images = pa.array([{"bytes": JPEGS[0], "path": None}], RECORD)
    table = pa.table({"image": images, "caption": ["a"], "when": beyond_year_9999(1)})
    stream(tmp_path / "a.arrow", table)
    assert read(tmp_path)[0][0]["when"] == "10000-01-01 00:00:00"


def test_of_two_columns_with_one_name_the_one_of_bytes_is_left_out(folder):
    columns = [["0.jpg"], ["a"], ["kept"], [b"\xff"]]
    table = pa.Table.from_arrays(list(map(pa.array, columns)), ["image", "text", "a", "a"])
    pq.write_table(table, folder / "a.parquet")
    (row,) = rows(make.read(folder / "a.parquet"))
    assert row["a"] == "kept"
    assert "a_2" not in row


def test_urls_stored_as_bytes_are_not_images(folder):
    table = pa.table({"url": [b"https://a.example/1.jpg"], "text": ["a"], "file_name": ["0.jpg"]})
    pq.write_table(table, folder / "a.parquet")
    (row,) = rows(make.read(folder / "a.parquet"))
    assert (row["image_file"], row["url"]) == ("0.jpg", "https://a.example/1.jpg")
    pq.write_table(table.drop_columns("file_name"), folder / "b.parquet")
    (row,) = rows(make.read(folder / "b.parquet"))
    assert ImageRef.of(row) == ImageRef(None, url="https://a.example/1.jpg")


@pytest.mark.parametrize("kind", ["arrow", "parquet"])
def test_dictionary_encoded_captions_are_read(tmp_path, kind):
    images = [{"bytes": data, "path": None} for data in JPEGS[:3]]
    captions = pa.array(["a", "b", "a"]).dictionary_encode()
    table = pa.table({"image": pa.array(images, RECORD), "caption": captions, "mood": captions})
    if kind == "arrow":
        stream(tmp_path / "a.arrow", table)
    else:
        pq.write_table(table, tmp_path / "a.parquet")
    result, _ = read(tmp_path)
    assert [(row["caption"], row["mood"]) for row in result] == [("a", "a"), ("b", "b"), ("a", "a")]


@pytest.mark.parametrize("size", [2, 10_000])
@pytest.mark.parametrize("statistics", [True, False])
def test_one_row_group_can_have_embedded_images_and_paths(tmp_path, size, statistics):
    for n in (1, 4):
        (tmp_path / f"{n}.jpg").write_bytes(JPEGS[n])
    cells = [{"bytes": data, "path": f"{n}.jpg"} for n, data in enumerate(JPEGS[:6])]
    cells[1]["bytes"] = cells[4]["bytes"] = None
    cells[5] = {"bytes": None, "path": None}
    table = pa.table({"image": pa.array(cells, RECORD), "caption": list("abcdef")})
    pq.write_table(table, tmp_path / "a.parquet", write_statistics=statistics)
    result, skipped = read(tmp_path / "a.parquet", shard_size=size)
    assert pixels(result, tmp_path) == JPEGS[:5]
    assert [row["image_file"] for row in result[:2]] == ["a.parquet", "1.jpg"]
    assert set(skipped) == {"a.parquet row 5"}
