import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.readers.base import SourceShard
from curation.readers.shared import parquet_rows

ROWS = 10


@pytest.fixture
def file(tmp_path):
    """Ten rows in row groups of 4, 4 and 2."""
    table = pa.table({"x": range(ROWS), "data": [b"x"] * ROWS})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=4)
    return tmp_path / "a.parquet"


def test_row_groups_are_listed_by_their_first_row(file):
    assert parquet_rows.group_starts(file) == [0, 4, 8, ROWS]


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [(0, None, range(10)), (0, 4, range(4)), (4, 8, range(4, 8)), (4, None, range(4, 10))],
)
def test_only_row_groups_in_the_range_are_read(file, start, stop, expected):
    table = parquet_rows.load_groups(file, start, stop, without=("data",))
    assert table.column_names == ["x", "__origin__"]
    assert table["x"].to_pylist() == list(expected)
    assert table["__origin__"].to_pylist() == [f"a.parquet row {n}" for n in expected]


@pytest.mark.parametrize("size", range(1, 12))
def test_shards_of_every_size_have_their_own_rows_and_no_other_row_group(file, size):
    rows = []
    for start in range(0, ROWS, size):
        shard = SourceShard(0, file, start, min(start + size, ROWS), "")
        calls = []

        def load(*arguments, calls=calls):
            calls.append(arguments[1:3])
            return parquet_rows.load_groups(*arguments)

        part = parquet_rows.load_shard(load, shard, (), ())["x"].to_pylist()
        assert part == list(range(shard.start, shard.stop))
        ((first, last),) = calls
        assert first <= shard.start < first + 4
        assert last - 4 < shard.stop <= last or last == ROWS
        rows += part
    assert rows == list(range(ROWS))


def test_of_repeated_columns_the_right_one_is_left_out(tmp_path):
    columns = [pa.array([b"x"]), pa.array(["kept"]), pa.array([1])]
    pq.write_table(pa.Table.from_arrays(columns, ["a", "a", "b"]), tmp_path / "a.parquet")
    assert parquet_rows.read_schema(tmp_path / "a.parquet").names == ["a", "a_2", "b"]
    table = parquet_rows.load_groups(tmp_path / "a.parquet", without=("a",))
    assert table.select(["a_2", "b"]).to_pylist() == [{"a_2": "kept", "b": 1}]
