"""Runs that meet, break off, or begin with a mistake."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.models.encoder import ModelSpec
from curation.pipeline import publish
from curation.pipeline.run import score_dataset
from curation.storage.workspace import Workspace
from tests import make
from tests.conftest import PAIRS


def run(job, **changes):
    return score_dataset(replace(job, **changes), make.QUIET)


def test_two_runs_do_not_write_into_one_workspace(job, scored_copy):
    with scored_copy.lock(), pytest.raises(CurationError, match="another process is writing"):
        run(job, workspace=scored_copy.path)
    run(job, workspace=scored_copy.path)


def test_half_written_files_of_a_killed_run_are_cleared_away(job, scored_copy):
    left = scored_copy.samples.path / ".00000.parquet.0123abcd.partial"
    left.write_bytes(b"half")
    run(job, workspace=scored_copy.path)
    assert not left.exists()


def test_a_dataset_that_was_not_read_to_the_end_is_not_published(job, tmp_path):
    run(job, workspace=tmp_path / "w", options=replace(job.options, shard_size=10))
    workspace = Workspace.open(tmp_path / "w")
    before = workspace.catalog.read_bytes()
    workspace.samples.discard(1)
    with pytest.raises(CurationError, match="not been read to the end"):
        publish.publish(workspace, make.QUIET)
    assert workspace.catalog.read_bytes() == before


def test_a_first_model_that_could_not_be_loaded_does_not_take_the_plain_columns(job, tmp_path):
    with pytest.raises(CurationError, match="no architecture"):
        run(job, workspace=tmp_path / "w", model=ModelSpec("ViT-Z-99", "openai"))
    run(job, workspace=tmp_path / "w")
    names = [c.name for c in Catalog.of(Workspace.open(tmp_path / "w")).scores]
    assert names[:2] == ["clip_score", "neg_clip_loss"]


def test_scores_of_earlier_weights_are_not_published(
    job, tmp_path, model_folder, second_model_folder, capsys
):
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    run(job, workspace=tmp_path / "w", model=ModelSpec(str(folder)))
    weights = "open_clip_model.safetensors"
    shutil.copy(second_model_folder / weights, folder / weights)
    changed = replace(job, model=ModelSpec(str(folder)), scores=("clip_score",), parameters={})
    run(changed, workspace=tmp_path / "w")
    assert [c.name for c in Catalog.of(Workspace.open(tmp_path / "w")).scores] == ["clip_score"]
    assert "neg_clip_loss is of an earlier state" in capsys.readouterr().err


def test_an_image_that_could_not_be_read_is_tried_again(job, source, tmp_path):
    folder = shutil.copytree(source, tmp_path / "photos")
    changed = {"source": folder, "workspace": tmp_path / "w"}
    run(job, **changed)
    workspace = Workspace.open(tmp_path / "w")
    away = (folder / "003.jpg").rename(tmp_path / "003.jpg")
    workspace.embeddings(workspace.info().model).discard(0)
    run(job, **changed)
    assert len(Catalog.of(workspace)) == PAIRS - 1
    away.rename(folder / "003.jpg")
    run(job, **changed)
    assert len(Catalog.of(workspace)) == PAIRS


def test_a_run_killed_before_a_score_was_recorded_records_it(job, scored_copy):
    (scored_copy.scores("clip_score").path / "score.toml").unlink()
    run(job, workspace=scored_copy.path)
    assert "clip_score" in [c.name for c in Catalog.of(scored_copy).scores]


def test_a_norm_asked_for_twice_is_made_once(job, scored_copy):
    run(job, workspace=scored_copy.path, parameters={**job.parameters, "p": (2.0, 2.0)})
    names = [c.name for c in Catalog.of(scored_copy).scores]
    assert names[2:] == ["norm_sim_2_dots", "norm_sim_2_lines", "norm_sim_2_all"]


def test_norms_too_near_to_be_told_apart_are_refused(job, scored_copy):
    near = {**job.parameters, "p": (2.0, 2.0000001)}
    with pytest.raises(CurationError, match="two columns one name"):
        run(job, workspace=scored_copy.path, parameters=near)


def test_what_was_done_before_took_no_time_of_this_run(job, scored_copy):
    seconds = run(job, workspace=scored_copy.path).seconds
    assert set(seconds) == {"scores", "catalog", "in all"}


def test_scores_of_another_model_are_left_out_when_the_samples_change(
    job, source, tmp_path, second_model_folder
):
    photos = shutil.copytree(source, tmp_path / "photos")
    other = ModelSpec(str(second_model_folder))
    small = {"source": photos, "workspace": tmp_path / "w", "targets": (), "parameters": {}}
    run(job, scores=("clip_score",), **small)
    run(job, scores=("clip_score",), model=other, **small)
    column = f"clip_score_{other.slug}"
    assert column in Catalog(tmp_path / "w" / "catalog.duckdb").columns
    header, *rows = (photos / "metadata.csv").read_text().splitlines(keepends=True)
    (photos / "metadata.csv").write_text("".join([header, *rows[::-1]]))
    run(job, scores=("clip_score",), **small)
    assert column not in Catalog(tmp_path / "w" / "catalog.duckdb").columns


def test_an_image_that_is_there_again_is_scored(job, source, tmp_path):
    photos = shutil.copytree(source, tmp_path / "photos")
    settings = {"source": photos, "workspace": tmp_path / "w", "targets": (), "parameters": {}}
    run(job, scores=("clip_score",), **settings)
    whole = len(Catalog(tmp_path / "w" / "catalog.duckdb"))
    shutil.rmtree(tmp_path / "w" / "embeddings")
    images = sorted(photos.rglob("*.jpg"))[:2]
    kept = [file.read_bytes() for file in images]
    for count in (2, 1, 0):
        for number, (file, data) in enumerate(zip(images, kept, strict=True)):
            # The read stage has seen them: it is the embed stage that misses some.
            file.unlink(missing_ok=True)
            if number >= count:
                file.write_bytes(data)
        run(job, scores=("clip_score",), **settings)
        catalog = Catalog(tmp_path / "w" / "catalog.duckdb")
        assert len(catalog) == whole - count
        assert not np.isnan(catalog.array("clip_score")).any()
