"""The model of a workspace, as model.toml records it."""

from dataclasses import replace

import pytest

from curation.errors import CurationError
from curation.models.encoder import ModelSpec
from curation.pipeline import recorded_model
from curation.pipeline.run import score_dataset
from curation.storage.workspace import Workspace, read_toml, write_toml
from tests import make


@pytest.fixture
def recorded(tmp_path):
    """Write a model.toml; returns the workspace that has it."""

    def write(model="tiny", **values):
        workspace = Workspace(tmp_path)
        write_toml(workspace.embeddings(model).path / "model.toml", values)
        return workspace

    return write


@pytest.mark.parametrize(
    "values", [{"name": "ViT-B-32", "pretrained": "openai"}, {"name": "hf-hub:some/model"}]
)
def test_a_model_that_is_no_folder_is_known_by_its_name(recorded, values):
    workspace = recorded(**values, precision="float32")
    expected = ModelSpec(values["name"], values.get("pretrained"))
    assert recorded_model.spec(workspace, "tiny") == expected


def test_a_folder_is_known_by_its_path(recorded, tmp_path):
    workspace = recorded(name="any", folder=str(tmp_path), pretrained="weights.pt")
    assert recorded_model.spec(workspace, "tiny") == ModelSpec(str(tmp_path), "weights.pt")


def test_a_checkpoint_file_is_recorded_so_that_it_is_found_from_any_folder(
    model_folder, monkeypatch
):
    monkeypatch.chdir(model_folder)
    checkpoint = "open_clip_model.safetensors"
    location = recorded_model.location(ModelSpec("ViT-B-32", checkpoint))
    assert location == {"folder": None, "pretrained": str(model_folder.resolve() / checkpoint)}


def test_a_folder_that_an_earlier_version_did_not_record_is_asked_for(recorded):
    with pytest.raises(CurationError, match="run the dataset's `score` command again"):
        recorded_model.spec(recorded(name="tiny"), "tiny")


def test_the_shipped_model_needs_no_record_of_its_folder(recorded):
    slug = ModelSpec().slug
    assert recorded_model.spec(recorded(slug, name="clip-lite0"), slug) == ModelSpec()


def test_a_model_that_has_gone_says_where_it_was(recorded):
    with pytest.raises(CurationError, match="is not in /gone/tiny any more"):
        recorded_model.spec(recorded(name="tiny", folder="/gone/tiny"), "tiny")


def test_without_embeddings_there_is_no_model(tmp_path):
    with pytest.raises(CurationError, match="has no embeddings of the model tiny"):
        recorded_model.is_ready_made(Workspace(tmp_path), "tiny")


def test_ready_made_embeddings_need_a_model_that_is_named(recorded):
    workspace = recorded(name="l14", precision="ready-made")
    with pytest.raises(CurationError, match="came ready-made: give the target's embeddings"):
        recorded_model.encoders(workspace, "tiny")
    named = recorded_model.encoders(workspace, "tiny", ModelSpec("ViT-L-14", "openai"))
    assert named.spec == ModelSpec("ViT-L-14", "openai", alias="tiny")


def test_the_recorded_model_is_that_of_the_embeddings(scored, model_folder, second_model_folder):
    assert recorded_model.spec(scored, "tiny") == ModelSpec(str(model_folder.resolve()))
    assert recorded_model.encoders(scored, "tiny").spec == ModelSpec(str(model_folder.resolve()))
    other = ModelSpec(str(second_model_folder))
    with pytest.raises(CurationError, match="is not the model tiny that embedded this dataset"):
        recorded_model.encoders(scored, "tiny", other)


def test_scoring_again_records_the_folder_that_an_earlier_version_did_not(job, scored_copy):
    file = scored_copy.embeddings("tiny").path / "model.toml"
    values = read_toml(file)
    del values["folder"]
    write_toml(file, values)
    again = replace(job, workspace=scored_copy.path, scores=("clip_score",), parameters={})
    score_dataset(again, make.QUIET)
    assert read_toml(file)["folder"] == str(job.model.folder.resolve())
