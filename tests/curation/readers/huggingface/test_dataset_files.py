import datasets
import pytest

from curation.errors import CurationError
from curation.readers import open_source
from tests.curation.readers.huggingface.test_reader import JPEGS, dataset, pixels, read


def test_splits_are_read_in_order_and_become_a_column(tmp_path):
    splits = {"train": dataset(range(4)), "test": dataset([8, 2])}
    datasets.DatasetDict(splits).save_to_disk(tmp_path, num_shards={"train": 2, "test": 1})
    rows, _ = read(tmp_path)
    assert [(row["split"], row["stars"]) for row in rows] == [
        ("train", 0),
        ("train", 1),
        ("train", 2),
        ("train", 3),
        ("test", 8),
        ("test", 2),
    ]
    assert rows[5]["image_file"] == "test/data-00000-of-00001.arrow"
    assert pixels(rows, tmp_path) == [JPEGS[n] for n in (0, 1, 2, 3, 8, 2)]
    assert len({row["uid"] for row in rows}) == 6


@pytest.mark.parametrize("layout", ["one", "folder", "data", "splits", "splits in data"])
def test_parquet_is_read_in_every_layout_of_the_hub(tmp_path, layout):
    files = {
        "one": ["train-00000-of-00001.parquet"],
        "folder": ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"],
        "data": ["data/test-00000-of-00001-3fa.parquet", "data/train-00000-of-00001.parquet"],
        "splits": ["test/0000.parquet", "train/0000.parquet"],
        "splits in data": ["data/train/a.parquet", "data/validation/a.parquet"],
    }[layout]
    (tmp_path / "README.md").write_text("A dataset card.")
    each = -(-9 // len(files))
    for number, name in enumerate(files):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        part = dataset(range(9)[number * each : (number + 1) * each])
        part.to_parquet(tmp_path / name, batch_size=3)
    rows, skipped = read(tmp_path)
    assert not skipped
    assert pixels(rows, tmp_path) == JPEGS
    splits = {
        "data": {"test", "train"},
        "splits": {"test", "train"},
        "splits in data": {"train", "validation"},
    }.get(layout, {"train"})
    assert {row["split"] for row in rows} == splits
    assert rows[1]["label"] == "dog"
    assert (rows[0]["image_file"], rows[0]["image_column"]) == (files[0], "image")
    again = [row for size in (2, 4) for row in read(tmp_path, shard_size=size)[0]]
    assert again == rows * 2


@pytest.mark.parametrize("inner", ["data/train-00000-of-00001.parquet", "train/0000.parquet"])
def test_a_stray_table_with_a_dataset_below_is_refused(tmp_path, inner):
    (tmp_path / inner).parent.mkdir()
    dataset().to_parquet(tmp_path / inner)
    for stray in (dataset([1]), dataset([1]).select_columns("caption")):
        stray.to_parquet(tmp_path / "stray.parquet")
        with pytest.raises(CurationError, match=rf"holds stray\.parquet as well as {inner}"):
            open_source(tmp_path)
        assert len(read(tmp_path / inner.split("/")[0])[0]) == 9
    assert open_source(tmp_path, "table").name == "table"


def test_other_tables_below_a_dataset_are_ignored(tmp_path):
    (tmp_path / "data").mkdir()
    dataset().to_parquet(tmp_path / "a.parquet")
    dataset().select_columns("stars").to_parquet(tmp_path / "data" / "scores.parquet")
    assert len(read(tmp_path)[0]) == 9


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("{", "is not a JSON object"),
        ("{}", "does not list files in its own folder"),
        ('{"_data_files": [{"filename": "../a.arrow"}]}', "does not list files in its own folder"),
        ('{"_data_files": [{"filename": "gone.arrow"}]}', "gone.arrow"),
    ],
)
def test_an_incomplete_saved_dataset_is_refused(tmp_path, state, message):
    dataset().save_to_disk(tmp_path)
    (tmp_path / "state.json").write_text(state)
    with pytest.raises(CurationError, match=message):
        open_source(tmp_path).shards()


def test_links_are_followed_only_inside_the_image_root(tmp_path):
    snapshot = tmp_path / "cache" / "snapshots" / "1"
    (snapshot / "data").mkdir(parents=True)
    dataset().to_parquet(tmp_path / "cache" / "blobs" / "0a1b")
    link = snapshot / "data" / "train-00000-of-00001.parquet"
    link.symlink_to(tmp_path / "cache" / "blobs" / "0a1b")
    with pytest.raises(CurationError, match=r"outside the image root \(set it with --image-root"):
        read(snapshot)
    rows, _ = read(snapshot, image_root=tmp_path / "cache")
    assert pixels(rows, tmp_path / "cache") == JPEGS
    with pytest.raises(CurationError, match="is outside the image root"):
        read(snapshot, image_root=tmp_path / "cache" / "blobs")
