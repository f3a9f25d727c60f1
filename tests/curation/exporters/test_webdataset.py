import io
import tarfile

import pyarrow.parquet as pq
import webdataset
from PIL import Image

from curation.exporters.export import default_columns, export
from curation.images.location import ImageRef
from curation.readers import open_source
from curation.selection.recipe import Recipe
from curation.selection.select import select
from tests import make
from tests.curation.exporters import read_back
from tests.curation.exporters.conftest import CAPTIONS, WITH_IMAGES


def test_a_sample_is_its_image_caption_and_columns_under_one_key(world, tmp_path):
    path = world.export("webdataset", tmp_path).path
    members = read_back.tar_members(path / "00000.tar")
    assert list(members)[:6] == [
        "000000000.jpg",
        "000000000.txt",
        "000000000.json",
        "000000001.png",
        "000000001.txt",
        "000000001.json",
    ]
    assert members["000000000.txt"].decode() == CAPTIONS[0]
    assert read_back.strict_json(members["000000003.json"]) == {
        "key": "000000003",
        "uid": make.uid(2),
        "caption": CAPTIONS[2],
        "url": None,
        "quality": 0.7,
    }


def test_images_are_copied_byte_for_byte_under_the_extension_of_their_format(world, tmp_path):
    members = read_back.tar_members(world.export("webdataset", tmp_path).path / "00000.tar")
    images = {n: held for n, held in members.items() if not n.endswith((".txt", ".json"))}
    assert [name.partition(".")[2] for name in images] == ["jpg", "png", "png", "webp", "jpg"]
    assert list(images.values()) == [world.images[n] for n in WITH_IMAGES]


def test_a_tar_has_as_many_samples_as_a_shard_and_the_last_the_rest(world, tmp_path):
    path = world.export("webdataset", tmp_path, shard_size=2).path
    names = [f"{n:05d}.{kind}" for n in range(3) for kind in ("parquet", "tar")]
    assert sorted(f.name for f in path.iterdir()) == names
    keys = [pq.read_table(path / f"{n:05d}.parquet")["key"].to_pylist() for n in range(3)]
    assert keys == [["000000000", "000000001"], ["000010000", "000010001"], ["000020000"]]


def test_keys_are_wider_where_a_shard_holds_more(world, tmp_path):
    path = world.export("webdataset", tmp_path, shard_size=100_001).path
    assert pq.read_table(path / "00000.parquet")["key"][4].as_py() == "00000000004"


def test_the_table_next_to_a_tar_has_the_layout_of_img2dataset(world, tmp_path):
    path = world.export("webdataset", tmp_path).path
    rows = pq.read_table(path / "00000.parquet").to_pylist()
    assert [list(row.values()) for row in rows[-1:]] == [
        [
            "000000004",
            "success",
            None,
            make.uid(3),
            CAPTIONS[3],
            "https://a.example/3.jpg",
            rows[-1]["quality"],
        ]
    ]
    assert list(rows[0])[:3] == ["key", "status", "error_message"]


def test_no_owner_and_no_time_is_in_a_tar(world, tmp_path):
    path = world.export("webdataset", tmp_path).path / "00000.tar"
    with tarfile.open(path) as tar:
        marks = {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in tar}
    assert marks == {(0, 0, 0, "", "")}


def test_a_column_called_as_the_format_calls_its_own_is_renamed(tmp_path):
    rows = [{"key": "theirs", "Status": "fine", "source_key": "other"}]
    catalog = make.catalog(tmp_path, {"quality": [1.0]}, rows)[1]
    columns = ["uid", "key", "Status", "source_key"]
    everything = select(Recipe("all"), catalog)
    export(catalog, everything, "webdataset", tmp_path / "out", columns=columns)
    assert read_back.rows("webdataset", tmp_path / "out") == [
        {
            "key": "000000000",
            "uid": make.uid(0),
            "source_key": "theirs",
            "source_Status": "fine",
            "source_key_2": "other",
        }
    ]
    assert pq.read_table(tmp_path / "out" / "00000.parquet")["key"].to_pylist() == ["000000000"]


def test_the_webdataset_library_decodes_it(world, tmp_path):
    path = world.export("webdataset", tmp_path, shard_size=2).path
    tars = [str(tar) for tar in sorted(path.glob("*.tar"))]
    samples = list(webdataset.WebDataset(tars, shardshuffle=False).decode("pilrgb"))
    assert [sample["json"]["uid"] for sample in samples] == [make.uid(n) for n in WITH_IMAGES]
    assert [sample["txt"] for sample in samples] == [CAPTIONS[n] for n in WITH_IMAGES]
    for sample, number in zip(samples, WITH_IMAGES, strict=True):
        image = next(sample[e] for e in ("jpg", "png", "webp") if e in sample)
        source = Image.open(io.BytesIO(world.images[number])).convert("RGB")
        assert image.tobytes() == source.tobytes()


def test_our_own_reader_reads_it_back(world, tmp_path):
    path = world.export("webdataset", tmp_path, shard_size=2).path
    reader = open_source(path)
    assert reader.name == "webdataset"
    shards = [reader.read(shard) for shard in reader.shards()]
    rows = [row for shard in shards for row in shard.samples.to_pylist()]
    assert [row["uid"] for row in rows] == [make.uid(n) for n in WITH_IMAGES]
    assert [row["caption"] for row in rows] == [CAPTIONS[n] for n in WITH_IMAGES]
    assert [row["quality"] for row in rows] == [0.9, 0.8, 0.8, 0.7, 0.6]
    images = [ImageRef.of(row).read(reader.image_root) for row in rows]
    assert images == [world.images[n] for n in WITH_IMAGES]
    assert [skipped for shard in shards for skipped in shard.skipped] == []


def test_an_empty_export_is_one_empty_tar(world, tmp_path):
    path = world.nothing("webdataset", tmp_path).path
    assert read_back.tar_members(path / "00000.tar") == {}
    assert make.read(path).samples.num_rows == 0


def test_urls_are_a_default_column_if_any_sample_has_one(world, tmp_path):
    assert default_columns(world.catalog, "webdataset") == ["uid", "caption", "url", "quality"]
    without = make.catalog(tmp_path, {"quality": [1.0]})[1]
    assert default_columns(without, "webdataset") == ["uid", "caption", "quality"]
