import os
import random
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.errors import CurationError
from curation.images import parquet_cells
from curation.images.location import ImageRef

ROWS, GROUP = 200, 90


def cell(row):
    return f"image {row}".encode() * (1 + row % 7)


def write(path, values=None, type="binary", **options):
    values = [cell(row) for row in range(ROWS)] if values is None else values
    table = pa.table({"n": range(len(values)), "image": pa.array(values, type)})
    pq.write_table(table, path, **{"row_group_size": GROUP} | options)
    return path


@pytest.fixture(autouse=True)
def forgotten():
    """Each test starts with an empty cache."""
    parquet_cells._OPEN.clear()
    parquet_cells._WINDOWS.clear()


@pytest.fixture
def decoded(monkeypatch):
    """The first row of each window that is decoded, in order."""
    seen = []
    windows_to = parquet_cells._Column.windows_to

    def counting(self, row):
        for first, values in windows_to(self, row):
            seen.append(first)
            yield first, values

    monkeypatch.setattr(parquet_cells._Column, "windows_to", counting)
    return seen


@pytest.mark.parametrize("type", [pa.binary(), pa.large_binary()])
def test_cells_are_read_unchanged_and_each_window_is_decoded_once(tmp_path, type, decoded):
    file = write(tmp_path / "a.parquet", type=type)
    assert [parquet_cells.read(file, "image", row) for row in range(ROWS)] == list(
        map(cell, range(ROWS))
    )
    assert decoded == [0, 32, 64, 90, 122, 154, 180]


def test_image_records_of_datasets_are_read(tmp_path):
    records = [{"bytes": cell(row), "path": f"{row}.jpg"} for row in range(40)]
    record = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    file = write(tmp_path / "a.parquet", records, record)
    assert ImageRef("a.parquet", column="image", row=39).read(tmp_path) == cell(39)
    assert parquet_cells.read(file, "image", 2) == cell(2)


def test_cells_are_read_in_any_order(tmp_path):
    file = write(tmp_path / "a.parquet")
    order = random.Random(0).sample(range(ROWS), ROWS)
    assert [parquet_cells.read(file, "image", row) for row in order] == list(map(cell, order))


def test_parallel_reads_decode_each_window_once(tmp_path, decoded):
    file = write(tmp_path / "a.parquet")
    with ThreadPoolExecutor(2) as pool:
        result = list(pool.map(lambda row: parquet_cells.read(file, "image", row), range(ROWS)))
    assert result == list(map(cell, range(ROWS)))
    assert sorted(decoded) == sorted(set(decoded))


def test_the_cache_keeps_within_its_bytes(tmp_path, monkeypatch):
    values = [bytes([row]) * 10_000 for row in range(ROWS)]
    file = write(tmp_path / "a.parquet", values, compression="none")
    monkeypatch.setattr(parquet_cells, "MAX_BYTES", 1_700_000)
    for row in range(ROWS):
        assert parquet_cells.read(file, "image", row) == values[row]
        assert parquet_cells._cached_bytes() <= 1_700_000
    assert len(parquet_cells._WINDOWS) > parquet_cells.MIN_WINDOWS


def test_the_number_of_open_files_is_limited(tmp_path):
    for number in range(7):
        write(tmp_path / f"{number}.parquet", [cell(number)])
    for number in (*range(7), *range(7)):
        assert parquet_cells.read(tmp_path / f"{number}.parquet", "image", 0) == cell(number)
    assert len(parquet_cells._OPEN) <= parquet_cells.MAX_OPEN


def test_a_replaced_file_is_read_again(tmp_path):
    file = write(tmp_path / "a.parquet")
    assert parquet_cells.read(file, "image", 5) == cell(5)
    write(tmp_path / "b.parquet", [b"other"] * 6)
    (tmp_path / "b.parquet").replace(file)
    assert parquet_cells.read(file, "image", 5) == b"other"


def test_missing_cells_columns_and_rows_are_reported(tmp_path):
    file = write(tmp_path / "a.parquet", [b"a", None, b""])
    with pytest.raises(CurationError, match=r"no image: row 1 of a\.parquet"):
        parquet_cells.read(file, "image", 1)
    assert parquet_cells.read(file, "image", 2) == b""
    with pytest.raises(CurationError, match=r"a\.parquet has no row 3: it has 3"):
        parquet_cells.read(file, "image", 3)
    with pytest.raises(CurationError, match=r"a\.parquet no longer has a column 'jpg'"):
        parquet_cells.read(file, "jpg", 0)
    with pytest.raises(CurationError, match="not an image"):
        ImageRef("a.parquet", column="image", row=2).size(tmp_path)
    assert parquet_cells.read(file, "image", 0) == b"a"


def test_a_file_that_is_not_parquet_is_reported(tmp_path):
    file = write(tmp_path / "a.parquet")
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(CurationError, match=r"row 0 of a\.parquet cannot be read"):
        ImageRef("a.parquet", column="image", row=0).read(tmp_path)
    with pytest.raises(CurationError, match=r"file does not exist: b\.parquet"):
        ImageRef("b.parquet", column="image", row=0).read(tmp_path)


def test_a_damaged_page_affects_only_its_own_rows(tmp_path):
    values = [os.urandom(3000) for _ in range(ROWS)]
    file = write(tmp_path / "a.parquet", values, compression="zstd", use_dictionary=False)
    start = pq.read_metadata(file).row_group(1).column(1).data_page_offset
    data = bytearray(file.read_bytes())
    data[start : start + 60] = bytes(60)
    file.write_bytes(data)
    for row in range(ROWS):
        ref = ImageRef("a.parquet", column="image", row=row)
        if GROUP <= row < 2 * GROUP:
            with pytest.raises(CurationError, match="cannot be read"):
                ref.read(tmp_path)
        else:
            assert ref.read(tmp_path) == values[row]
