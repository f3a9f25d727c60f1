from pathlib import Path

import datasets
import numpy as np
import pyarrow.parquet as pq

from tests import make
from tests.curation.exporters.conftest import CAPTIONS, SELECTED


def test_parquet_holds_the_chosen_samples_with_their_scores(world, tmp_path):
    rows = pq.read_table(world.export("parquet", tmp_path).path).to_pylist()
    assert list(rows[0]) == ["uid", "caption", "image_file", "quality"]
    assert rows[0] == {
        "uid": make.uid(0),
        "caption": CAPTIONS[0],
        "image_file": "0.jpg",
        "quality": float(np.float32(0.9)),
    }


def test_datasets_loads_it(world, tmp_path):
    path = world.export("parquet", tmp_path).path
    cache = str(tmp_path / "cache")
    dataset = datasets.load_dataset("parquet", data_files=str(path), split="train", cache_dir=cache)
    assert dataset["caption"][:] == [CAPTIONS[n] for n in SELECTED]
    assert dataset.features["quality"] == datasets.Value("float32")


def test_our_own_reader_reads_it_back(world, tmp_path):
    path = world.export("parquet", tmp_path).path
    root = world.catalog.dataset.image_root
    shard = make.read(path, image_column="image_file", image_root=Path(root))
    assert shard.samples.column("uid").to_pylist() == [make.uid(n) for n in SELECTED[:-1]]
