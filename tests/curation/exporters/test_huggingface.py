import io
import json
from dataclasses import replace

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from curation.catalog.catalog import Catalog
from curation.exporters import dataset_card
from curation.exporters.export import export
from curation.images.location import ImageRef
from curation.readers import open_source
from curation.selection.recipe import Recipe, WhereStep
from curation.selection.select import select
from tests import make
from tests.curation.exporters import read_back
from tests.curation.exporters.conftest import CAPTIONS, RECIPE, WHEN, WITH_IMAGES

NONE = WhereStep("width < 0")


def loaded(path, cache, **options):
    return datasets.load_dataset(str(path), split="train", cache_dir=str(cache), **options)


def test_a_row_is_the_image_and_the_chosen_columns(world, tmp_path):
    rows = read_back.rows("huggingface", world.export("huggingface", tmp_path).path)
    assert list(rows[0]) == ["image", "uid", "caption", "url", "quality"]
    assert [row["image"]["bytes"] for row in rows] == [world.images[n] for n in WITH_IMAGES]
    assert rows[3]["image"]["path"] == f"{make.uid(2)}.webp"


def test_datasets_loads_the_folder_with_images_decoded(world, tmp_path):
    dataset = loaded(world.export("huggingface", tmp_path, shard_size=2).path, tmp_path / "cache")
    assert dataset.features["image"] == datasets.Image()
    assert dataset["uid"][:] == [make.uid(n) for n in WITH_IMAGES]
    assert dataset["caption"][:] == [CAPTIONS[n] for n in WITH_IMAGES]
    for row, number in zip(dataset, WITH_IMAGES, strict=True):
        source = Image.open(io.BytesIO(world.images[number]))
        assert row["image"].convert("RGB").tobytes() == source.convert("RGB").tobytes()


def test_the_features_are_declared_as_datasets_itself_declares_them(every_type, tmp_path):
    catalog = every_type
    everything = select(Recipe("all"), catalog)
    columns = list(catalog.columns)
    path = export(catalog, everything, "huggingface", tmp_path / "out", columns=columns).path
    schema = pq.read_schema(next((path / "data").iterdir()))
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    plain = datasets.Features.from_arrow_schema(schema.remove_metadata())
    assert features == plain.to_dict() | {"image": {"_type": "Image"}}
    (row,) = loaded(path, tmp_path / "cache")
    assert (row["day"], row["bytes"]) == (WHEN.date(), b"\xff\x00")


def test_files_are_numbered_and_row_groups_small(tmp_path):
    make.jpeg(tmp_path / "source" / "a.jpg")
    rows = [{"file_name": "a.jpg"}] * 250
    catalog = Catalog.of(make.workspace(tmp_path, rows))
    everything = select(Recipe("all"), catalog)
    export(catalog, everything, "huggingface", tmp_path / "out", shard_size=220)
    data = tmp_path / "out" / "data"
    names = ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"]
    assert sorted(f.name for f in data.iterdir()) == names
    file = pq.ParquetFile(data / names[0])
    groups = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    assert groups == [100, 100, 20]


def test_an_empty_export_is_one_file_without_rows(world, tmp_path):
    path = world.nothing("huggingface", tmp_path).path
    (file,) = (path / "data").iterdir()
    assert file.name == "train-00000-of-00001.parquet"
    # Without streaming, datasets refuses a split without rows whoever wrote it.
    assert list(loaded(path, tmp_path / "cache", streaming=True)) == []
    assert pq.read_schema(file).names == ["image", "uid", "caption", "url", "quality"]


def test_our_own_reader_reads_it_back(world, tmp_path):
    path = world.export("huggingface", tmp_path).path
    reader = open_source(path)
    assert reader.name == "huggingface"
    (shard,) = reader.shards()
    rows = reader.read(shard).samples.to_pylist()
    assert [row["uid"] for row in rows] == [make.uid(n) for n in WITH_IMAGES]
    assert [row["caption"] for row in rows] == [CAPTIONS[n] for n in WITH_IMAGES]
    images = [ImageRef.of(row).read(reader.image_root) for row in rows]
    assert images == [world.images[n] for n in WITH_IMAGES]


def test_the_card_says_how_many_and_how_they_were_chosen(world, tmp_path):
    card = (world.export("huggingface", tmp_path).path / "README.md").read_text()
    front, _, text = card.removeprefix("---\n").partition("---\n")
    assert yaml.safe_load(front) == {
        "size_categories": ["n<1K"],
    }
    assert "5 samples of the 6 that were chosen from 6 in the pool" in text
    assert "come from pairs.jsonl (read as table)" in text
    assert str(tmp_path.parent) not in text
    assert world.selection.digest in text
    recipe = text.partition("```yaml\n")[2].partition("```")[0]
    assert Recipe.parse(recipe) == RECIPE


def test_the_card_lists_each_score_with_its_parameters(scored, tmp_path):
    catalog = Catalog.of(scored)
    export(catalog, select(Recipe("all"), catalog), "huggingface", tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    (row,) = (line for line in card.splitlines() if line.startswith(r"| neg\_clip\_loss |"))
    assert r"batch\_size=16, batches=3" in row
    assert "36 samples, chosen from 36 in the pool." in card


def test_the_card_says_when_the_images_were_fetched_from_the_web(world, tmp_path):
    card = dataset_card.card(world.catalog, world.selection, [])
    assert "the images copied byte for byte" in card
    rows = [{"file_name": f"https://a.example/{n}.jpg"} for n in range(2)]
    catalog = make.catalog(tmp_path, {"quality": [1.0, 0.5]}, rows)[1]
    card = dataset_card.card(catalog, select(Recipe("all"), catalog), [])
    assert "the images downloaded from their URLs" in card


@pytest.mark.parametrize(
    ("count", "size"),
    [(0, "n<1K"), (999, "n<1K"), (1_000, "1K<n<10K"), (100_000, "100K<n<1M")],
)
def test_the_card_has_the_hubs_word_for_the_size(world, count, size):
    copies = np.zeros(6, dtype=np.int64)
    copies[0] = count
    card = dataset_card.card(world.catalog, replace(world.selection, copies=copies), [])
    assert yaml.safe_load(card.split("---")[1])["size_categories"] == [size]


def test_a_dataset_cannot_write_markdown_into_the_card(tmp_path):
    catalog = make.catalog(tmp_path, {"quality": [1.0]})[1]
    recipe = Recipe.parse('name: "![x](http://a.example) | <b>\\n```"\nsteps: []')
    export(catalog, select(recipe, catalog), "huggingface", tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    assert r"# !\[x\](http://a.example) \| \<b\> \`\`\`" in card.splitlines()
    assert "````yaml\n" in card


def test_another_export_of_its_name_is_not_taken_for_the_one_in_the_cache(tmp_path):
    catalog = Catalog.of(make.workspace(tmp_path, [{}, {}, {}]))
    for where, count in (("a/d", 3), ("a/d", 2), ("b/d", 1)):
        kept = tuple(make.uid(n) for n in range(count))
        chosen = select(Recipe(f"first-{count}", keep=kept, steps=(NONE,)), catalog)
        export(catalog, chosen, "huggingface", tmp_path / where, overwrite=True)
        assert loaded(tmp_path / where, tmp_path / "cache")["uid"][:] == list(kept)


def test_large_images_make_small_row_groups(tmp_path):
    make.jpeg(tmp_path / "source" / "a.jpg")
    # What follows a picture's end is no part of it, but of the file.
    with (tmp_path / "source" / "a.jpg").open("ab") as file:
        file.write(bytes(12_000_000))
    catalog = Catalog.of(make.workspace(tmp_path, [{"file_name": "a.jpg"}] * 7))
    export(catalog, select(Recipe("all"), catalog), "huggingface", tmp_path / "out")
    (file,) = (tmp_path / "out" / "data").iterdir()
    metadata = pq.ParquetFile(file).metadata
    groups = [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]
    assert groups == [3, 3, 1]
