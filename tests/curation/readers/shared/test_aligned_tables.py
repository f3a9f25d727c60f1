from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.errors import CurationError
from curation.readers.shared import aligned_tables
from tests import make

FILE = Path("a.parquet")


def chunked(*values, type_=None):
    return pa.chunked_array([pa.array(values, type_)])


def test_captions_are_trimmed_and_null_becomes_empty():
    texts = aligned_tables.caption_texts(chunked(" a b \n", None, ""))
    assert texts.to_pylist() == ["a b", "", ""]


def test_uids_are_lowered_and_checked():
    upper = make.uid(171).upper()
    assert aligned_tables.checked_uids(chunked(upper), "id", FILE).to_pylist() == [make.uid(171)]
    for wrong in ("x", None, make.uid(1) + "0"):
        with pytest.raises(CurationError, match=r"a\.parquet, column id: row 1: .* is not a uid"):
            aligned_tables.checked_uids(chunked(upper, wrong), "id", FILE)


def test_sizes_come_from_the_first_prefix_with_numbers():
    table = pa.table(
        {"WIDTH": [4], "original_width": [400], "height": ["3"], "original_height": [9]}
    )
    sizes = aligned_tables.image_sizes(table, ("", "original_"))
    assert {side: column.to_pylist() for side, column in sizes.items()} == {
        "width": [4],
        "height": [9],
    }
    assert aligned_tables.image_sizes(table, ("source_",)) == {}


def test_sizes_outside_the_range_of_pixels_are_null():
    values = [0, 1, 0.5, 2**31 - 1, 2**31, float("nan"), None]
    table = pa.table({"width": pa.array(values, pa.float64())})
    width = aligned_tables.image_sizes(table, ("",))["width"]
    assert width.type == pa.int32()
    assert width.to_pylist() == [None, 1, None, 2**31 - 1, None, None, None]


def test_nested_columns_are_left_out_even_with_a_repeated_name(tmp_path):
    columns = [pa.array([[1]]), pa.array(["kept"]), pa.array([{"x": 1}])]
    pq.write_table(pa.Table.from_arrays(columns, ["a", "a", "b"]), tmp_path / "a.parquet")
    assert aligned_tables.load_table(tmp_path / "a.parquet").to_pylist() == [{"a": "kept"}]


def test_every_row_is_a_sample_and_unused_columns_are_kept():
    table = pa.table({"id": ["a"], "URL": [b"http://a"], "caption": ["x"], "text": ["y"]})
    known = {"uid": chunked(make.uid(1)), "caption": table.column("text")}
    result = aligned_tables.all_samples(table, known, used=("id", "text"))
    (row,) = result.samples.to_pylist()
    assert result.skipped == []
    assert (row["uid"], row["caption"], row["url"]) == (make.uid(1), "y", "http://a")
    assert row["source_caption"] == "x"
    assert not {"id", "text", "URL", "source_URL"} & row.keys()
    assert row["image_file"] is None


def test_a_feature_name_is_lower_case_with_single_underscores():
    assert aligned_tables.feature_name("ViT-B/32 (openai)") == "vit_b_32_openai"
    assert aligned_tables.feature_name("--") == ""
