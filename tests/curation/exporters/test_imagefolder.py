import io

import datasets
from PIL import Image

from curation.exporters.export import export
from curation.images.location import ImageRef
from curation.selection.recipe import Recipe
from curation.selection.select import select
from tests import make
from tests.curation.exporters import read_back
from tests.curation.exporters.conftest import CAPTIONS, WITH_IMAGES


def loaded(path, cache):
    return datasets.load_dataset(
        "imagefolder", data_dir=str(path), split="train", cache_dir=str(cache)
    )


def test_an_image_is_named_by_its_uid_and_a_repeat_is_numbered(world, tmp_path):
    path = world.export("imagefolder", tmp_path).path
    files = {
        f"images/00/{make.uid(0)}.jpg": 0,
        f"images/00/{make.uid(1)}.png": 1,
        f"images/00/{make.uid(1)}-2.png": 1,
        f"images/00/{make.uid(2)}.webp": 2,
        f"images/00/{make.uid(3)}.jpg": 3,
    }
    written = {f.relative_to(path).as_posix(): f.read_bytes() for f in path.rglob("*.*")}
    del written["metadata.jsonl"]
    assert written == {name: world.images[number] for name, number in files.items()}
    assert [row["file_name"] for row in read_back.rows("imagefolder", path)] == list(files)


def test_the_metadata_has_the_file_then_the_chosen_columns(world, tmp_path):
    path = world.export("imagefolder", tmp_path).path
    row = read_back.rows("imagefolder", path)[0]
    assert list(row) == ["file_name", "uid", "caption", "url", "quality"]
    path = world.export("imagefolder", tmp_path / "two", columns=["stars", "image_file"]).path
    row = read_back.rows("imagefolder", path)[0]
    assert list(row) == ["file_name", "stars", "image_file"]


def test_datasets_loads_images_with_their_captions(world, tmp_path):
    dataset = loaded(world.export("imagefolder", tmp_path).path, tmp_path / "cache")
    assert dataset["uid"][:] == [make.uid(n) for n in WITH_IMAGES]
    assert dataset["caption"][:] == [CAPTIONS[n] for n in WITH_IMAGES]
    for row, number in zip(dataset, WITH_IMAGES, strict=True):
        source = Image.open(io.BytesIO(world.images[number]))
        assert row["image"].convert("RGB").tobytes() == source.convert("RGB").tobytes()


def test_columns_that_datasets_would_take_for_images_are_renamed(tmp_path):
    rows = [{"image": "a cat", "old_file_name": "x.jpg", "profile_name": "me"}]
    catalog = make.catalog(tmp_path, {"quality": [1.0]}, rows)[1]
    columns = ["image", "old_file_name", "profile_name"]
    everything = select(Recipe("all"), catalog)
    export(catalog, everything, "imagefolder", tmp_path / "out", columns=columns)
    row = loaded(tmp_path / "out", tmp_path / "cache")[0]
    picture = row.pop("image")
    assert picture.size == (40, 30)
    assert row == {"source_image": "a cat", "old_filename": "x.jpg", "profile_name": "me"}


def test_our_own_reader_reads_it_back(world, tmp_path):
    path = world.export("imagefolder", tmp_path).path
    shard = make.read(path)
    rows = shard.samples.to_pylist()
    assert [row["uid"] for row in rows] == [make.uid(n) for n in WITH_IMAGES]
    assert [row["caption"] for row in rows] == [CAPTIONS[n] for n in WITH_IMAGES]
    assert [ImageRef.of(row).read(path) for row in rows] == [world.images[n] for n in WITH_IMAGES]
    assert list(shard.skipped) == []
