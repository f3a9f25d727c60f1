import json
from dataclasses import replace

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from upath import UPath

from curation.catalog.catalog import Catalog
from curation.cli import main
from curation.errors import CurationError
from curation.images import decode, fetch, thumbnails
from curation.images.location import ImageRef
from curation.pipeline.run import score_dataset
from curation.pipeline.targets import TargetSource
from curation.readers import Options, open_source
from curation.storage.workspace import Workspace
from tests import make

JPEGS = [make.encoded(make.picture(seed, (40 + seed, 30))) for seed in range(9)]
CAPTIONS = [f"pair {number}" for number in range(9)]
RECORD = pa.struct({"bytes": pa.binary(), "path": pa.string()})
FEATURES = datasets.Features(
    {
        "image": datasets.Image(),
        "caption": datasets.Value("string"),
        "label": datasets.ClassLabel(names=["cat", "dog"]),
        "stars": datasets.Value("int32"),
    }
)


def dataset(numbers=range(9), **changed):
    """A dataset with embedded images, created by datasets itself."""
    columns = {
        "image": [{"bytes": JPEGS[n], "path": f"{n}.jpg"} for n in numbers],
        "caption": [CAPTIONS[n] for n in numbers],
        "label": [n % 2 for n in numbers],
        "stars": list(numbers),
    }
    features = datasets.Features({k: v for k, v in FEATURES.items() if k not in changed})
    made = datasets.Dataset.from_dict({k: columns[k] for k in features}, features=features)
    for name, values in changed.items():
        made = made.add_column(name, values)
    return made


def from_files(folder, numbers=range(9)):
    files = [folder / f"{n}.jpg" for n in numbers]
    folder.mkdir(parents=True)
    for file, n in zip(files, numbers, strict=True):
        file.write_bytes(JPEGS[n])
    columns = {"image": list(map(str, files)), "caption": [CAPTIONS[n] for n in numbers]}
    return datasets.Dataset.from_dict(columns).cast_column("image", datasets.Image())


def read(source, **options):
    """The rows of all shards, and the reasons for skipping by position."""
    reader = open_source(source, options=Options(**options))
    assert reader.name == "huggingface"
    result = [reader.read(shard) for shard in reader.shards()]
    rows = [row for part in result for row in part.samples.to_pylist()]
    return rows, {s.where: s.reason for part in result for s in part.skipped}


def pixels(rows, root):
    return [ImageRef.of(row).read(root) for row in rows]


def stream(path, table, **options):
    with pa.ipc.new_stream(path, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as out:
        out.write_table(table, max_chunksize=4)
    return path


@pytest.mark.parametrize("size", [2, 10_000])
def test_a_saved_dataset_is_read_unchanged_in_the_order_of_its_state(tmp_path, size):
    dataset().save_to_disk(tmp_path, num_shards=2)
    rows, skipped = read(tmp_path, shard_size=size)
    assert not skipped
    assert pixels(rows, tmp_path) == JPEGS
    assert [row["caption"] for row in rows] == CAPTIONS
    assert [(row["label"], row["stars"]) for row in rows[:2]] == [("cat", 0), ("dog", 1)]
    assert (rows[8]["image_file"], rows[8]["width"]) == ("data-00001-of-00002.arrow", 48)
    assert not {"image", "split"} & rows[0].keys()
    state = json.loads((tmp_path / "state.json").read_text())
    state["_data_files"].reverse()
    (tmp_path / "state.json").write_text(json.dumps(state))
    assert [row["stars"] for row in read(tmp_path)[0]] == [5, 6, 7, 8, 0, 1, 2, 3, 4]


def test_selected_and_shuffled_rows_are_read_in_their_order(tmp_path):
    dataset().select([4, 0, 7]).save_to_disk(tmp_path / "a")
    assert pixels(read(tmp_path / "a")[0], tmp_path / "a") == [JPEGS[n] for n in (4, 0, 7)]
    dataset().filter(lambda row: row["stars"] > 6).shuffle(seed=1).save_to_disk(tmp_path / "b")
    assert {row["stars"] for row in read(tmp_path / "b")[0]} == {7, 8}


def test_image_files_are_embedded_when_a_dataset_is_saved(tmp_path):
    from_files(tmp_path / "photos").save_to_disk(tmp_path / "saved")
    rows, _ = read(tmp_path / "saved")
    assert rows[0]["image_offset"] is not None
    assert pixels(rows, tmp_path / "saved") == JPEGS


def test_repeated_captions_have_different_uids_that_survive_a_move(tmp_path):
    dataset(caption=["same"] * 9).save_to_disk(tmp_path / "a")
    rows, _ = read(tmp_path / "a")
    assert len({row["uid"] for row in rows}) == 9
    (tmp_path / "a").rename(tmp_path / "b")
    others, _ = read(tmp_path / "b", image_root=tmp_path, shard_size=2)
    assert [row["uid"] for row in others] == [row["uid"] for row in rows]
    assert pixels(others, tmp_path) == JPEGS


def test_undeclared_image_records_are_recognized(tmp_path):
    records = [{"bytes": data, "path": None} for data in JPEGS]
    table = pa.table({"photo": pa.array(records, RECORD), "text": CAPTIONS})
    pq.write_table(table, tmp_path / "a.parquet")
    rows, _ = read(tmp_path / "a.parquet")
    assert pixels(rows, tmp_path) == JPEGS
    assert "split" not in rows[0]


def test_images_that_are_not_embedded_are_found_below_the_image_root(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "fetch", lambda *_: pytest.fail("fetched"))
    photos = tmp_path / "photos"
    made = from_files(photos)
    made.to_parquet(tmp_path / "tables" / "a.parquet")
    stream(tmp_path / "tables" / "a.arrow", made.data.table)
    for file in (tmp_path / "tables" / "a.parquet", tmp_path / "tables" / "a.arrow"):
        rows, skipped = read(file, image_root=photos, shard_size=4)
        assert not skipped
        assert [row["image_file"] for row in rows] == [f"{n}.jpg" for n in range(9)]
        assert pixels(rows, photos) == JPEGS
        rows, skipped = read(file)
        assert not rows
        assert (
            "file is outside the image root (set it with --image-root"
            in skipped[f"{file.name} row 0"]
        )
    records = [{"path": p, "bytes": None} for p in ("1.jpg", "https://a.example/2.jpg", None)]
    table = pa.table({"image": pa.array(records, RECORD), "text": CAPTIONS[:3]})
    pq.write_table(table, tmp_path / "b.parquet")
    stream(tmp_path / "b.arrow", table)
    for file in (tmp_path / "b.parquet", tmp_path / "b.arrow"):
        rows, skipped = read(file, image_root=photos)
        assert [(row["image_file"], row["url"]) for row in rows] == [
            ("1.jpg", None),
            (None, "https://a.example/2.jpg"),
        ]
        assert skipped == {f"{file.name} row 2": "no image"}


def test_a_saved_dataset_of_urls_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "fetch", lambda *_: pytest.fail("fetched"))
    columns = {"image_url": ["http://a.example/1.jpg"], "caption": ["a"], "width": [640]}
    datasets.Dataset.from_dict(columns | {"height": [480]}).save_to_disk(tmp_path)
    ((row,), _) = read(tmp_path)
    assert (row["url"], row["width"], row["height"]) == ("http://a.example/1.jpg", 640, 480)


@pytest.mark.parametrize("kind", ["arrow", "parquet"])
def test_the_first_of_several_captions_is_used_and_all_are_kept(tmp_path, kind):
    several = [["one", "two"], [], None, [None], *[["x"]] * 5]
    made = dataset(caption=several)
    if kind == "arrow":
        made.save_to_disk(tmp_path / "a")
    else:
        made.to_parquet(tmp_path / "a" / "a.parquet")
    rows, skipped = read(tmp_path / "a")
    assert (rows[0]["caption"], rows[0]["source_caption"]) == ("one", '["one", "two"]')
    assert [row["caption"] for row in rows[1:]] == ["x"] * 5
    assert set(skipped.values()) == {"caption is empty"}
    assert len(skipped) == 3


@pytest.mark.parametrize("kind", ["arrow", "parquet"])
def test_columns_can_be_named_and_other_columns_of_bytes_are_left_out(tmp_path, kind):
    photos = [{"bytes": JPEGS[8 - n], "path": None} for n in range(9)]
    table = dataset().data.table
    for name, cells in {
        "photo": pa.array(photos, RECORD),
        "audio": pa.array(photos, RECORD),
        "raw": pa.array([b"x"] * 9),
        "many": pa.array([[b"x"]] * 9),
        "title": pa.array([f"title {n}" for n in range(9)]),
        "id": pa.array([make.uid(n) for n in range(9)]),
        "boxes": pa.array([[[1, 2]]] * 9),
    }.items():
        table = table.append_column(name, cells)
    if kind == "arrow":
        stream(tmp_path / "a.arrow", table)
    else:
        pq.write_table(table, tmp_path / "a.parquet", row_group_size=4)
    named = {"image_column": "photo", "caption_column": "title", "uid_column": "id"}
    rows, _ = read(tmp_path, **named)
    assert pixels(rows, tmp_path) == JPEGS[::-1]
    assert (rows[3]["caption"], rows[3]["uid"]) == ("title 3", make.uid(3))
    assert (rows[3]["source_caption"], rows[3]["boxes"]) == ("pair 3", "[[1, 2]]")
    assert not {"image", "photo", "audio", "raw", "many", "id", "title"} & rows[0].keys()
    assert pixels(read(tmp_path)[0], tmp_path) == JPEGS
    captions = [row["caption"] for row in read(tmp_path, caption_column="label")[0]]
    assert captions[:3] == ["cat", "dog", "cat"]


@pytest.mark.parametrize("kind", ["arrow", "parquet"])
def test_images_without_captions_are_enough_for_a_target(tmp_path, kind):
    made = dataset().select_columns("image")
    if kind == "arrow":
        made.save_to_disk(tmp_path)
    else:
        made.to_parquet(tmp_path / "a.parquet")
    rows, _ = read(tmp_path, captions_required=False, shard_size=4)
    assert pixels(rows, tmp_path) == JPEGS
    assert {row["caption"] for row in rows} == {""}


def test_a_label_outside_the_classes_is_null(tmp_path):
    features = datasets.Features(dict(FEATURES))
    rows = {
        "image": [{"bytes": JPEGS[0], "path": None}] * 3,
        "caption": ["a", "b", "c"],
        "label": [1, -1, None],
        "stars": [0, 0, 0],
    }
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(tmp_path)
    assert [row["label"] for row in read(tmp_path)[0]] == ["dog", None, None]


@pytest.mark.parametrize("kind", ["arrow", "parquet"])
def test_unusable_rows_are_listed_with_file_and_row(tmp_path, kind):
    held = [JPEGS[0], None, b"", b"not an image", JPEGS[4], JPEGS[5], JPEGS[6]]
    records = [{"bytes": data, "path": None} for data in held]
    records[1] = None
    captions = ["good", "b", "c", "d", " ", None, "g"]
    uids = [*[None] * 6, "XYZ"]
    table = pa.table({"image": pa.array(records, RECORD), "caption": captions, "uid": uids})
    if kind == "arrow":
        stream(tmp_path / "a.arrow", table)
    else:
        pq.write_table(table, tmp_path / "a.parquet")
    rows, skipped = read(tmp_path)
    assert [row["caption"] for row in rows] == ["good"]
    missing = "no image" if kind == "arrow" else "no image: row 1 of a.parquet"
    assert skipped == {
        f"a.{kind} row 1": missing,
        f"a.{kind} row 2": "not an image in a supported format",
        f"a.{kind} row 3": "not an image in a supported format",
        f"a.{kind} row 4": "caption is empty",
        f"a.{kind} row 5": "caption is empty",
        f"a.{kind} row 6": "uid is not 32 hex digits: 'XYZ'",
    }
    assert len(read(tmp_path, captions_required=False)[0]) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_column": "nope"}, "no column 'nope'; it has image, caption, label, stars"),
        ({"image_column": "stars"}, "the column 'stars' holds int32, which are neither images nor"),
        ({"caption_column": "nope"}, "no column 'nope'"),
        ({"caption_column": "stars"}, r"the column 'stars' is not text \(int32\)"),
        ({"caption_column": "image"}, "both the image and the caption"),
        ({"uid_column": "caption"}, "'caption' is the caption column, not the uid"),
    ],
)
def test_unsuitable_columns_are_refused(tmp_path, options, message):
    dataset().save_to_disk(tmp_path / "a")
    dataset().to_parquet(tmp_path / "a.parquet")
    for source in (tmp_path / "a", tmp_path / "a.parquet"):
        with pytest.raises(CurationError, match=message):
            open_source(source, options=Options(**options)).shards()


def test_a_missing_caption_column_is_reported_with_the_existing_columns(tmp_path):
    dataset().remove_columns("caption").save_to_disk(tmp_path)
    with pytest.raises(CurationError, match="it has image, label, stars: name one with --caption"):
        open_source(tmp_path).shards()


def test_a_truncated_parquet_file_is_refused(tmp_path):
    dataset().to_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-9])
    for reader in ("auto", "huggingface"):
        with pytest.raises(CurationError, match=r"a\.parquet cannot be read"):
            open_source(tmp_path, reader).shards()


def test_other_sources_keep_their_reader(tmp_path):
    plain = pa.table({"image": ["1.jpg"], "text": ["a"]})
    pq.write_table(plain, tmp_path / "table.parquet")
    pq.write_table(pa.table({"jpg": JPEGS, "text": CAPTIONS}), tmp_path / "bytes.parquet")
    (tmp_path / "folder" / "train").mkdir(parents=True)
    make.jpeg(tmp_path / "folder" / "train" / "1.jpg")
    result = {
        n: open_source(tmp_path / n).name for n in ("table.parquet", "bytes.parquet", "folder")
    }
    assert result == {"table.parquet": "table", "bytes.parquet": "table", "folder": "folder"}
    (tmp_path / "readme").mkdir()
    with pytest.raises(CurationError, match=r"holds no dataset: no state\.json"):
        open_source(tmp_path / "readme", "huggingface")


def test_a_shard_is_read_again_only_if_its_file_changes(tmp_path):
    def marks():
        return [s.fingerprint for s in open_source(tmp_path).shards()]

    dataset().save_to_disk(tmp_path, num_shards=2)
    before = marks()
    assert marks() == before
    other = tmp_path / "other"
    dataset(range(3)).save_to_disk(other)
    (other / "data-00000-of-00001.arrow").replace(tmp_path / "data-00001-of-00002.arrow")
    assert [old == new for old, new in zip(before, marks(), strict=True)] == [True, False]


@pytest.mark.parametrize("kind", ["arrow", "parquet"])
def test_a_remote_dataset_is_read_like_a_local_one(tmp_path, kind):
    if kind == "arrow":
        dataset().save_to_disk(tmp_path / "d", num_shards=2)
    else:
        dataset().to_parquet(tmp_path / "d" / "data" / "train-00000-of-00001.parquet")
    remote = UPath(f"memory://hf-{kind}")
    remote.fs.put(str(tmp_path / "d"), remote.path, recursive=True)
    rows, skipped = read(remote, shard_size=4)
    assert (rows, skipped) == read(tmp_path / "d", shard_size=4)
    assert pixels(rows, remote) == JPEGS
    remote.fs.rm(remote.path, recursive=True)


@pytest.mark.parametrize("kind", ["arrow", "parquet"])
def test_datasets_are_scored_and_their_thumbnails_shown(tmp_path, job, kind, capsys, monkeypatch):
    source, workspace = tmp_path / "s", tmp_path / "w"
    cut = make.encoded(make.picture(99, (200, 200)))[:2000]
    photos = [{"bytes": data, "path": None} for data in (*JPEGS[:8], cut)]
    image = datasets.Dataset.from_dict(
        {"image": photos, "caption": CAPTIONS},
        features=datasets.Features(
            {"image": datasets.Image(), "caption": datasets.Value("string")}
        ),
    )
    if kind == "arrow":
        image.save_to_disk(source, num_shards=2)
    else:
        image.to_parquet(source / "data" / "train-00000-of-00001.parquet", batch_size=4)
    target = TargetSource("few", source)
    summary = score_dataset(
        replace(
            job,
            source=source,
            workspace=workspace,
            parameters={},
            targets=(target,),
            scores=("clip_score", "norm_sim"),
            options=Options(shard_size=4),
        ),
        make.QUIET,
    )
    assert (summary.samples, summary.skipped) == (8, 1)
    catalog = Catalog.of(Workspace.open(workspace))
    assert catalog.skipped()[0]["stage"] == "embed"
    samples = catalog.rows(range(8))
    assert all(row["norm_sim_inf_few"] > 0.999 for row in samples)
    small = thumbnails.load(Workspace.open(workspace), source, samples)
    assert small == [decode.thumbnail(data, thumbnails.SIDE) for data in JPEGS[:8]]
    monkeypatch.setattr("sys.argv", ["curation", "info", str(workspace)])
    main.main()
    assert "huggingface" in capsys.readouterr().out
