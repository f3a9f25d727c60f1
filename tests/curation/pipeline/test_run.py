import csv
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.models.encoder import ModelSpec
from curation.pipeline import publish
from curation.pipeline.run import score_dataset
from curation.pipeline.targets import TargetSource
from curation.progress import Progress
from curation.readers import Options
from curation.scores import clip_score, neg_clip_loss, norm_sim
from curation.storage.workspace import Workspace
from tests import make
from tests.conftest import PAIRS

SCORES = [
    "clip_score",
    "neg_clip_loss",
    "norm_sim_inf_dots",
    "norm_sim_2_dots",
    "norm_sim_inf_lines",
    "norm_sim_2_lines",
    "norm_sim_inf_all",
    "norm_sim_2_all",
]


SHARDS = Options(shard_size=10)


@pytest.fixture(scope="module")
def _sharded(job, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sharded") / "workspace"
    run(job, workspace=folder, options=SHARDS)
    return folder


@pytest.fixture
def sharded(_sharded, tmp_path):
    """The same dataset in four shards, a test's own."""
    return Workspace.open(shutil.copytree(_sharded, tmp_path / "workspace"))


def run(job, **changes):
    return score_dataset(replace(job, **changes), make.QUIET)


def scores(workspace):
    """Every number of the catalog, by uid and column."""
    catalog = Catalog.of(workspace)
    uids = [row["uid"] for row in catalog.rows(range(len(catalog)))]
    names = [c.name for c in catalog.columns.values() if c.kind in ("score", "detail")]
    return {
        name: dict(zip(uids, catalog.array(name).tolist(), strict=True)) for name in sorted(names)
    }


def assert_same(one, other, tolerance=0.0):
    assert one.keys() == other.keys()
    for name, values in one.items():
        assert values.keys() == other[name].keys()
        for uid, value in values.items():
            assert value == pytest.approx(other[name][uid], abs=tolerance, nan_ok=True), name


def made_at(workspace, *folders):
    """When each file of these folders was made."""
    return {
        str(file.relative_to(workspace.path)): file.stat().st_mtime_ns
        for folder in folders
        for file in sorted((workspace.path / folder).rglob("*"))
        if file.is_file()
    }


def test_every_sample_gets_every_score(scored):
    catalog = Catalog.of(scored)
    assert len(catalog) == PAIRS
    assert [c.name for c in catalog.scores] == SCORES
    for name in SCORES:
        assert np.isfinite(catalog.array(name)).all()


def test_the_scores_are_those_of_the_functions_on_the_embeddings(scored, tiny):
    image = np.load(scored.embeddings("tiny").file(0, "image.npy"))
    text = np.load(scored.embeddings("tiny").file(0, "text.npy"))
    good = np.isfinite(image).all(axis=1)
    target = np.load(scored.target("dots").embeddings("tiny").file(0, "image.npy"))
    catalog = Catalog.of(scored)
    np.testing.assert_allclose(
        catalog.array("clip_score"), clip_score(image, text)[good], atol=1e-6
    )
    np.testing.assert_allclose(
        catalog.array("norm_sim_inf_dots"), norm_sim(image, target)[good], atol=1e-6
    )
    # |B| of 16 in 36: pools are drawn by uid, so only their size tells what to expect.
    whole = neg_clip_loss(image, text, temperature=tiny.temperature).score[good]
    found = catalog.array("neg_clip_loss")
    assert np.abs(found - whole - tiny.temperature * np.log(PAIRS / 16)).max() < 0.05


def test_an_image_that_breaks_off_is_skipped_and_listed(scored):
    (skipped,) = Catalog.of(scored).skipped()
    assert (skipped["stage"], skipped["where"]) == ("embed", "broken.jpg")
    assert "cannot be decoded" in skipped["reason"]


def test_a_score_records_how_it_was_made(scored, tiny):
    info = Catalog.of(scored).column("neg_clip_loss")
    assert info.model == "tiny"
    assert info.parameters["batch_size"] == 16
    assert info.parameters["temperature"] == pytest.approx(tiny.temperature)
    assert info.parameters["seed"] == 0
    assert "2405.19547" in info.reference
    error = Catalog.of(scored).column("neg_clip_loss_se")
    assert (error.kind, error.of) == ("detail", "neg_clip_loss")


def test_a_second_run_redoes_nothing(job, scored_copy):
    folders = ("samples", "embeddings", "scores", "targets")
    before = made_at(scored_copy, *folders)
    summary = run(job, workspace=scored_copy.path)
    after = made_at(scored_copy, *folders)
    changed = {name for name in before if before[name] != after[name]}
    assert before.keys() == after.keys()
    # What only says what things are is written again.
    assert {Path(name).name for name in changed} <= {"model.toml", "target.toml"}
    assert (summary.samples, summary.skipped) == (PAIRS, 1)


def test_several_shards_give_the_same_scores_and_samples_as_one(scored, sharded):
    assert (sharded.shard_count(), scored.shard_count()) == (4, 1)
    assert_same(scores(sharded), scores(scored), 2e-6)
    one, other = Catalog.of(sharded), Catalog.of(scored)
    assert [r["uid"] for r in one.rows(range(99))] == [r["uid"] for r in other.rows(range(99))]


def test_a_shard_whose_samples_were_all_skipped_is_no_trouble(job, source, tmp_path):
    photos = shutil.copytree(source, tmp_path / "photos")
    for number in range(6):
        (photos / f"{number:03d}.jpg").write_bytes(b"not an image")
    run(job, source=photos, workspace=tmp_path / "w", options=Options(shard_size=3))
    catalog = Catalog(tmp_path / "w" / "catalog.duckdb")
    assert len(catalog) == PAIRS - 6
    assert not np.isnan(catalog.array("neg_clip_loss")).any()


@pytest.mark.parametrize(
    "lost",
    [
        ("samples/00001.json",),
        ("embeddings/tiny/00002.json", "embeddings/tiny/00002.text.npy"),
        ("scores/neg_clip_loss/00001.json", "scores/neg_clip_loss/score.toml"),
        ("catalog.duckdb",),
        ("scores/clip_score", "targets/dots/embeddings", "catalog.duckdb"),
    ],
)
def test_a_killed_run_goes_on_to_the_result_of_an_uninterrupted_one(job, sharded, lost):
    workspace = sharded
    whole = scores(workspace)
    kept = made_at(workspace, "embeddings/tiny")
    for name in lost:
        path = workspace.path / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    run(job, workspace=workspace.path, options=SHARDS)
    assert_same(scores(workspace), whole)
    if not lost[0].startswith("embeddings"):
        again = made_at(workspace, "embeddings/tiny")
        assert {n for n in kept if kept[n] != again[n]} <= {"embeddings/tiny/model.toml"}


def test_a_run_killed_by_the_system_goes_on(job, scored, tmp_path):
    code = f"""
import os, sys
from pathlib import Path
from curation.models.encoder import ModelSpec
from curation.pipeline.run import Job, score_dataset
from curation.progress import Progress
from curation.readers import Options

class Deadly(Progress):
    def bar(self, label, total, unit="sample"):
        if label.startswith("negCLIPLoss"):
            os.kill(os.getpid(), 9)
        return super().bar(label, total, unit)

score_dataset(Job(
    source=Path({str(job.source)!r}), workspace=Path({str(tmp_path / "w")!r}),
    model=ModelSpec({job.model.name!r}), options=Options(shard_size=20), device="cpu",
    parameters={job.parameters!r},
), Deadly(quiet=True))
"""
    died = subprocess.run([sys.executable, "-c", code], check=False)
    assert died.returncode == -9
    assert not (tmp_path / "w" / "catalog.duckdb").exists()
    run(job, workspace=tmp_path / "w", options=Options(shard_size=20))
    assert_same(scores(Workspace.open(tmp_path / "w")), scores(scored), 2e-6)


def test_an_embedding_stage_that_fails_half_way_is_taken_up(job, sharded):
    workspace, options = sharded, SHARDS
    whole = scores(workspace)
    folder = workspace.embeddings("tiny")
    shutil.rmtree(folder.path)
    # A folder where the third shard's captions should go: the disk says no.
    folder.file(2, "text.npy").mkdir(parents=True)
    with pytest.raises(CurationError, match=r"cannot write .*00002\.text\.npy"):
        run(job, workspace=workspace.path, options=options)
    assert [folder.receipt(n) is not None for n in range(4)] == [True, True, False, False]
    assert not list(folder.path.glob(".*"))
    first = folder.file(0, "image.npy").stat().st_mtime_ns
    folder.file(2, "text.npy").rmdir()
    run(job, workspace=workspace.path, options=options)
    assert folder.file(0, "image.npy").stat().st_mtime_ns == first
    assert_same(scores(workspace), whole)


def test_a_changed_caption_is_scored_anew(job, source, tmp_path):
    photos = shutil.copytree(source, tmp_path / "photos")
    run(job, source=photos, workspace=tmp_path / "w")
    before = Catalog(tmp_path / "w" / "catalog.duckdb")
    with (photos / "metadata.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    rows[1][1] = "something else altogether"
    with (photos / "metadata.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    run(job, source=photos, workspace=tmp_path / "w")
    after = Catalog(tmp_path / "w" / "catalog.duckdb")
    assert after.rows([0])[0]["caption"] == "something else altogether"
    assert after.array("clip_score")[0] != before.array("clip_score")[0]
    assert after.array("clip_score")[1:].tolist() == before.array("clip_score")[1:].tolist()


def test_samples_that_are_gone_are_gone_from_the_catalog(job, source, tmp_path):
    photos = shutil.copytree(source, tmp_path / "photos")
    options = Options(shard_size=10)
    run(job, source=photos, workspace=tmp_path / "w", options=options)
    lines = (photos / "metadata.csv").read_text().splitlines(keepends=True)
    (photos / "metadata.csv").write_text("".join(lines[:25]))
    run(job, source=photos, workspace=tmp_path / "w", options=options)
    assert len(Catalog(tmp_path / "w" / "catalog.duckdb")) == 12
    assert Workspace.open(tmp_path / "w").shard_count() == 2
    assert not list((tmp_path / "w").rglob("00003.*"))


def test_a_changed_parameter_redoes_that_score_only(job, scored_copy):
    before = made_at(scored_copy, "samples", "embeddings", "scores")
    run(job, workspace=scored_copy.path, parameters={"batch_size": 16, "batches": 3, "seed": 9})
    after = made_at(scored_copy, "samples", "embeddings", "scores")
    changed = {str(Path(n).parent) for n in before if before[n] != after[n]}
    assert changed == {"scores/neg_clip_loss", "embeddings/tiny"}
    assert Catalog.of(scored_copy).column("neg_clip_loss").parameters["seed"] == 9


def test_a_target_of_ready_made_embeddings_is_taken(job, scored, scored_copy, tmp_path):
    rows = np.load(scored.target("dots").embeddings("tiny").file(0, "image.npy"))
    np.save(tmp_path / "ready.npy", rows)
    run(job, workspace=scored_copy.path, targets=(TargetSource("ready", tmp_path / "ready.npy"),))
    catalog = Catalog.of(scored_copy)
    assert catalog.array("norm_sim_2_ready").tolist() == catalog.array("norm_sim_2_dots").tolist()


def test_a_target_of_another_dimension_is_refused(job, scored_copy, tmp_path):
    np.save(tmp_path / "wide.npy", np.ones((3, 65), dtype=np.float32))
    with pytest.raises(CurationError, match="the target wide has embeddings of length 65"):
        run(job, workspace=scored_copy.path, targets=(TargetSource("wide", tmp_path / "wide.npy"),))


def test_a_target_may_come_from_elsewhere_later(job, scored_copy, target_folders):
    run(job, workspace=scored_copy.path, targets=(TargetSource("dots", target_folders["lines"]),))
    catalog = Catalog.of(scored_copy)
    assert catalog.array("norm_sim_2_dots").tolist() == catalog.array("norm_sim_2_lines").tolist()


def test_a_second_model_adds_columns_with_its_name(job, scored, scored_copy, second_model_folder):
    # The targets are those of the workspace: they need not be named again.
    run(job, workspace=scored_copy.path, model=ModelSpec(str(second_model_folder)), targets=())
    catalog = Catalog.of(scored_copy)
    names = [c.name for c in catalog.scores]
    assert names == sorted(SCORES, key=names.index) + sorted(
        (f"{name}_other" for name in SCORES), key=names.index
    )
    assert catalog.column("neg_clip_loss_se_other").of == "neg_clip_loss_other"
    assert catalog.column("clip_score_other").model == "other"
    assert catalog.array("clip_score").tolist() == Catalog.of(scored).array("clip_score").tolist()
    assert catalog.array("clip_score_other").tolist() != catalog.array("clip_score").tolist()


def test_a_workspace_of_another_source_is_refused(job, scored_copy, target_folders):
    with pytest.raises(CurationError, match=r"holds .*photos, not .*dots"):
        run(job, workspace=scored_copy.path, source=target_folders["dots"])
    assert len(Catalog.of(scored_copy)) == PAIRS


def test_a_folder_of_other_things_is_not_made_a_workspace(job, tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(CurationError, match="exists and is not a workspace"):
        run(job, workspace=tmp_path)
    with pytest.raises(CurationError, match="exists and is not a workspace"):
        run(job, workspace=tmp_path / "mine.txt")
    assert [f.name for f in tmp_path.iterdir()] == ["mine.txt"]


def test_a_source_that_makes_no_sense_leaves_no_workspace(job, tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(CurationError, match="no column named"):
        run(job, source=tmp_path / "a.csv", workspace=tmp_path / "w")
    assert not (tmp_path / "w").exists()


def test_a_source_without_a_usable_sample_tells_the_first_reason(job, tmp_path):
    (tmp_path / "a.csv").write_text("image,text\nnone.jpg,a\nnone2.jpg,b\n")
    with pytest.raises(
        CurationError, match=r"no usable sample: 2 skipped; the first: a\.csv line 2"
    ):
        run(job, source=tmp_path / "a.csv", workspace=tmp_path / "w")


def test_images_that_all_break_off_are_no_usable_sample(job, tmp_path):
    make.truncated_jpeg(tmp_path / "1.jpg")
    (tmp_path / "a.csv").write_text("image,text\n1.jpg,a\n")
    with pytest.raises(CurationError, match=r"no usable sample: 1 skipped.*cannot be decoded"):
        run(job, source=tmp_path / "a.csv", workspace=tmp_path / "w")


def test_the_right_place_of_the_images_given_later_is_looked_into(job, source, tmp_path):
    shutil.copy(source / "metadata.csv", tmp_path / "a.csv")
    changes = {"source": tmp_path / "a.csv", "workspace": tmp_path / "w"}
    with pytest.raises(CurationError, match="no usable sample"):
        run(job, **changes)
    run(job, **changes, options=Options(image_root=source))
    assert len(Catalog(tmp_path / "w" / "catalog.duckdb")) == PAIRS


def test_scores_of_an_earlier_state_of_the_dataset_are_not_published(job, source, tmp_path, capsys):
    photos = shutil.copytree(source, tmp_path / "photos")
    run(job, source=photos, workspace=tmp_path / "w")
    os.utime(photos / "metadata.csv", (1, 1))
    run(job, source=photos, workspace=tmp_path / "w", scores=("clip_score",), parameters={})
    names = [c.name for c in Catalog(tmp_path / "w" / "catalog.duckdb").scores]
    assert names == ["clip_score"]
    assert "neg_clip_loss is of an earlier state of the dataset" in capsys.readouterr().err


def test_an_imported_score_goes_back_when_a_computed_one_takes_its_column(
    scored_copy, tmp_path, capsys
):
    folder = scored_copy.scores_root / "imported"
    shutil.copytree(scored_copy.scores_root / "clip_score", folder)
    publish.publish(scored_copy, Progress(quiet=True))
    assert "imported is left out: another score has a column clip_score" in capsys.readouterr().err
    assert len(Catalog.of(scored_copy).scores) == len(SCORES)


def test_a_failed_publication_leaves_the_old_catalog(scored_copy):
    before = scored_copy.catalog.read_bytes()
    scores = scored_copy.scores("clip_score").file(0, "parquet")
    table = pq.read_table(scores)
    scores.write_bytes(b"damaged")
    with pytest.raises(Exception, match=r"[Pp]arquet"):
        publish.publish(scored_copy, make.QUIET)
    assert scored_copy.catalog.read_bytes() == before
    assert not list(scored_copy.path.glob(".*.partial"))
    pq.write_table(table, scores)
