import csv
from pathlib import Path

import datasets
import pytest

from curation.exporters.export import export
from curation.selection.recipe import Recipe
from curation.selection.select import select
from tests import make
from tests.curation.exporters import read_back
from tests.curation.exporters.conftest import CAPTIONS, SELECTED


def test_csv_has_a_header_and_a_row_a_sample(world, tmp_path):
    path = world.export("csv", tmp_path).path
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["uid", "caption", "image_file", "quality"]
    assert [row["caption"] for row in rows] == [CAPTIONS[n] for n in SELECTED]
    assert float(rows[0]["quality"]) == pytest.approx(0.9)


def test_csv_holds_a_missing_value_as_an_empty_field(world, tmp_path):
    everything = select(Recipe("all"), world.catalog)
    export(world.catalog, everything, "csv", tmp_path / "a.csv")
    assert [row["quality"] for row in read_back.rows("csv", tmp_path / "a.csv")][5] == ""


def test_csv_of_nothing_is_its_header(world, tmp_path):
    path = world.nothing("csv", tmp_path).path
    assert path.read_text().splitlines() == ['"uid","caption","image_file","quality"']


def test_datasets_loads_it(world, tmp_path):
    path = world.export("csv", tmp_path).path
    cache = str(tmp_path / "cache")
    dataset = datasets.load_dataset("csv", data_files=str(path), split="train", cache_dir=cache)
    assert dataset["caption"][:] == [CAPTIONS[n] for n in SELECTED]


def test_our_own_reader_reads_it_back(world, tmp_path):
    path = world.export("csv", tmp_path).path
    root = Path(world.catalog.dataset.image_root)
    shard = make.read(path, image_column="image_file", image_root=root)
    assert shard.samples.column("caption").to_pylist() == [CAPTIONS[n] for n in SELECTED[:-1]]
