"""Targets of captions and of ready-made embeddings, from the source to the catalog."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.pipeline import targets
from curation.pipeline.run import score_dataset
from curation.pipeline.targets import TargetSource
from curation.scores import nearest, norm_sim
from curation.storage.workspace import Workspace
from tests import make

CLASSES = ["a photo of a dog", "a photo of a cat", "ein Foto von Bäumen"]


@pytest.fixture
def classes(tmp_path):
    file = tmp_path / "classes.txt"
    file.write_text(f"{CLASSES[0]}\n\n  {CLASSES[1]}  \n{CLASSES[2]}\n", encoding="utf-8")
    return TargetSource("classes", file)


def read(folder, source):
    return targets.read(Workspace(folder / "w"), source, "m", make.QUIET)


def npz(folder, name="ready", **members):
    np.savez(folder / f"{name}.npz", **members)
    return TargetSource(name, folder / f"{name}.npz")


def only_norm_sim(job, workspace, source, *sides):
    """The catalog of a run with this target alone."""
    score_dataset(
        replace(
            job,
            workspace=workspace,
            targets=(source,),
            scores=("norm_sim",),
            parameters={"target_side": sides},
        ),
        make.QUIET,
    )
    return Catalog.of(Workspace.open(workspace))


def usable_images(workspace):
    rows = np.load(Workspace.open(workspace).embeddings("tiny").file(0, "image.npy"))
    return rows[np.isfinite(rows).all(axis=1)]


def test_every_line_of_a_text_file_that_is_not_blank_is_an_item(tmp_path, classes):
    store = read(tmp_path, classes)
    table = pq.read_table(store.samples.file(0, "parquet")).to_pylist()
    assert [row["caption"] for row in table] == CLASSES
    assert {row["image_file"] for row in table} == {None}
    assert len({row["uid"] for row in table}) == 3


def test_a_changed_text_file_is_read_again(tmp_path, classes):
    read(tmp_path, classes)
    classes.source.write_text("one\n")
    assert read(tmp_path, classes).samples.receipt(0).rows == 1


def test_a_text_file_without_a_caption_is_refused(tmp_path, classes):
    classes.source.write_text("\n \n")
    with pytest.raises(CurationError, match=r"the target classes has no usable caption in .*\.txt"):
        read(tmp_path, classes)


def test_a_text_file_in_another_encoding_is_refused(tmp_path, classes):
    classes.source.write_bytes(b"B\xe4ume\n")
    with pytest.raises(CurationError, match=r"classes\.txt is not UTF-8 text"):
        read(tmp_path, classes)


def test_a_text_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(CurationError, match=r"none\.txt does not exist"):
        read(tmp_path, TargetSource("none", tmp_path / "none.txt"))


def test_a_target_of_captions_is_measured_by_its_texts(job, tmp_path, classes):
    catalog = only_norm_sim(job, tmp_path / "w", classes, "text")
    assert [c.name for c in catalog.scores] == [
        "norm_sim_inf_classes_text",
        "norm_sim_2_classes_text",
    ]
    target = targets.load(Workspace.open(tmp_path / "w").target("classes"), "tiny")
    assert len(np.unique(target.text, axis=0)) == 3
    found = nearest(usable_images(tmp_path / "w"), target.text)
    np.testing.assert_allclose(catalog.array("norm_sim_inf_classes_text"), found.score, atol=1e-6)
    which = catalog.column("norm_sim_inf_classes_text_nearest")
    assert (which.kind, which.of, which.type) == ("detail", "norm_sim_inf_classes_text", "INTEGER")
    assert catalog.array(which.name).tolist() == found.row.tolist()


def test_images_of_a_target_of_captions_cannot_be_measured(job, tmp_path, classes):
    with pytest.raises(CurationError, match="classes has no usable embedding of its images"):
        only_norm_sim(job, tmp_path / "w", classes, "image")


def test_the_captions_of_a_target_of_images_are_read_where_there_are(job, tmp_path):
    rows = [{"caption": "one"}, {"caption": ""}, {"caption": "three"}]
    source = TargetSource("few", make.pairs(tmp_path / "few", rows))
    catalog = only_norm_sim(job, tmp_path / "w", source, "text", "both")
    assert "norm_sim_inf_few_both" in [c.name for c in catalog.scores]
    # The second item has no caption.
    assert set(catalog.array("norm_sim_inf_few_text_nearest").tolist()) <= {0, 2}
    target = targets.load(Workspace.open(tmp_path / "w").target("few"), "tiny")
    assert np.isnan(target.text).all(axis=1).tolist() == [False, True, False]
    assert not np.isnan(target.image).any()


def test_captions_cannot_be_measured_where_there_are_none(job, tmp_path, target_folders):
    with pytest.raises(CurationError, match="dots has no usable embedding of its captions"):
        only_norm_sim(job, tmp_path / "w", TargetSource("dots", target_folders["dots"]), "text")


def test_ready_made_embeddings_of_both_sides_are_taken(job, tmp_path):
    rng = np.random.default_rng(0)
    image, text = rng.standard_normal((2, 5, 64)).astype(np.float32)
    text[3] = np.nan
    catalog = only_norm_sim(
        job, tmp_path / "w", npz(tmp_path, image=image, text=text), "image", "text", "both"
    )
    dataset = usable_images(tmp_path / "w")
    text = np.delete(text, 3, axis=0)
    for ending, rows in (("", image), ("_text", text), ("_both", np.concatenate([image, text]))):
        for p, name in ((np.inf, "inf"), (2, "2")):
            np.testing.assert_allclose(
                catalog.array(f"norm_sim_{name}_ready{ending}"),
                norm_sim(dataset, rows, p=p),
                atol=1e-6,
            )


def test_ready_made_embeddings_that_lost_a_side_lose_it_here(tmp_path):
    rows = np.ones((2, 3))
    read(tmp_path, npz(tmp_path, image=rows, text=2 * rows))
    store = read(tmp_path, npz(tmp_path, text=rows))
    target = targets.load(store, "m")
    assert target.image is None
    assert target.text.tolist() == rows.tolist()


def test_other_texts_beside_the_same_images_are_another_target(tmp_path):
    rows = np.ones((2, 3))
    first = targets.mark(read(tmp_path, npz(tmp_path, image=rows, text=2 * rows)), "m")
    again = targets.mark(read(tmp_path, npz(tmp_path, image=rows, text=2 * rows)), "m")
    other = targets.mark(read(tmp_path, npz(tmp_path, image=rows, text=3 * rows)), "m")
    swapped = targets.mark(read(tmp_path, npz(tmp_path, image=3 * rows, text=rows)), "m")
    assert first == again
    assert other not in (first, swapped)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"img": np.ones((2, 3))}, r"has the members img; expected image, text or both"),
        ({}, r"has the members none; expected image, text or both"),
        ({"text": np.ones(3)}, r"text has shape \(3,\); a target is a matrix \(M, d\)"),
        ({"image": np.ones((0, 3))}, r"image has shape \(0, 3\); a target is a matrix"),
        (
            {"image": np.ones((2, 3)), "text": np.ones((3, 3))},
            r"image has shape \(2, 3\), text \(3, 3\); expected the same",
        ),
        ({"image": np.array([["a"]])}, r"is not a \.npz array of numbers"),
        ({"image": np.array([[None]], dtype=object)}, r"is not a \.npz array of numbers"),
    ],
)
def test_ready_made_embeddings_that_make_no_sense_are_refused(tmp_path, members, reason):
    with pytest.raises(CurationError, match=reason):
        read(tmp_path, npz(tmp_path, **members))


@pytest.mark.parametrize("extension", [".npy", ".npz"])
def test_a_damaged_file_of_embeddings_is_refused(tmp_path, extension):
    file = tmp_path / f"a{extension}"
    file.write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(CurationError, match=rf"a\{extension} is not a \{extension} array"):
        read(tmp_path, TargetSource("a", file))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_embeddings_damaged_anywhere_are_refused(tmp_path, save):
    rows = np.random.default_rng(0).normal(size=(20, 8))
    save(tmp_path / "a.npz", image=rows)
    whole = (tmp_path / "a.npz").read_bytes()
    for start in range(30, len(whole) - 120, 60):
        data = bytearray(whole)
        data[start : start + 20] = bytes(byte ^ 0x5A for byte in data[start : start + 20])
        (tmp_path / "a.npz").write_bytes(data)
        with pytest.raises(CurationError, match=r"a\.npz"):
            read(tmp_path, TargetSource("a", tmp_path / "a.npz"))


def test_a_shard_without_captions_keeps_its_rows_beside_those_that_have(tmp_path):
    store = Workspace(tmp_path / "w").target("t")
    folder = store.embeddings("m")
    folder.path.mkdir(parents=True)
    np.save(folder.file(0, "image.npy"), np.ones((2, 3)))
    np.save(folder.file(1, "image.npy"), np.ones((1, 3)))
    np.save(folder.file(1, "text.npy"), np.ones((1, 3)))
    target = targets.load(store, "m")
    assert target.image.shape == (3, 3)
    assert np.isnan(target.text).all(axis=1).tolist() == [True, True, False]


def test_no_target_is_called_all():
    with pytest.raises(CurationError, match="'all' cannot name a target"):
        TargetSource.parse("all=x")


def test_targets_whose_columns_would_have_one_name_are_refused(job, tmp_path):
    rows = np.ones((2, 64))
    sources = (
        npz(tmp_path, "a", image=rows, text=rows),
        npz(tmp_path, "a_text", image=rows, text=rows),
    )
    with pytest.raises(CurationError, match="two columns one name: norm_sim_inf_a_text"):
        score_dataset(
            replace(
                job,
                workspace=tmp_path / "w",
                targets=sources,
                scores=("norm_sim",),
                parameters={"target_side": ("image", "text")},
            ),
            make.QUIET,
        )


def test_the_scores_of_the_family_are_made_through_the_pipeline(job, scored_copy):
    names = ("norm_sim", "norm_sim_d", "nearest_neighbour", "vas")
    parameters = {"keep": 10, "iterations": 4, "depth": 3}
    score_dataset(
        replace(job, workspace=scored_copy.path, scores=names, parameters=parameters), make.QUIET
    )
    catalog = Catalog.of(scored_copy)
    assert (catalog.array("norm_sim_d") >= 0).sum() == 10
    np.testing.assert_allclose(
        catalog.array("vas_dots"), catalog.array("norm_sim_2_dots") ** 2 / 5, atol=1e-6
    )
    ranks = catalog.array("nearest_neighbour_lines")
    assert set(ranks[~np.isnan(ranks)].tolist()) <= {-1, -2, -3}
    assert np.nanmax(ranks) == -1
    each = [catalog.array(f"norm_sim_inf_{target}") for target in ("dots", "lines")]
    assert catalog.array("norm_sim_inf_all").tolist() == np.maximum(*each).tolist()
    assert catalog.column("nearest_neighbour_lines").kind == "score"
