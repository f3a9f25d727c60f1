import json

import numpy as np
import pandas as pd
import pytest
from upath import UPath

from curation.catalog.catalog import Catalog
from curation.cli import main
from curation.errors import CurationError
from curation.images import decode, thumbnails
from curation.pipeline import ready_made
from curation.pipeline.run import Job, score_dataset
from curation.readers import Options, open_source
from curation.scores import clip_score
from curation.storage.matrices import Matrix
from curation.storage.workspace import Workspace
from tests import make
from tests.curation.scores import reference

ROWS = 12
UNNAMED = ["a", "b", "c"]


def embeddings(part, rows=ROWS):
    image, text = reference.clustered(rows, dim=16, seed=part)
    return [reference.unit(side).astype(np.float16) for side in (image, text)]


def write_part(folder, part, total=1, records=None, sides=("img", "text"), dtype=np.float16):
    """A part with the files and names of clip-retrieval's OutputSink."""
    records = metadata_rows(part) if records is None else records
    number = str(part).zfill(len(str(total)) if total > 9 else 1)
    for name in (*(f"{side}_emb" for side in sides), "metadata"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for side, rows in zip(("img", "text"), embeddings(part, len(records)), strict=True):
        if side in sides:
            np.save(folder / f"{side}_emb" / f"{side}_emb_{number}.npy", rows.astype(dtype))
    pd.DataFrame(records).to_parquet(folder / "metadata" / f"metadata_{number}.parquet")
    return folder


def metadata_rows(part, rows=ROWS):
    return [
        {
            "image_path": f"{part:04d}{n:05d}",
            "caption": f"caption {part} {n}",
            "key": f"{n:05d}",
            "url": f"https://a.example/{part}/{n}.jpg",
            "uid": make.uid(100 * part + n),
            "width": 256,
            "height": 200,
            "original_width": 512,
            "original_height": 400,
            "similarity": 0.25 + n / 100,
            "status": "success",
        }
        for n in range(rows)
    ]


def score(source, folder, **changes):
    job = Job(source, folder, device="cpu", scores=("clip_score",), **changes)
    score_dataset(job, make.QUIET)
    return Catalog.of(Workspace.open(folder))


def test_every_row_is_a_sample_with_its_metadata(tmp_path):
    records = metadata_rows(0)
    records[1]["caption"], records[2]["caption"] = None, " padded "
    reader = open_source(write_part(tmp_path, 0, records=records))
    assert (reader.name, reader.features) == ("clip_retrieval", "clip")
    (shard,) = reader.shards()
    result = reader.read(shard)
    assert (len(result.samples), result.skipped) == (ROWS, [])
    first, second, third, *_ = result.samples.to_pylist()
    assert (first["uid"], first["caption"]) == (make.uid(0), "caption 0 0")
    assert (second["caption"], third["caption"]) == ("", "padded")
    assert (first["url"], first["image_file"]) == ("https://a.example/0/0.jpg", None)
    assert (first["width"], first["height"], first["original_width"]) == (256, 200, 512)
    assert (first["image_path"], first["key"], first["similarity"]) == ("000000000", "00000", 0.25)
    assert not {"source_url", "source_uid", "source_caption"} & first.keys()


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_scores_come_from_the_embeddings_in_place(tmp_path, dtype):
    source = tmp_path / "out"
    for part in range(2):
        write_part(source, part, total=2, dtype=dtype)
    catalog = score(source, tmp_path / "w", options=Options(features="ViT-B/32 openai"))
    assert catalog.dataset.model == "vit_b_32_openai"
    image, text = (np.concatenate(s) for s in zip(*map(embeddings, range(2)), strict=True))
    np.testing.assert_allclose(catalog.array("clip_score"), clip_score(image, text), atol=2e-6)
    folder = Workspace.open(tmp_path / "w").embeddings("vit_b_32_openai")
    assert not list(folder.path.glob("*.npy"))
    for part in range(2):
        for side, name in (("image", "img_emb"), ("text", "text_emb")):
            matrix = ready_made.location(folder, part, side)
            assert matrix == Matrix(source / name / f"{name}_{part}.npy")


def test_parts_are_matched_and_sorted_by_number(tmp_path):
    for part in (10, 2, 7):
        write_part(tmp_path, part, total=11)
    (tmp_path / "img_emb" / "notes.txt").write_text("x")
    reader = open_source(tmp_path)
    shards = reader.shards()
    assert [s.path.name for s in shards] == [f"metadata_{n}.parquet" for n in ("02", "07", "10")]
    assert [s.index for s in shards] == [0, 1, 2]
    result = [reader.read(shard).samples["uid"][0].as_py() for shard in shards]
    assert result == [make.uid(200), make.uid(700), make.uid(1000)]
    np.testing.assert_array_equal(reader.embeddings(shards[1])["text"].open(), embeddings(7)[1])


@pytest.mark.parametrize("missing", ["img_emb/img_emb_1.npy", "metadata/metadata_1.parquet"])
def test_a_missing_file_of_a_part_is_named(tmp_path, missing):
    for part in range(3):
        write_part(tmp_path, part, total=3)
    (tmp_path / missing).unlink()
    folder = missing.split("/")[0]
    with pytest.raises(CurationError, match=rf"{folder} lacks part 1, .*text_emb_1\.npy"):
        open_source(tmp_path)


def test_two_files_of_one_part_are_named(tmp_path):
    write_part(tmp_path, 1)
    write_part(tmp_path, 1, total=20)
    with pytest.raises(CurationError, match=r"holds part 1 twice, metadata_01\.parquet and meta"):
        open_source(tmp_path)


@pytest.mark.parametrize(("side", "lacking"), [("img", "text"), ("text", "image")])
def test_missing_image_or_text_embeddings_are_an_error_that_says_how_to_compute_them(
    tmp_path, side, lacking
):
    write_part(tmp_path, 0, sides=(side,))
    message = rf"no {lacking} embeddings .*--enable_image True --enable_text True"
    with pytest.raises(CurationError, match=message):
        open_source(tmp_path)


def test_embeddings_with_other_row_counts_are_refused(tmp_path):
    write_part(tmp_path, 0)
    np.save(tmp_path / "text_emb" / "text_emb_0.npy", embeddings(0)[1][:5])
    message = r"text_emb_0\.npy holds 5 embeddings, but .*metadata_0\.parquet has 12 rows"
    with pytest.raises(CurationError, match=message):
        score(tmp_path, tmp_path / "w")


def test_image_and_text_embeddings_of_different_widths_are_refused(tmp_path):
    write_part(tmp_path, 0)
    np.save(tmp_path / "text_emb" / "text_emb_0.npy", embeddings(0)[1][:, :5])
    with pytest.raises(CurationError, match=r"\(12, 16\).*\(12, 5\)"):
        score(tmp_path, tmp_path / "w")


def test_pickled_embeddings_are_refused_and_never_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    write_part(tmp_path, 0)
    trap = np.array([[Trap()]] * ROWS, dtype=object)
    np.save(tmp_path / "img_emb" / "img_emb_0.npy", trap, allow_pickle=True)
    with pytest.raises(CurationError, match="holds an array of object"):
        score(tmp_path, tmp_path / "w")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("file", ["img_emb/img_emb_0.npy", "metadata/metadata_0.parquet"])
def test_truncated_files_are_named(tmp_path, file):
    write_part(tmp_path, 0)
    data = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(data[: len(data) - 40])
    with pytest.raises(CurationError, match=rf"{file.rpartition('/')[2]} cannot be read"):
        score(tmp_path, tmp_path / "w")


def test_missing_uids_are_made_from_url_or_path_and_caption(tmp_path):
    records = [
        {"image_path": "1", "caption": "a", "url": "u"},
        {"image_path": "2", "caption": "a", "url": "u"},
        {"image_path": "3", "caption": "b", "url": "u"},
        {"image_path": "1", "caption": "a", "url": None},
        {"image_path": "1", "caption": "a", "url": None},
        {"image_path": "2", "caption": "a", "url": None},
    ]
    catalog = score(write_part(tmp_path / "s", 0, records=records), tmp_path / "w")
    assert len(catalog) == 4
    assert [row["reason"] for row in catalog.skipped()] == ["repeats an earlier uid"] * 2
    kept = [row["image_path"] for row in catalog.rows(range(4))]
    assert kept == ["1", "3", "1", "2"]


def test_the_minimal_output_has_paths_and_captions_only(tmp_path):
    records = [{"image_path": f"{n}", "caption": text} for n, text in enumerate(UNNAMED)]
    result = make.read(write_part(tmp_path, 0, records=records)).samples.to_pylist()
    assert [(row["image_path"], row["caption"]) for row in result] == [
        ("0", "a"),
        ("1", "b"),
        ("2", "c"),
    ]
    assert len({row["uid"] for row in result}) == 3
    assert {row["url"] for row in result} == {row["width"] for row in result} == {None}


def test_an_upper_case_url_column_is_recognized(tmp_path):
    records = [{"image_path": "1", "caption": "a", "URL": url} for url in ("u", "v")]
    result = make.read(write_part(tmp_path, 0, records=records)).samples.to_pylist()
    assert [row["url"] for row in result] == ["u", "v"]
    assert result[0]["uid"] != result[1]["uid"]


def test_columns_can_be_named(tmp_path):
    records = [{"image_path": "1", "caption": "a", "alt": "b", "id": make.uid(7).upper()}]
    folder = write_part(tmp_path, 0, records=records)
    (row,) = make.read(folder, caption_column="alt", uid_column="id").samples.to_pylist()
    assert (row["caption"], row["uid"], row["source_caption"]) == ("b", make.uid(7), "a")
    with pytest.raises(CurationError, match="has no column 'nope'; it has image_path, caption"):
        make.read(folder, caption_column="nope")
    with pytest.raises(CurationError, match=r"column image_path: .*'1' is not a uid"):
        make.read(folder, uid_column="image_path")


def test_only_full_paths_below_the_image_root_are_images(tmp_path):
    photos = tmp_path / "photos"
    paths = [
        str(make.jpeg(photos / "sub" / "1.jpg")),
        str(photos / "gone.jpg"),
        str(tmp_path / "photos2" / "1.jpg"),
        "photos/sub/1.jpg",
        None,
    ]
    records = [{"image_path": path, "caption": f"{n}"} for n, path in enumerate(paths)]
    folder = write_part(tmp_path / "out", 0, records=records)
    result = make.read(folder, image_root=photos).samples.to_pylist()
    assert [row["image_file"] for row in result] == ["sub/1.jpg", "gone.jpg", None, None, None]
    assert [row["image_path"] for row in result] == paths
    assert {row["image_file"] for row in make.read(folder).samples.to_pylist()} == {None}
    marks = {
        open_source(folder, options=Options(image_root=root)).shards()[0].fingerprint
        for root in (None, photos)
    }
    assert len(marks) == 2


def test_thumbnails_are_shown_for_local_images(tmp_path):
    source, workspace = tmp_path / "out", tmp_path / "w"
    paths = [make.jpeg(source / "images" / f"{n}.jpg", n) for n in range(3)]
    records = [{"image_path": str(path), "caption": path.stem} for path in paths]
    catalog = score(write_part(source, 0, records=records), workspace)
    small = thumbnails.load(Workspace.open(workspace), source, catalog.rows(range(3)))
    assert small == [decode.thumbnail(path.read_bytes(), thumbnails.SIDE) for path in paths]


def test_a_second_run_reads_only_parts_that_changed(tmp_path):
    for part in range(2):
        write_part(tmp_path / "s", part, total=2)
    score(tmp_path / "s", tmp_path / "w")
    receipts = [tmp_path / "w" / "samples" / f"0000{part}.json" for part in range(2)]
    before = [receipt.stat().st_mtime_ns for receipt in receipts]
    write_part(tmp_path / "s", 1, total=2, records=metadata_rows(1, 5))
    assert len(score(tmp_path / "s", tmp_path / "w")) == ROWS + 5
    after = [receipt.stat().st_mtime_ns for receipt in receipts]
    assert (before[0] == after[0], before[1] == after[1]) == (True, False)
    assert json.loads(receipts[1].read_text())["rows"] == 5


def test_the_command_line_scores_the_output_without_a_model(tmp_path, monkeypatch, capsys):
    write_part(tmp_path / "s", 0)
    command = ["score", tmp_path / "s", "-w", tmp_path / "w", "--device", "cpu"]
    monkeypatch.setattr("sys.argv", ["curation", *map(str, command)])
    main.main()
    skipped_reasons = capsys.readouterr()
    assert "read as clip_retrieval, 1 shard" in skipped_reasons.err
    assert "Embeddings: clip, ready-made, 16 dimensions" in skipped_reasons.err
    assert "12 samples scored" in skipped_reasons.out


def test_remote_parts_are_read_like_local_ones(tmp_path):
    for part in range(2):
        write_part(tmp_path / "s", part, total=2)
    remote = UPath("memory://clip-retrieval")
    remote.fs.put(str(tmp_path / "s"), remote.path, recursive=True)
    result, local = score(remote, tmp_path / "w"), score(tmp_path / "s", tmp_path / "here")
    np.testing.assert_array_equal(result.array("clip_score"), local.array("clip_score"))
    assert result.rows([3]) == local.rows([3])
    remote.fs.rm(remote.path, recursive=True)
