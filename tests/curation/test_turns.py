"""Runs that meet, break off, or begin with a mistake."""

import shutil
from dataclasses import replace

import pytest

from curation import pipeline, publish
from curation.catalog import Catalog
from curation.encoder import ModelSpec
from curation.errors import CurationError
from curation.workspace import Workspace
from tests import make


def run(job, **changes):
    return pipeline.run(replace(job, **changes), make.QUIET)


def test_two_runs_do_not_write_into_one_workspace(job, scored_copy):
    with scored_copy.writing(), pytest.raises(CurationError, match="another process is writing"):
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
    changed = replace(job, model=ModelSpec(str(folder)), scores=("clip_score",))
    run(changed, workspace=tmp_path / "w")
    assert [c.name for c in Catalog.of(Workspace.open(tmp_path / "w")).scores] == ["clip_score"]
    assert "neg_clip_loss is of an earlier state" in capsys.readouterr().err


def test_what_was_done_before_took_no_time_of_this_run(job, scored_copy):
    assert set(run(job, workspace=scored_copy.path).seconds) == {"in all"}
