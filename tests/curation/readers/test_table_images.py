"""Images in the cells of a table, on the web, and given by full paths."""

from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.catalog.catalog import Catalog
from curation.images import decode, fetch, thumbnails
from curation.images.location import ImageRef
from curation.pipeline.run import score_dataset
from curation.readers import Options, open_source
from curation.storage.workspace import Workspace
from tests import make

JPEGS = [make.encoded(make.picture(seed, (40 + seed, 30))) for seed in range(10)]
CAPTIONS = [f"pair {number}" for number in range(10)]


def rows(result):
    return result.samples.to_pylist()


def skipped_rows(result):
    return [(s.where, s.reason) for s in result.skipped]


def write(path, cells, column="image", caption=CAPTIONS, **other):
    """A table in row groups of 4 rows."""
    names = {column: cells, "caption": caption[: len(cells)]}
    pq.write_table(pa.table(names | other), path, row_group_size=4)
    return path


@pytest.mark.parametrize("column", ["image", "jpg", "image_bytes", "Image"])
def test_image_bytes_written_by_pandas_are_read(tmp_path, column):
    frame = pd.DataFrame({"caption": CAPTIONS, column: JPEGS, "stars": range(10)})
    frame.to_parquet(tmp_path / "a.parquet")
    reader = open_source(tmp_path / "a.parquet")
    assert reader.name == "table"
    result = rows(make.read(tmp_path / "a.parquet"))
    assert [ImageRef.of(row).read(tmp_path) for row in result] == JPEGS
    assert [(r["width"], r["caption"], r["stars"]) for r in result] == [
        (40 + n, CAPTIONS[n], n) for n in range(10)
    ]
    assert not {"image", column} & result[0].keys()


def test_a_column_of_bytes_can_be_named_and_other_ones_are_left_out(tmp_path):
    others = {"image": [b"mask"] * 10, "sound": [b"wave"] * 10, "filepath": CAPTIONS}
    file = write(tmp_path / "a.parquet", JPEGS, "photo", **others)
    result = rows(make.read(file, image_column="photo"))
    assert [ImageRef.of(row).read(tmp_path) for row in result] == JPEGS
    assert not {"image", "sound", "photo"} & result[0].keys()
    assert result[3]["filepath"] == "pair 3"


def test_image_bytes_are_preferred_to_image_paths(tmp_path):
    file = write(tmp_path / "a.parquet", JPEGS, "jpg", file_name=CAPTIONS, url=["http://a"] * 10)
    (row, *_) = rows(make.read(file))
    assert (row["image_column"], row["image_row"], row["url"]) == ("jpg", 0, "http://a")


def test_cells_without_an_image_are_listed_with_file_and_row(tmp_path):
    cells = [JPEGS[0], None, b"", b"not an image", JPEGS[4][:40], JPEGS[5]]
    captions = ["a", "b", "c", "d", "e", " "]
    result = make.read(write(tmp_path / "a.parquet", cells, caption=captions))
    assert [row["caption"] for row in rows(result)] == ["a"]
    reasons = dict(skipped_rows(result))
    assert reasons["a.parquet row 1"] == "no image: row 1 of a.parquet"
    assert reasons["a.parquet row 2"] == "not an image in a supported format"
    assert reasons["a.parquet row 3"] == "not an image in a supported format"
    assert "a.parquet row 4" in reasons
    assert reasons["a.parquet row 5"] == "caption is empty"


def test_a_shard_can_start_inside_a_row_group(tmp_path):
    file = write(tmp_path / "a.parquet", JPEGS)
    reader = open_source(file, options=Options(shard_size=3))
    parts = [rows(reader.read(shard)) for shard in reader.shards()]
    assert [len(part) for part in parts] == [3, 3, 3, 1]
    result = [row for part in parts for row in part]
    assert [row["image_row"] for row in result] == list(range(10))
    assert [row["caption"] for row in result] == CAPTIONS
    assert [ImageRef.of(row).read(tmp_path) for row in result] == JPEGS
    assert result == rows(make.read(file))


def test_only_the_row_groups_of_a_shard_are_read_without_images(tmp_path, monkeypatch):
    reader = open_source(write(tmp_path / "a.parquet", JPEGS), options=Options(shard_size=3))
    read, asked = pq.ParquetFile.read_row_groups, []

    def listening(self, groups, columns=None, **options):
        asked.append((list(groups), columns))
        return read(self, groups, columns, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", listening)
    for shard in reader.shards():
        reader.read(shard)
    columns = ["caption"]
    assert asked == [([0], columns), ([0, 1], columns), ([1, 2], columns), ([2], columns)]


def test_repeated_captions_are_different_samples(tmp_path):
    result = rows(make.read(write(tmp_path / "a.parquet", JPEGS, caption=["same"] * 10)))
    assert len({row["uid"] for row in result}) == 10


def test_a_table_is_read_again_if_it_moves_below_the_image_root(tmp_path):
    file = write(tmp_path / "a.parquet", JPEGS)
    marks = [
        [s.fingerprint for s in open_source(file, options=Options(image_root=root)).shards()]
        for root in (None, tmp_path, tmp_path.parent)
    ]
    assert marks[0] == marks[1] != marks[2]
    (row, *_) = rows(make.read(file, image_root=tmp_path.parent))
    assert row["image_file"] == f"{tmp_path.name}/a.parquet"
    assert ImageRef.of(row).read(tmp_path.parent) == JPEGS[0]


def test_images_of_a_table_outside_the_image_root_are_refused(tmp_path):
    (tmp_path / "root").mkdir()
    result = make.read(write(tmp_path / "a.parquet", JPEGS[:1]), image_root=tmp_path / "root")
    assert "outside the image root" in skipped_rows(result)[0][1]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_urls_are_not_downloaded_when_a_table_is_read(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(fetch, "fetch", lambda *_: pytest.fail("fetched"))
    frame = pd.DataFrame(
        {
            "URL": ["https://a.example/1.jpg", "HTTP://a.example/2.png", None],
            "TEXT": ["one", "two", "three"],
            "WIDTH": [320, 640, 1],
            "HEIGHT": [200, None, 1],
        }
    )
    file = tmp_path / f"a.{kind}"
    if kind == "csv":
        frame.to_csv(file, index=False)
    elif kind == "jsonl":
        frame.to_json(file, orient="records", lines=True)
    else:
        frame.to_parquet(file)
    result = make.read(file)
    assert [(r["url"], r["image_file"], r["width"], r["height"]) for r in rows(result)] == [
        ("https://a.example/1.jpg", None, 320, 200),
        ("HTTP://a.example/2.png", None, 640, None),
    ]
    assert [reason for _, reason in skipped_rows(result)] == ["no image"]
    assert len({row["uid"] for row in rows(result)}) == 2


def test_the_size_of_a_url_is_the_original_size(tmp_path):
    table = pa.table(
        {
            "image_url": ["https://a.example/1.jpg"] * 2,
            "text": ["a", "b"],
            "width": [256, 256],
            "height": [256, 256],
            "original_width": [800, 0],
            "original_height": [600.0, float("nan")],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    result = rows(make.read(tmp_path / "a.parquet"))
    assert [(r["width"], r["height"]) for r in result] == [(800, 600), (256, 256)]


def test_the_url_of_a_local_image_is_kept(tmp_path):
    make.jpeg(tmp_path / "1.jpg")
    (tmp_path / "a.csv").write_text("image,text,url\n1.jpg,a dog,https://a.example/1.jpg\n")
    (row,) = rows(make.read(tmp_path / "a.csv"))
    assert (row["image_file"], row["url"]) == ("1.jpg", "https://a.example/1.jpg")


def test_a_full_path_below_the_image_root_becomes_relative(tmp_path):
    images_ = tmp_path / "images"
    inside, outside = (
        make.jpeg(images_ / "sub" / "1.jpg"),
        make.jpeg(tmp_path / "elsewhere" / "2.jpg"),
    )
    sibling = make.jpeg(tmp_path / "images2" / "3.jpg")
    lines = ["image,text", *(f"{path},a dog" for path in (inside, outside, sibling, "sub/1.jpg"))]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    result = make.read(tmp_path / "a.csv", image_root=images_)
    assert [row["image_file"] for row in rows(result)] == ["sub/1.jpg"] * 2
    assert len({row["uid"] for row in rows(result)}) == 1
    assert all("outside the image root" in reason for _, reason in skipped_rows(result))
    assert [where for where, _ in skipped_rows(result)] == ["a.csv line 3", "a.csv line 4"]


def test_a_folder_of_images_with_metadata_parquet_is_a_folder(tmp_path):
    make.jpeg(tmp_path / "1.jpg")
    table = pa.table({"file_name": ["1.jpg"], "text": ["a dog"]})
    pq.write_table(table, tmp_path / "metadata.parquet")
    assert open_source(tmp_path).name == "folder"
    assert [row["image_file"] for row in rows(make.read(tmp_path))] == ["1.jpg"]
    assert open_source(tmp_path / "metadata.parquet").name == "table"


def test_images_in_cells_are_scored_and_shown(tmp_path, job):
    source = tmp_path / "parts"
    source.mkdir()
    write(source / "0.parquet", JPEGS[:6])
    write(source / "1.parquet", [*JPEGS[6:], make.encoded(make.picture(99, (200, 200)))[:2000]])
    workspace = tmp_path / "w"
    asked = replace(
        job,
        source=source,
        workspace=workspace,
        scores=("clip_score",),
        parameters={},
        options=Options(shard_size=4),
    )
    summary = score_dataset(asked, make.QUIET)
    assert (summary.samples, summary.skipped) == (10, 1)
    catalog = Catalog.of(Workspace.open(workspace))
    (lost,) = catalog.skipped()
    assert (lost["stage"], lost["where"]) == ("embed", "1.parquet")
    samples = catalog.rows(range(10))
    assert all(row["clip_score"] is not None for row in samples)
    small = thumbnails.load(Workspace.open(workspace), source, samples)
    assert small == [decode.thumbnail(data, thumbnails.SIDE) for data in JPEGS]
