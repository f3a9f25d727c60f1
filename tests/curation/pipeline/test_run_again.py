"""What a second run takes up again, and what it leaves as it is."""

import json
from dataclasses import replace

import numpy as np
import pytest

from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.pipeline.run import score_dataset
from curation.pipeline.targets import TargetSource
from curation.storage.workspace import Workspace
from tests import make


@pytest.fixture
def small(job, tmp_path):
    """A job over four pairs, with one cheap score."""
    table = make.pairs(tmp_path / "source", [{} for _ in range(4)])
    return replace(
        job,
        source=table,
        workspace=tmp_path / "w",
        targets=(),
        scores=("clip_score",),
        parameters={},
    )


def run(job):
    score_dataset(job, make.QUIET)
    return Catalog.of(Workspace.open(job.workspace))


def times(job):
    folder = Workspace(job.workspace)
    files = [*folder.samples.path.glob("*.parquet"), *folder.path.glob("embeddings/*/*.npy")]
    return {file.name: file.stat().st_mtime_ns for file in files}


def test_an_image_that_was_not_there_is_taken_up_once_it_is(small):
    image = small.source.parent / "002.jpg"
    content = image.read_bytes()
    image.unlink()
    assert len(run(small)) == 3
    before = times(small)["00000.image.npy"]
    assert len(run(small)) == 3
    assert times(small)["00000.image.npy"] == before
    image.write_bytes(content)
    assert len(run(small)) == 4


def test_what_can_never_be_used_is_not_tried_again(small):
    (small.source.parent / "002.jpg").write_bytes(b"no image")
    assert len(run(small)) == 3
    before = times(small)
    run(small)
    assert times(small) == before


def test_the_image_root_of_the_first_run_holds_where_none_is_named(small, tmp_path):
    (tmp_path / "images").mkdir()
    for number in range(4):
        (small.source.parent / f"{number:03d}.jpg").rename(
            tmp_path / "images" / f"{number:03d}.jpg"
        )
    rooted = replace(small, options=replace(small.options, image_root=tmp_path / "images"))
    assert len(run(rooted)) == 4
    assert run(small).dataset.image_root == str(tmp_path / "images")


def test_a_bad_row_does_not_take_a_good_one_of_its_uid_with_it(small):
    rows = [json.loads(line) for line in small.source.read_text().splitlines()]
    rows[0]["uid"] = rows[1]["uid"]
    small.source.write_text("\n".join(map(json.dumps, rows)))
    make.truncated_jpeg(small.source.parent / "000.jpg")
    catalog = run(small)
    assert [row["caption"] for row in catalog.rows(range(3))] == ["pair 1", "pair 2", "pair 3"]


def test_a_target_that_cannot_be_used_is_not_in_the_way_for_good(small, tmp_path, capsys):
    np.save(tmp_path / "short.npy", np.ones((3, 9), np.float32))
    short = TargetSource("short", tmp_path / "short.npy")
    scores = replace(small, scores=("norm_sim",))
    with pytest.raises(CurationError, match="short has embeddings of length 9"):
        run(replace(scores, targets=(short,)))
    good = TargetSource("good", small.source.parent)
    columns = run(replace(scores, targets=(good,))).columns
    assert "norm_sim_inf_good" in columns
    assert "norm_sim_inf_short" not in columns
    said = capsys.readouterr().err
    assert "the target short of an earlier run is left out: its embeddings have length 9" in said


def test_a_target_read_by_an_earlier_version_is_embedded_by_another_model(
    small, second_model_folder
):
    import pyarrow.parquet as pq

    from curation.models.encoder import ModelSpec

    target = TargetSource("few", small.source.parent)
    run(replace(small, targets=(target,)))
    file = Workspace(small.workspace).target("few").samples.file(0, "parquet")
    table = pq.read_table(file)
    pq.write_table(table.drop_columns(["image_column", "image_row", "url"]), file)
    other = replace(small, model=ModelSpec(str(second_model_folder)), scores=("norm_sim",))
    assert any(name.startswith("norm_sim_inf_few") for name in run(other).columns)
