from pathlib import Path

import datasets
import numpy as np
import pytest

from curation.catalog.catalog import Catalog
from curation.exporters.export import export
from curation.selection.recipe import Recipe
from curation.selection.select import select
from tests import make
from tests.curation.exporters import read_back
from tests.curation.exporters.conftest import CAPTIONS, SELECTED


def test_jsonl_has_an_object_of_the_chosen_columns_a_line(world, tmp_path):
    rows = read_back.rows("jsonl", world.export("jsonl", tmp_path).path)
    assert list(rows[0]) == ["uid", "caption", "image_file", "quality"]
    assert [row["caption"] for row in rows] == [CAPTIONS[n] for n in SELECTED]
    assert rows[0]["quality"] == pytest.approx(0.9)


def test_jsonl_holds_a_missing_value_as_null(world, tmp_path):
    everything = select(Recipe("all"), world.catalog)
    export(world.catalog, everything, "jsonl", tmp_path / "a.jsonl")
    assert [row["quality"] for row in read_back.rows("jsonl", tmp_path / "a.jsonl")][5] is None


def test_jsonl_is_utf_8_not_escaped(world, tmp_path):
    text = world.export("jsonl", tmp_path).path.read_text(encoding="utf-8")
    assert "子猫 и котёнок \N{CAT FACE}" in text
    assert text.count("\n") == len(SELECTED)


def test_a_number_of_32_bits_has_no_more_digits_than_it_needs(tmp_path, scored):
    catalog = Catalog.of(scored)
    export(catalog, select(Recipe("all"), catalog), "jsonl", tmp_path / "a.jsonl")
    values = [row["clip_score"] for row in read_back.rows("jsonl", tmp_path / "a.jsonl")]
    assert max(len(f"{abs(value)!r}") for value in values) <= len("0.123456789")
    assert np.float32(values).tolist() == catalog.array("clip_score").tolist()


def test_a_column_may_be_called_like_what_the_encoder_works_with(tmp_path):
    rows = [{"samples": "a", "record": "b", 'say "hi"': "c"}]
    catalog = make.catalog(tmp_path, {"quality": [1.0]}, rows)[1]
    columns = ["samples", "record", 'say "hi"']
    path = tmp_path / "a.jsonl"
    export(catalog, select(Recipe("all"), catalog), "jsonl", path, columns=columns)
    assert path.read_text() == '{"samples":"a","record":"b","say \\"hi\\"":"c"}\n'


def test_datasets_loads_it(world, tmp_path):
    path = world.export("jsonl", tmp_path).path
    cache = str(tmp_path / "cache")
    dataset = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=cache)
    assert dataset["uid"][:] == [make.uid(n) for n in SELECTED]
    assert dataset["caption"][:] == [CAPTIONS[n] for n in SELECTED]


def test_our_own_reader_reads_it_back(world, tmp_path):
    path = world.export("jsonl", tmp_path).path
    root = Path(world.catalog.dataset.image_root)
    shard = make.read(path, image_column="image_file", image_root=root)
    assert shard.samples.column("caption").to_pylist() == [CAPTIONS[n] for n in SELECTED[:-1]]
