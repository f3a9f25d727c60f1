import pyarrow as pa
import pytest

from curation.errors import CurationError
from curation.readers import Options, open_source
from curation.readers.huggingface import arrow_files
from tests.curation.readers.huggingface.test_reader import (
    CAPTIONS,
    JPEGS,
    dataset,
    pixels,
    read,
    stream,
)


@pytest.mark.parametrize("kind", ["binary", "large_binary", "record", "large record"])
@pytest.mark.parametrize("format", ["stream", "file"])
def test_arrow_files_of_every_type_are_read_by_ranges(tmp_path, kind, format):
    held = pa.large_binary() if kind.startswith("large") else pa.binary()
    type_ = pa.struct({"bytes": held, "path": pa.string()}) if "record" in kind else held
    cells = [{"bytes": d, "path": None} for d in JPEGS] if "record" in kind else list(JPEGS)
    cells[2] = None
    table = pa.table({"image": pa.array(cells, type_), "text": CAPTIONS}).slice(1)
    file = tmp_path / "a.arrow"
    if format == "stream":
        stream(file, table)
    else:
        with pa.ipc.new_file(file, table.schema) as out:
            out.write_table(table, max_chunksize=3)
    for size in (1, 3, 100):
        rows, skipped = read(file, shard_size=size)
        assert pixels(rows, tmp_path) == [JPEGS[1], *JPEGS[3:]]
        assert skipped == {"a.arrow row 1": "no image"}


def test_cached_map_results_next_to_arrow_files_are_ignored(tmp_path):
    table = dataset().data.table
    stream(tmp_path / "imagefolder-train-00001-of-00002.arrow", table.slice(5))
    stream(tmp_path / "imagefolder-train-00000-of-00002.arrow", table.slice(0, 5))
    stream(tmp_path / "cache-0123456789abcdef.arrow", table)
    rows, _ = read(tmp_path)
    assert pixels(rows, tmp_path) == JPEGS
    assert rows[1]["label"] == "dog"


def test_no_image_is_read_when_shards_are_listed(tmp_path, monkeypatch):
    monkeypatch.setattr(arrow_files.ArrowFile, "image_ranges", lambda *_: pytest.fail("looked at"))
    dataset().save_to_disk(tmp_path)
    shards = open_source(tmp_path, options=Options(shard_size=4)).shards()
    assert [(s.index, s.start, s.stop) for s in shards] == [(0, 0, 4), (1, 4, 8), (2, 8, 9)]


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
@pytest.mark.parametrize("new", [pa.ipc.new_stream, pa.ipc.new_file])
def test_a_compressed_arrow_file_is_refused(tmp_path, codec, new):
    options = pa.ipc.IpcWriteOptions(compression=codec)
    table = pa.table({"image": pa.array([bytes(9000)] * 9, pa.binary()), "text": CAPTIONS})
    with new(tmp_path / "a.arrow", table.schema, options=options) as out:
        out.write_table(table)
    with pytest.raises(CurationError, match=r"a\.arrow is compressed, .*without compression"):
        read(tmp_path)


def test_an_arrow_file_truncated_anywhere_is_refused(tmp_path):
    file = stream(tmp_path / "a.arrow", dataset().data.table)
    whole = file.read_bytes()
    for cut in range(0, len(whole), 211):
        file.write_bytes(whole[:cut])
        with pytest.raises(
            CurationError, match=r"a\.arrow (cannot be read as an Arrow|is truncated)"
        ):
            read(file)
    source = pa.BufferReader(whole)
    batches = pa.ipc.open_stream(source)
    while True:
        # Cut between two batches, and just before the end marker.
        file.write_bytes(whole[: source.tell()])
        with pytest.raises(CurationError, match=r"a\.arrow is truncated"):
            read(file)
        if source.tell() == len(whole) - 8:
            break
        batches.read_next_batch()
    with pa.ipc.new_file(file, dataset().data.table.schema) as out:
        out.write_table(dataset().data.table)
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(CurationError, match=r"a\.arrow cannot be read as an Arrow"):
        read(file)


def test_a_damaged_arrow_file_is_refused_before_it_is_read(tmp_path):
    table = pa.table({"image": pa.array(JPEGS, pa.binary()), "caption": CAPTIONS})
    with pa.ipc.new_stream(tmp_path / "a.arrow", table.schema) as out:
        out.write_table(table)
    data = (tmp_path / "a.arrow").read_bytes()
    offsets = table["image"].chunk(0).buffers()[1].to_pybytes()[:40]
    wrong = bytearray(offsets)
    wrong[8:12] = (1 << 30).to_bytes(4, "little")
    assert data.count(offsets) == 1
    (tmp_path / "a.arrow").write_bytes(data.replace(offsets, bytes(wrong)))
    with pytest.raises(CurationError, match=r"a\.arrow is damaged"):
        read(tmp_path)
