"""Score folders: what makes one outdated, and the layout that earlier versions wrote."""

import shutil
from dataclasses import asdict, replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.pipeline import all_targets, change_targets, publish, score_folders, targets
from curation.pipeline.change_targets import AddOptions
from curation.pipeline.run import score_dataset
from curation.pipeline.targets import TargetSource
from curation.readers import Options
from curation.storage.atomic import fingerprint
from curation.storage.workspace import Receipt, Workspace, write_toml
from tests import make

TOWARD_TARGETS = ("norm_sim", "vas", "nearest_neighbour")


@pytest.fixture(scope="module")
def settings(job):
    """What the workspace of these tests is scored with: three shards, two targets."""
    return replace(
        job,
        scores=("clip_score", *TOWARD_TARGETS),
        parameters={"depth": 7},
        options=Options(shard_size=13),
    )


@pytest.fixture(scope="module")
def today(settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("today") / "workspace"
    score_dataset(replace(settings, workspace=folder), make.QUIET)
    return Workspace.open(folder)


@pytest.fixture
def earlier(today, tmp_path):
    """The same workspace as earlier versions wrote it: one folder for all targets of a score."""
    workspace = Workspace.open(shutil.copytree(today.path, tmp_path / "workspace"))
    for name in TOWARD_TARGETS:
        merge(workspace, name)
    return workspace


def merge(workspace, name):
    records = [r for r in score_folders.finished(workspace) if r.score == name]
    combined = all_targets.combined(workspace, records)
    columns = [c for r in [*records, *(one.record for one in combined)] for c in r.columns]
    stores = [workspace.target(record.target) for record in records]
    receipts = [workspace.embeddings("tiny").receipt(n) for n in range(workspace.shard_count())]
    mark = fingerprint(
        score_folders.VERSION,
        name,
        sorted(
            (k, tuple(v) if isinstance(v, list) else v) for k, v in records[0].parameters.items()
        ),
        tuple(store.path.name for store in stores),
        [targets.mark(store, "tiny") for store in stores],
        [receipt.fingerprint for receipt in receipts],
    )
    folder = workspace.scores(name)
    folder.path.mkdir()
    for shard, receipt in enumerate(receipts):
        table = pq.read_table(records[0].path / f"{shard:05d}.parquet")
        for record in records[1:]:
            other = pq.read_table(record.path / f"{shard:05d}.parquet")
            for column in other.column_names:
                table = table.append_column(column, other.column(column))
        for one in combined:
            table = table.append_column(one.name, one.values(table))
        pq.write_table(table, folder.file(shard, "parquet"))
        folder.finish(shard, Receipt(mark, receipt.rows))
    kept = ("score", "model", "source", "version", "created", "dataset", "parameters")
    described = [{k: v for k, v in asdict(c).items() if v is not None} for c in columns]
    values = {key: getattr(records[0], key) for key in kept}
    write_toml(folder.path / "score.toml", {**values, "columns": described})
    for record in records:
        shutil.rmtree(record.path)


def published(workspace):
    """What each score column is, and its values bit by bit."""
    catalog = Catalog.of(workspace)
    return {
        name: (replace(about, created=""), catalog.array(name).tobytes())
        for name, about in catalog.columns.items()
        if about.score
    }


def folders(workspace):
    return sorted(path.name for path in workspace.scores_root.iterdir())


def embedded_at(workspace):
    files = workspace.path.glob("**/embeddings/**/*.npy")
    return {file: file.stat().st_mtime_ns for file in files}


ONE_FOLDER_A_TARGET = ["clip_score"] + [
    f"{name}.{target}" for name in sorted(TOWARD_TARGETS) for target in ("dots", "lines")
]


def test_a_score_that_needs_targets_has_a_folder_for_each(today):
    assert folders(today) == sorted(ONE_FOLDER_A_TARGET)


def test_an_earlier_layout_is_opened_and_published_as_it_is(earlier, today):
    before = earlier.catalog.read_bytes()
    assert published(earlier) == published(today)
    assert earlier.catalog.read_bytes() == before
    publish.publish(earlier, make.QUIET)
    assert list(published(earlier)) == list(published(today))
    assert published(earlier) == published(today)
    assert folders(earlier) == ["clip_score", *sorted(TOWARD_TARGETS)]


def test_scoring_replaces_an_earlier_layout_from_the_stored_embeddings(earlier, today, settings):
    before = embedded_at(earlier)
    score_dataset(replace(settings, workspace=earlier.path), make.QUIET)
    assert embedded_at(earlier) == before
    assert folders(earlier) == sorted(ONE_FOLDER_A_TARGET)
    assert list(published(earlier)) == list(published(today))
    assert published(earlier) == published(today)


def test_scores_that_are_not_made_again_keep_the_earlier_layout(earlier, today, settings):
    asked = replace(settings, workspace=earlier.path, scores=("norm_sim",), parameters={})
    score_dataset(asked, make.QUIET)
    assert folders(earlier) == [
        "clip_score",
        "nearest_neighbour",
        "norm_sim.dots",
        "norm_sim.lines",
        "vas",
    ]
    assert published(earlier) == published(today)


def test_adding_a_target_replaces_an_earlier_layout(earlier, today, tmp_path):
    before = embedded_at(earlier)
    make.jpeg(tmp_path / "third" / "a.jpg", 300)
    third = TargetSource("third", tmp_path / "third")
    change_targets.add(earlier, third, AddOptions(device="cpu"), make.QUIET)
    assert before.items() <= embedded_at(earlier).items()
    assert folders(earlier) == sorted([*ONE_FOLDER_A_TARGET, "norm_sim.third"])
    after = published(earlier)
    changed = [name for name, column in published(today).items() if after[name] != column]
    assert set(changed) <= {"norm_sim_inf_all", "norm_sim_2_all"}
    change_targets.remove(earlier, "third", make.QUIET)
    assert list(published(earlier)) == list(published(today))
    assert published(earlier) == published(today)


def test_removing_a_target_replaces_an_earlier_layout(earlier, today):
    change_targets.remove(earlier, "lines", make.QUIET)
    assert folders(earlier) == sorted(n for n in ONE_FOLDER_A_TARGET if not n.endswith("lines"))
    after, before = published(earlier), published(today)
    assert list(after) == [n for n in before if "lines" not in n and "all" not in n]
    assert all(before[name] == column for name, column in after.items())


def test_norms_and_sides_of_an_earlier_layout_are_those_of_its_columns(earlier):
    folder = earlier.scores("norm_sim")
    (record,) = (r for r in score_folders.finished(earlier) if r.score == "norm_sim")
    columns = [c for c in record.columns if c.name not in ("norm_sim_2_lines", "norm_sim_2_all")]
    score_folders.write_record(
        earlier,
        folder,
        score="norm_sim",
        model="tiny",
        source=record.source,
        parameters=record.parameters,
        columns=columns,
    )
    (record,) = (r for r in score_folders.finished(earlier) if r.score == "norm_sim")
    norms = {m.target_name: m.parameters["p"] for m in score_folders.measurements(earlier, record)}
    assert norms == {"dots": (np.inf, 2.0), "lines": (np.inf,)}


def test_a_score_toward_a_target_that_has_changed_is_left_out(earlier, settings, capsys):
    score_dataset(replace(settings, workspace=earlier.path), make.QUIET)
    held = earlier.target("lines").embeddings("tiny")
    held.finish(0, replace(held.receipt(0), fingerprint="another"))
    publish.publish(earlier, make.QUIET)
    said = capsys.readouterr().err
    assert "the score vas.lines is of an earlier state of the target lines" in said
    names = Catalog.of(earlier).columns
    assert "vas_dots" in names
    assert not [name for name in names if "lines" in name or name.endswith("_all")]


def test_a_damaged_score_toml_is_named(earlier):
    file = earlier.scores("vas").path / "score.toml"
    write_toml(file, {"score": "vas"})
    with pytest.raises(CurationError, match=r"vas/score\.toml is damaged"):
        publish.publish(earlier, make.QUIET)
