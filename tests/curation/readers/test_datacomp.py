import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.models.encoder import ModelSpec
from curation.pipeline import ready_made
from curation.pipeline.run import Job, score_dataset
from curation.pipeline.targets import TargetSource
from curation.progress import Progress
from curation.readers import Options, open_source
from curation.scores import clip_score, neg_clip_loss, norm_sim
from curation.storage.matrices import Matrix
from curation.storage.workspace import Workspace
from tests import make
from tests.curation.scores import reference

ROWS = 60


@pytest.fixture
def metadata(tmp_path):
    """Two pairs of files as DataComp publishes them."""
    folder = tmp_path / "metadata"
    folder.mkdir()
    for part in range(2):
        write_pair(folder / f"{part:032x}", part)
    return folder


def write_pair(stem, part, save=np.savez, names=("l14_img", "l14_txt"), **changed):
    image, text = embeddings(part)
    members = dict(zip(names, (image, text), strict=True)) | changed
    members |= {"b32_img": image[:, :8], "b32_txt": text[:, :8], "dedup": np.zeros(ROWS)}
    save(stem.with_suffix(".npz"), **members)
    table = {
        "uid": [make.uid(1000 * part + n) for n in range(ROWS)],
        "url": [f"https://example.org/{n}.jpg" for n in range(ROWS)],
        "text": [f" caption {n} " if n else None for n in range(ROWS)],
        "original_width": [300 + n for n in range(ROWS)],
        "original_height": [200] * ROWS,
        "clip_l14_similarity_score": [0.25] * ROWS,
        "face_bboxes": [[[0.1, 0.2, 0.3, 0.4]]] * ROWS,
        "sha256": ["0" * 64] * ROWS,
    }
    pq.write_table(pa.table(table), stem.with_suffix(".parquet"))


def embeddings(part):
    image, text = reference.clustered(ROWS, dim=32, seed=part)
    return (reference.unit(rows).astype(np.float16) for rows in (image, text))


def score(source, folder, **changes):
    job = Job(source=source, workspace=folder, device="cpu", **changes)
    score_dataset(job, Progress(quiet=True))
    return Catalog(folder / "catalog.duckdb")


def test_metadata_is_recognized_and_every_row_is_a_sample(metadata):
    reader = open_source(metadata)
    assert (reader.name, reader.features) == ("datacomp", "l14")
    shards = reader.shards()
    assert len(shards) == 2
    result = reader.read(shards[1])
    assert not result.skipped
    rows = result.samples.to_pylist()
    assert rows[2]["uid"] == make.uid(1002)
    assert (rows[2]["caption"], rows[0]["caption"]) == ("caption 2", "")
    assert (rows[2]["width"], rows[2]["height"], rows[2]["image_file"]) == (302, 200, None)
    assert rows[2]["url"] == "https://example.org/2.jpg"
    assert "face_bboxes" not in rows[2]
    assert not {"text", "source_uid", "source_caption"} & rows[2].keys()


def test_scores_come_from_the_source_embeddings(metadata, tmp_path):
    np.save(tmp_path / "target.npy", next(iter(embeddings(5))))
    target = TargetSource.parse(f"near={tmp_path / 'target.npy'}")
    catalog = score(metadata, tmp_path / "w", targets=(target,))
    assert len(catalog) == 2 * ROWS
    assert catalog.dataset.model == "l14"
    image, text = (np.concatenate(side) for side in zip(*map(embeddings, range(2)), strict=True))
    np.testing.assert_allclose(catalog.array("clip_score"), clip_score(image, text), atol=2e-6)
    expected = neg_clip_loss(image, text, temperature=0.01).score
    np.testing.assert_allclose(catalog.array("neg_clip_loss"), expected, atol=2e-6)
    assert catalog.column("neg_clip_loss").parameters["temperature"] == 0.01
    near = norm_sim(image, np.load(tmp_path / "target.npy"))
    np.testing.assert_allclose(catalog.array("norm_sim_inf_near"), near, atol=2e-6)
    # A score in the source can be used for selection.
    assert catalog.column("clip_l14_similarity_score").kind == "score"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_embeddings_are_copied_only_if_they_are_compressed(metadata, tmp_path, save):
    write_pair(metadata / f"{0:032x}", 0, save=save)
    score(metadata, tmp_path / "w", scores=("clip_score",))
    folder = Workspace.open(tmp_path / "w").embeddings("l14")
    matrices = [ready_made.location(folder, shard, "image") for shard in range(2)]
    assert isinstance(matrices[0], Matrix) == (save is np.savez)
    assert isinstance(matrices[1], Matrix)
    assert len(list(folder.path.glob("*.npy"))) == (0 if save is np.savez else 2)
    for part, matrix in enumerate(matrices):
        np.testing.assert_array_equal(ready_made.open_rows(matrix), next(iter(embeddings(part))))


def test_the_names_of_dataset2metadata_are_recognized(tmp_path):
    names = ("oai-clip-vit-l14-image", "oai-clip-vit-l14-text")
    write_pair(tmp_path / "a", 0, names=names, save=np.savez_compressed)
    options = Options(features="oai-clip-vit-l14")
    assert open_source(tmp_path, options=options).features == "oai_clip_vit_l14"
    assert open_source(tmp_path, options=Options(features="b32")).features == "b32"
    with pytest.raises(CurationError, match="holds the features"):
        open_source(tmp_path)
    with pytest.raises(CurationError, match="choose one with --features"):
        open_source(tmp_path, options=Options(features="h14"))


def test_embeddings_of_images_without_those_of_captions_are_not_used(tmp_path):
    names = ("h14_img", "h14_text")
    write_pair(tmp_path / "a", 0, names=names)
    reader = open_source(tmp_path)
    assert reader.features == "b32"
    image, text = embeddings(0)
    np.savez(tmp_path / "a.npz", h14_img=image, h14_text=text)
    message = r"a\.npz holds no image and text embeddings.*; it holds h14_img, h14_text"
    with pytest.raises(CurationError, match=message):
        open_source(tmp_path)


def test_unusable_embeddings_are_listed_and_the_others_normalized(metadata, tmp_path, capsys):
    image, text = embeddings(0)
    image[3], text[4, 0], image[5] = 0, np.nan, image[5] * 4
    write_pair(metadata / f"{0:032x}", 0, l14_img=image, l14_txt=text)
    catalog = score(metadata, tmp_path / "w")
    skipped_reasons = capsys.readouterr().err
    assert "1 of 240 embeddings are not of unit length" in skipped_reasons
    assert "2 samples without scores" in skipped_reasons
    assert len(catalog) == 2 * ROWS
    missing = np.flatnonzero(np.isnan(catalog.array("clip_score")))
    assert [catalog.rows([n])[0]["uid"] for n in missing] == [make.uid(3), make.uid(4)]
    assert [(r["stage"], r["uid"], r["reason"]) for r in catalog.skipped()] == [
        ("score", make.uid(3), "its image's embedding is zero"),
        ("score", make.uid(4), "its caption's embedding is not finite"),
    ]
    good = neg_clip_loss(
        *(
            np.delete(np.concatenate([side, other]), [3, 4], axis=0)
            for side, other in zip((image, text), embeddings(1), strict=True)
        ),
        temperature=0.01,
    ).score
    result = np.delete(catalog.array("neg_clip_loss"), [3, 4])
    np.testing.assert_allclose(result, good, atol=2e-6)


def test_a_second_run_does_not_check_embeddings_again(metadata, tmp_path):
    score(metadata, tmp_path / "w", scores=("clip_score",))
    receipt = tmp_path / "w" / "embeddings" / "l14" / "00000.json"
    before = receipt.stat().st_mtime_ns
    score(metadata, tmp_path / "w", scores=("clip_score",))
    assert receipt.stat().st_mtime_ns == before
    assert json.loads(receipt.read_text())["rows"] == ROWS


def test_a_target_of_images_needs_the_model_that_made_the_embeddings(metadata, tmp_path):
    make.jpeg(tmp_path / "food" / "a.jpg")
    target = TargetSource.parse(f"food={tmp_path / 'food'}")
    with pytest.raises(CurationError, match="the target food is to be embedded by the model"):
        score(metadata, tmp_path / "w", targets=(target,))


def test_a_target_of_images_is_embedded_under_the_name_of_the_features(
    metadata, tmp_path, model_folder
):
    make.jpeg(tmp_path / "food" / "a.jpg")
    write_wide(metadata, 64)
    target = TargetSource.parse(f"food={tmp_path / 'food'}")
    catalog = score(metadata, tmp_path / "w", targets=(target,), model=ModelSpec(str(model_folder)))
    assert not np.isnan(catalog.array("norm_sim_inf_food")).any()


def write_wide(folder, dim):
    rows = reference.unit(np.random.default_rng(0).standard_normal((ROWS, dim)))
    for part in range(2):
        write_pair(folder / f"{part:032x}", part, l14_img=rows, l14_txt=rows)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"l14_img": np.ones((3, 32), np.float16), "l14_txt": np.ones((3, 32), np.float16)},
            r"l14_img \(3, 32\) .* has 60 rows",
        ),
        ({"l14_txt": np.ones((ROWS, 7), np.float16)}, r"l14_txt \(60, 7\)"),
    ],
)
def test_embeddings_of_other_shapes_are_refused(metadata, tmp_path, changed, message):
    write_pair(metadata / f"{0:032x}", 0, **changed)
    with pytest.raises(CurationError, match=message):
        score(metadata, tmp_path / "w")


def test_an_invalid_uid_is_refused_with_its_file(metadata, tmp_path):
    file = metadata / f"{0:032x}.parquet"
    table = pq.read_table(file)
    wrong = pa.array(["x", *table.column("uid").to_pylist()[1:]])
    pq.write_table(table.set_column(0, "uid", wrong), file)
    with pytest.raises(CurationError, match=r"parquet, column uid: row 0: 'x' is not a uid"):
        score(metadata, tmp_path / "w")


def change(file, **columns):
    """Replace or add columns in a Parquet file."""
    table = pq.read_table(file)
    for name, cells in columns.items():
        if name in table.column_names:
            table = table.drop_columns(name)
        table = table.append_column(name, cells)
    pq.write_table(table, file)


@pytest.mark.parametrize(("gone", "left"), [("npz", "parquet"), ("parquet", "npz")])
def test_a_file_without_its_other_half_is_named(metadata, gone, left):
    (metadata / f"{1:032x}.{gone}").unlink()
    with pytest.raises(CurationError, match=rf"lacks 0+1\.{gone}, which belongs to 0+1\.{left}"):
        open_source(metadata)


def test_impossible_sizes_become_null(metadata):
    file = metadata / f"{0:032x}.parquet"
    wrong = [float("nan"), float("inf"), -1, 0, 2**40, 2**31]
    sizes = [*wrong, 2**31 - 1, None, *[300.0] * (ROWS - 8)]
    heights = [-1, 0, 2**40, None, *[200] * (ROWS - 4)]
    change(file, original_width=pa.array(sizes, pa.float64()), original_height=pa.array(heights))
    reader = open_source(metadata)
    samples = reader.read(reader.shards()[0]).samples
    assert samples["width"].to_pylist()[:9] == [*[None] * 6, 2**31 - 1, None, 300]
    assert samples["height"].to_pylist()[:5] == [None, None, None, None, 200]


def test_invalid_utf8_is_replaced_and_no_row_is_lost(metadata, tmp_path):
    bad = pa.array([b"caf\xe9"] * ROWS)
    text = pa.StringArray.from_buffers(ROWS, *bad.buffers()[1:])
    change(metadata / f"{0:032x}.parquet", text=text, note=text)
    catalog = score(metadata, tmp_path / "w", scores=("clip_score",))
    row = catalog.rows([1])[0]
    assert (row["caption"], row["note"]) == ("caf\ufffd", "caf\ufffd")
    assert len(catalog) == 2 * ROWS


def test_a_column_of_text_and_bytes_shows_the_bytes(metadata, tmp_path):
    for part, cells in enumerate((["fine"], [b"\xff"])):
        change(metadata / f"{part:032x}.parquet", note=pa.array(cells * ROWS))
    catalog = score(metadata, tmp_path / "w", scores=("clip_score",))
    assert [row["note"] for row in catalog.rows([0, ROWS])] == ["fine", r"b'\xff'"]


def test_times_beyond_python_become_text(metadata, tmp_path):
    when = pa.array([253402300800] * ROWS, pa.timestamp("s"))
    change(metadata / f"{0:032x}.parquet", when=when)
    catalog = score(metadata, tmp_path / "w", scores=("clip_score",))
    assert catalog.rows([0])[0]["when"] == "10000-01-01 00:00:00.000"


def test_repeated_columns_are_kept_and_case_is_ignored(metadata):
    file = metadata / f"{0:032x}.parquet"
    table = pq.read_table(file).select(["uid", "url", "text", "text"])
    pq.write_table(table.rename_columns(["UID", "URL", "TEXT", "TEXT"]), file)
    reader = open_source(metadata)
    row = reader.read(reader.shards()[0]).samples.to_pylist()[2]
    assert (row["uid"], row["caption"]) == (make.uid(2), "caption 2")
    assert (row["url"], row["TEXT_2"]) == ("https://example.org/2.jpg", " caption 2 ")


def test_damaged_embeddings_are_refused_with_their_file(metadata, tmp_path):
    file = metadata / f"{0:032x}.npz"
    data = file.read_bytes()
    file.write_bytes(data.replace(b"{'descr'", b"[[[[[[[[", 1))
    with pytest.raises(CurationError, match=r"l14_img in .*0\.npz cannot be read"):
        score(metadata, tmp_path / "w")
