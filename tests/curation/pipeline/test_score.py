"""Which scores a run makes, and what it refuses before it begins."""

from dataclasses import replace

import pytest

from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.pipeline.run import score_dataset
from tests import make


def run(job, **changes):
    return score_dataset(replace(job, **changes), make.QUIET)


def test_only_the_scores_asked_for_are_made(job, tmp_path):
    run(job, workspace=tmp_path / "w", scores=("clip_score",), parameters={})
    assert [c.name for c in Catalog(tmp_path / "w" / "catalog.duckdb").scores] == ["clip_score"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"scores": ("clip_score",), "parameters": {"keep": 0.2}},
            "--keep is for the score norm_sim_d, which is not made: name it with --score",
        ),
        ({"scores": ("vas",), "targets": ()}, "the score vas needs --target NAME=SOURCE"),
        ({"parameters": {"batches": 0}}, "batches is 0; expected ≥ 1"),
    ],
)
def test_what_cannot_be_scored_is_refused_before_anything_is_read(job, tmp_path, asked, message):
    with pytest.raises(CurationError, match=message):
        run(job, workspace=tmp_path / "w", **asked)
    assert not (tmp_path / "w").exists()


def test_without_a_target_there_is_no_norm_sim(job, tmp_path):
    run(job, workspace=tmp_path / "w", targets=())
    catalog = Catalog(tmp_path / "w" / "catalog.duckdb")
    assert [c.name for c in catalog.scores] == ["clip_score", "neg_clip_loss"]
    with pytest.raises(CurationError, match="norm_sim needs --target NAME=SOURCE"):
        run(job, workspace=tmp_path / "w", targets=(), scores=("norm_sim",))


def test_norms_other_than_the_usual_can_be_asked_for(job, scored_copy):
    run(job, workspace=scored_copy.path, parameters={"p": (3.0, 1.5)}, scores=("norm_sim",))
    names = {c.name for c in Catalog.of(scored_copy).scores}
    assert {"norm_sim_3_dots", "norm_sim_1_5_lines"} <= names
    assert "norm_sim_2_dots" not in names


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("inf")])
def test_a_temperature_that_cannot_be_is_refused(job, scored_copy, temperature):
    with pytest.raises(CurationError, match=f"temperature is {temperature}; expected"):
        run(job, workspace=scored_copy.path, parameters={"temperature": temperature})
