"""Which scores a run makes, and what it refuses before it begins."""

from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest

from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.pipeline import score, score_folders
from curation.pipeline.run import score_dataset
from curation.pipeline.score import Request
from curation.progress import Progress
from curation.scores import SCORES
from curation.scores.base import Column, Parameter
from curation.storage.workspace import Receipt
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


class Counted:
    """A score that counts a shard's samples; toward a target, to the power of its items."""

    name = "counted"
    title = "Counted"
    help = source = ""
    default = True
    parameters = (Parameter("step", int, 1, "what to count in"),)
    fails = False

    def __init__(self, *needs):
        self.needs = frozenset(needs)
        self.scored = []

    def columns(self, parameters, targets):
        endings = [f"_{target}" for target in targets] or [""]
        return [Column(f"{word}{end}", word, "") for end in endings for word in ("first", "second")]

    def passes(self, parameters):
        return 2

    def prepare(self, data, parameters):
        def score(shard, device):
            if self.fails:
                raise CurationError("it fails")
            self.scored.append(shard.index)
            data.advance(2 * len(shard))
            numbers = np.arange(len(shard), dtype=np.float32) * parameters["step"]
            names = self.columns(parameters, list(data.targets))
            return {c.name: numbers + n for n, c in enumerate(names)}

        return score


class Bars(Progress):
    """The totals of its bars, and how far each came."""

    def __init__(self):
        super().__init__(quiet=True)
        self.bars = {}
        self.lines = []

    def say(self, line):
        self.lines.append(line)

    @contextmanager
    def bar(self, label, total, unit="sample"):
        self.bars[label] = [total, 0]

        def update(done):
            self.bars[label][1] += done

        yield SimpleNamespace(update=update)


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Five samples in three shards, embedded by two models; the primary one is ``none``."""
    workspace = make.workspace(tmp_path, [{}] * 5, 2)
    for model in ("none", "other"):
        folder = workspace.embeddings(model)
        folder.path.mkdir(parents=True)
        for shard in range(3):
            folder.finish(shard, Receipt(f"{model} {shard}", (2, 2, 1)[shard]))
    for name in ("a", "b"):
        folder = workspace.target(name).embeddings("none")
        folder.path.mkdir(parents=True)
        np.save(folder.file(0, "image.npy"), np.eye(2))
        folder.finish(0, Receipt(name, 2))

    def register(*needs):
        counted = Counted(*needs)
        monkeypatch.setitem(SCORES, "counted", counted)
        return counted

    return workspace, register


def measure(workspace, progress=make.QUIET, model="none", targets=(), **parameters):
    request = Request(("counted",), parameters, targets, model, "cpu")
    score.run(workspace, request, progress)


def folders(workspace):
    return sorted(path.name for path in workspace.scores_root.iterdir())


def test_every_shard_is_scored_and_the_bar_reaches_its_end(world):
    workspace, register = world
    register("image")
    bars = Bars()
    measure(workspace, bars, step=3)
    folder = workspace.scores("counted")
    tables = [pq.read_table(folder.file(shard, "parquet")) for shard in range(3)]
    assert [table.to_pydict() for table in tables] == [
        {"first": [0, 3], "second": [1, 4]},
        {"first": [0, 3], "second": [1, 4]},
        {"first": [0], "second": [1]},
    ]
    assert bars.bars == {"Counted": [10, 10]}


def test_what_is_done_is_not_done_again(world):
    workspace, register = world
    counted = register("image")
    measure(workspace)
    bars = Bars()
    measure(workspace, bars)
    assert (bars.bars, bars.lines) == ({}, ["Counted: done before"])
    workspace.scores("counted").discard(1)
    measure(workspace)
    assert counted.scored == [0, 1, 2, 1]
    measure(workspace, step=2)
    assert counted.scored[4:] == [0, 1, 2]


def test_a_score_whose_shards_are_all_done_is_only_recorded(world):
    workspace, register = world
    counted = register("image")
    measure(workspace)
    score_folders.open_again(workspace.scores("counted"))
    measure(workspace)
    assert score_folders.is_finished(workspace.scores("counted"))
    assert counted.scored == [0, 1, 2]


def test_a_score_that_fails_is_neither_finished_nor_done(world):
    workspace, register = world
    counted = register("image")
    measure(workspace)
    counted.fails = True
    with pytest.raises(CurationError, match="it fails"):
        measure(workspace, step=2)
    folder = workspace.scores("counted")
    assert not score_folders.is_finished(folder)
    assert [folder.receipt(shard) is None for shard in range(3)] == [True, False, False]


def test_shards_that_have_gone_are_deleted(world):
    workspace, register = world
    register("image")
    workspace.scores("counted").path.mkdir(parents=True)
    workspace.scores("counted").finish(3, Receipt("earlier", 2))
    measure(workspace)
    assert workspace.scores("counted").receipt(3) is None


def test_another_model_has_a_folder_and_columns_with_its_name(world):
    workspace, register = world
    register("image")
    measure(workspace, model="other")
    assert folders(workspace) == ["counted_other"]
    table = pq.read_table(workspace.scores("counted_other").file(0, "parquet"))
    assert table.column_names == ["first_other", "second_other"]
    (record,) = score_folders.finished(workspace)
    assert [c.name for c in record.columns] == ["first_other", "second_other"]
    assert (record.model, record.target) == ("other", "")


def test_a_score_that_needs_no_embedding_is_of_no_model(world):
    workspace, register = world
    register("samples")
    measure(workspace, model="other")
    assert folders(workspace) == ["counted"]
    assert [record.model for record in score_folders.finished(workspace)] == [""]


def test_each_target_has_a_folder_and_those_not_asked_for_are_deleted(world):
    workspace, register = world
    register("image", "target")
    for name in ("counted", "counted.gone", "counted_d", "counted_other.gone", "countedly"):
        workspace.scores(name).path.mkdir(parents=True)
    bars = Bars()
    measure(workspace, bars, targets=("a", "b"))
    kept = ["counted_d", "counted_other.gone", "countedly"]
    assert folders(workspace) == sorted(["counted.a", "counted.b", *kept])
    assert [*bars.bars] == ["Counted (a)", "Counted (b)"]
    a = workspace.scores("counted.a").path / "score.toml"
    made = a.stat().st_mtime_ns
    measure(workspace, targets=("a",))
    assert folders(workspace) == sorted(["counted.a", *kept])
    assert a.stat().st_mtime_ns == made
    assert [(r.target, bool(r.target_mark)) for r in score_folders.finished(workspace)] == [
        ("a", True)
    ]


def test_scores_of_no_target_leave_other_folders_alone(world):
    workspace, register = world
    register("image")
    workspace.scores("counted.a").path.mkdir(parents=True)
    measure(workspace)
    assert folders(workspace) == ["counted", "counted.a"]


def test_an_unknown_device_is_refused_before_a_score_is_made(world):
    workspace, register = world
    register("image")
    with pytest.raises(CurationError):
        score.run(workspace, Request(("counted",), {}, (), "none", "nothing"), make.QUIET)


def test_the_default_scores_are_those_that_the_inputs_allow():
    usual = [name for name, one in SCORES.items() if one.default]
    assert list(score.check((), {}, has_targets=True)) == usual
    assert list(score.check((), {}, has_targets=False)) == [n for n in usual if n != "norm_sim"]
    assert list(score.check(("vas",), {"temperature": 0.01}, has_targets=True)) == ["vas"]
    with pytest.raises(CurationError, match="there is no score 'nothing'; there are clip_score"):
        score.check(("nothing",), {}, has_targets=True)


def test_a_shard_gives_the_columns_that_it_has(world):
    workspace, register = world
    counted = register("samples")
    seen = []

    def prepare(data, parameters):
        seen.extend(shard.columns(["caption", "not there"]) for shard in data.shards)
        seen.extend(shard.uids() for shard in data.shards)
        return Counted.prepare(counted, data, parameters)

    counted.prepare = prepare
    measure(workspace)
    assert [table.column_names for table in seen[:3]] == [["caption"]] * 3
    assert [len(words) for words in seen[3:]] == [2, 2, 1]
