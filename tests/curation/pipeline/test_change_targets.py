"""Targets added to, and taken out of, a workspace that is scored already."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from curation.catalog.catalog import Catalog
from curation.cli.main import cli
from curation.errors import CurationError
from curation.models.encoder import ModelSpec
from curation.pipeline import change_targets, publish, score, targets
from curation.pipeline.change_targets import AddOptions
from curation.pipeline.run import score_dataset
from curation.pipeline.targets import TargetSource
from curation.readers import Options
from curation.scores import norm_sim
from curation.selection.decisions import Decisions
from curation.selection.recipe import Recipe
from curation.storage.workspace import Workspace
from tests import make

LINES = ("scores/norm_sim.lines/", "targets/lines/")


class Said(make.Progress):
    """Keeps what is said and warned of."""

    def __init__(self):
        super().__init__(quiet=True)
        self.lines = []

    def say(self, line):
        self.lines.append(line)

    warn = say


@pytest.fixture(scope="module")
def _with_dots(job, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dots") / "workspace"
    run(job, folder, job.targets[:1])
    return folder


@pytest.fixture
def with_dots(_with_dots, tmp_path):
    """A workspace in three shards, scored toward dots, whose source and model are out of sight."""
    return Workspace.open(shutil.copytree(_with_dots, tmp_path / "workspace"))


@pytest.fixture(scope="module")
def with_both(job, tmp_path_factory):
    """The same, scored toward dots and lines at once."""
    folder = tmp_path_factory.mktemp("both") / "workspace"
    run(job, folder, job.targets)
    return Workspace.open(folder)


@pytest.fixture
def lines(job):
    return job.targets[1]


def run(job, workspace, named, **changes):
    options = Options(shard_size=13)
    score_dataset(
        replace(job, workspace=workspace, targets=named, options=options, **changes), make.QUIET
    )


def add(workspace, target, options=AddOptions(device="cpu"), progress=make.QUIET):  # noqa: B008
    return change_targets.add(workspace, target, options, progress)


def files(workspace, besides=()):
    """The bytes of every file of the workspace, but the catalog, the lock and some folders."""
    kept = {}
    for file in sorted(workspace.path.rglob("*")):
        name = str(file.relative_to(workspace.path))
        if (
            file.is_file()
            and name not in ("catalog.duckdb", ".lock")
            and not name.startswith(tuple(besides))
        ):
            kept[name] = (file.read_bytes(), file.stat().st_mtime_ns)
    return kept


def norm_sims(workspace):
    catalog = Catalog.of(workspace)
    return {
        c.name: catalog.array(c.name) for c in catalog.columns.values() if c.score == "norm_sim"
    }


def assert_equal(one, other):
    assert list(one) == list(other)
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)


def test_a_target_added_gives_what_a_full_score_gives(with_dots, with_both, lines):
    before = files(with_dots, LINES)
    change = add(with_dots, lines)
    assert files(with_dots, LINES) == before
    assert_equal(norm_sims(with_dots), norm_sims(with_both))
    assert change.columns == (
        "norm_sim_inf_lines",
        "norm_sim_inf_lines_nearest",
        "norm_sim_2_lines",
    )
    told = Catalog.of(with_dots).columns
    assert [*told] == [*Catalog.of(with_both).columns]
    assert told["norm_sim_inf_all"].title == "NormSim∞ (all targets)"
    # Bit by bit, receipts too: the next `score` has nothing to do.
    held = files(with_both, ("embeddings", "samples", "targets", "workspace.toml", ".lock"))
    for name in (n for n in held if n.startswith(LINES) and not n.endswith(".toml")):
        assert (with_dots.path / name).read_bytes() == held[name][0], name


def test_neither_the_dataset_nor_its_source_is_needed(job, lines, tmp_path):
    source = shutil.copytree(job.source, tmp_path / "photos")
    run(replace(job, source=source), tmp_path / "w", job.targets[:1])
    workspace = Workspace.open(tmp_path / "w")
    before = norm_sims(workspace)
    shutil.rmtree(source)
    add(workspace, lines)
    after = norm_sims(workspace)
    for name in before:
        np.testing.assert_array_equal(after[name], before[name])
    for p, sign in ((np.inf, "inf"), (2, "2")):
        whole = np.stack([after[f"norm_sim_{sign}_{n}"] for n in ("dots", "lines")])
        want = whole.max(axis=0) if p == np.inf else np.sqrt((whole**2).sum(axis=0))
        np.testing.assert_allclose(after[f"norm_sim_{sign}_all"], want, atol=1e-6)


def test_a_first_target_takes_the_defaults(job, lines, tmp_path):
    run(job, tmp_path / "w", ())
    workspace = Workspace.open(tmp_path / "w")
    assert norm_sims(workspace) == {}
    add(workspace, lines)
    assert [*norm_sims(workspace)] == [
        "norm_sim_inf_lines",
        "norm_sim_inf_lines_nearest",
        "norm_sim_2_lines",
    ]


def test_a_target_added_twice_is_nothing_to_do(with_both, lines, tmp_path):
    workspace = Workspace.open(shutil.copytree(with_both.path, tmp_path / "w"))
    catalog = workspace.catalog.read_bytes()
    assert not add(workspace, lines).is_new
    assert workspace.catalog.read_bytes() == catalog


def test_a_target_whose_images_changed_is_measured_anew(with_dots, tmp_path):
    folder = tmp_path / "mine"
    for number in range(3):
        make.jpeg(folder / f"{number}.jpg", 300 + number)
    mine = TargetSource("mine", folder)
    add(with_dots, mine)
    before = norm_sims(with_dots)
    created = targets.info(with_dots.target("mine")).created
    make.jpeg(folder / "3.jpg", 303)
    assert add(with_dots, mine).is_new
    after = norm_sims(with_dots)
    assert not np.array_equal(before["norm_sim_2_mine"], after["norm_sim_2_mine"])
    assert_equal(
        {n: v for n, v in before.items() if "dots" in n},
        {n: v for n, v in after.items() if "dots" in n},
    )
    assert targets.info(with_dots.target("mine")).created == created


def test_another_source_replaces_a_target_and_says_so(with_dots, with_both, lines):
    said = Said()
    Decisions.of(with_dots).save_recipe(
        "near", Recipe.parse("steps: [{score: norm_sim_inf_dots, top: 0.3}]")
    )
    add(with_dots, TargetSource("dots", lines.source), progress=said)
    np.testing.assert_array_equal(
        norm_sims(with_dots)["norm_sim_2_dots"], norm_sims(with_both)["norm_sim_2_lines"]
    )
    assert any("dots is replaced: it came from" in line for line in said.lines)
    assert any("near refers to norm_sim_inf_dots, whose values" in line for line in said.lines)


def test_a_target_that_cannot_be_used_changes_nothing(with_dots, tmp_path):
    before = files(with_dots)
    np.save(tmp_path / "long.npy", np.eye(3, 65, dtype=np.float32))
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a.jpg").write_text("not an image")
    for name, source, told in (
        ("new", "long.npy", "embeddings of length 65, the dataset of length 64"),
        ("dots", "long.npy", "embeddings of length 65"),
        ("dots", "empty", "no usable image"),
        ("new", "nowhere", "nowhere"),
    ):
        with pytest.raises(CurationError, match=told):
            add(with_dots, TargetSource(name, tmp_path / source))
    assert files(with_dots) == before


def test_captions_alone_are_measured_beside_the_images_of_others(with_dots, tmp_path):
    classes = tmp_path / "classes.txt"
    classes.write_text("a dog\na cat\n")
    before = norm_sims(with_dots)
    add(with_dots, TargetSource("classes", classes))
    after = norm_sims(with_dots)
    assert [n for n in after if n not in before] == [
        "norm_sim_inf_classes_text",
        "norm_sim_inf_classes_text_nearest",
        "norm_sim_2_classes_text",
    ]
    image = np.concatenate(
        [np.load(with_dots.embeddings("tiny").file(shard, "image.npy")) for shard in range(3)]
    )
    image = image[np.isfinite(image).all(axis=1)]
    held = targets.load(with_dots.target("classes"), "tiny").text
    np.testing.assert_allclose(
        after["norm_sim_inf_classes_text"], norm_sim(image, held, device="cpu"), atol=1e-6
    )
    # A third target is measured as most are, and `all` is of those with images.
    other = make.jpeg(tmp_path / "other" / "a.jpg", 7).parent
    add(with_dots, TargetSource("other", other))
    both = norm_sims(with_dots)
    assert "norm_sim_2_other_text" not in both
    np.testing.assert_array_equal(
        both["norm_sim_inf_all"], np.maximum(both["norm_sim_inf_dots"], both["norm_sim_inf_other"])
    )
    np.testing.assert_array_equal(both["norm_sim_2_classes_text"], after["norm_sim_2_classes_text"])


def test_norms_and_sides_can_be_asked_for(with_dots, lines):
    change = add(with_dots, lines, AddOptions((1.0,), device="cpu"))
    assert change.columns == ("norm_sim_1_lines",)
    # Toward dots there is no such norm: nothing is measured toward both.
    assert not any(name.endswith("_all") for name in norm_sims(with_dots))
    with pytest.raises(CurationError, match="no usable embedding of its captions"):
        add(with_dots, lines, AddOptions(sides=("text",), device="cpu"))
    with pytest.raises(CurationError, match=r"p is 0\.5; expected ≥ 1"):
        AddOptions((0.5,))


def test_every_model_of_a_workspace_measures_a_new_target(
    with_dots, job, lines, second_model_folder, tmp_path
):
    other = {"model": ModelSpec(str(second_model_folder)), "parameters": {}}
    both = tmp_path / "both"
    shutil.copytree(with_dots.path, both)
    run(job, with_dots.path, (), **other)
    add(with_dots, lines)
    run(job, both, job.targets)
    run(job, both, job.targets, **other)
    assert_equal(norm_sims(with_dots), norm_sims(Workspace.open(both)))
    assert "norm_sim_inf_all_other" in norm_sims(with_dots)
    # Embeddings are of one model only.
    np.save(tmp_path / "ready.npy", np.eye(3, 64, dtype=np.float32))
    said = Said()
    change = add(with_dots, TargetSource("ready", tmp_path / "ready.npy"), progress=said)
    assert all(not column.endswith("_other") for column in change.columns)
    assert any("NormSim of other does not measure against ready" in line for line in said.lines)


def test_a_model_that_is_another_one_now_is_refused(job, lines, second_model_folder, tmp_path):
    folder = shutil.copytree(job.model.folder, tmp_path / "tiny")
    run(replace(job, model=ModelSpec(str(folder))), tmp_path / "w", job.targets[:1])
    workspace = Workspace.open(tmp_path / "w")
    shutil.copy(second_model_folder / "open_clip_model.safetensors", folder)
    with pytest.raises(CurationError, match="is not the model tiny that embedded this dataset"):
        add(workspace, lines)
    shutil.rmtree(folder)
    with pytest.raises(CurationError, match=r"not in .* any more"):
        add(workspace, lines)
    add(workspace, lines, AddOptions(model=job.model, device="cpu"))
    assert "norm_sim_2_lines" in norm_sims(workspace)


def test_a_stopped_run_goes_on_and_a_second_writer_waits(with_dots, with_both, lines, monkeypatch):
    with with_dots.lock(), pytest.raises(CurationError, match="another process"):
        add(with_dots, lines)
    make_score = score.make

    def stopped(*args, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(score, "make", stopped)
    with pytest.raises(KeyboardInterrupt):
        add(with_dots, lines)
    assert with_dots.targets() == ["dots"]
    staged = with_dots.path / ".staging/targets/lines/embeddings/tiny/00000.image.npy"
    made = staged.stat().st_ino
    monkeypatch.setattr(score, "make", make_score)
    add(with_dots, lines)
    assert with_dots.target("lines").embeddings("tiny").file(0, "image.npy").stat().st_ino == made
    assert_equal(norm_sims(with_dots), norm_sims(with_both))


def test_a_target_removed_leaves_what_was_before_it(with_both, with_dots, tmp_path):
    workspace = Workspace.open(shutil.copytree(with_both.path, tmp_path / "w"))
    Decisions.of(workspace).save_recipe(
        "both", Recipe.parse("steps: [{where: 'norm_sim_inf_all > 0.1 and clip_score > 0'}]")
    )
    said = Said()
    change = change_targets.remove(workspace, "lines", said)
    assert "norm_sim_2_lines" in change.columns
    assert_equal(norm_sims(workspace), norm_sims(with_dots))
    assert workspace.targets() == ["dots"]
    assert Catalog.of(workspace).dataset.targets == "dots"
    assert any("both refers to norm_sim_inf_all, which is gone" in line for line in said.lines)
    change_targets.remove(workspace, "dots", make.QUIET)
    assert norm_sims(workspace) == {}
    assert "neg_clip_loss" in Catalog.of(workspace).columns
    with pytest.raises(CurationError, match="there is no target 'dots'; there are: none"):
        change_targets.remove(workspace, "dots", make.QUIET)


def test_other_scores_toward_a_target_go_with_it(with_dots, job, lines):
    add(with_dots, lines)
    run(job, with_dots.path, (), scores=("vas",), parameters={})
    vas = Catalog.of(with_dots).array("vas_dots")
    said = Said()
    add(with_dots, TargetSource("lines", job.targets[0].source), progress=said)
    assert any(
        "vas_lines measured against the former lines and is deleted" in x for x in said.lines
    )
    np.testing.assert_array_equal(Catalog.of(with_dots).array("vas_dots"), vas)
    assert "vas_lines" not in Catalog.of(with_dots).columns
    change_targets.remove(with_dots, "dots", make.QUIET)
    assert not list(with_dots.scores_root.glob("vas*"))
    assert "vas_dots" not in Catalog.of(with_dots).columns


def test_the_command_line_adds_and_removes(with_dots, lines):
    given = ["add-target", str(with_dots.path), f"lines={lines.source}", "-q"]
    result = CliRunner().invoke(cli, [*given, "--device", "cpu"], catch_exceptions=False)
    assert "lines: norm_sim_inf_lines, norm_sim_inf_lines_nearest" in result.output
    result = CliRunner().invoke(cli, ["remove-target", str(with_dots.path), "lines", "-q"])
    assert "lines removed with 3 columns" in result.output
    assert with_dots.targets() == ["dots"]


@pytest.mark.parametrize("step", range(4))
def test_a_target_replaced_by_name_is_the_old_or_the_new_one(
    with_dots, with_both, lines, monkeypatch, step
):
    """Killed at each of the moves that put the new target in place."""
    before, rename, count = norm_sims(with_dots), Path.rename, 0

    def killed(path, other):
        nonlocal count
        count += 1
        if count > step:
            raise KeyboardInterrupt
        return rename(path, other)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            add(with_dots, TargetSource("dots", lines.source))
    assert_equal(norm_sims(with_dots), before)
    publish.publish(with_dots, make.QUIET)
    after = norm_sims(with_dots)
    for name in before:
        wanted = norm_sims(with_both)[name.replace("dots", "lines")]
        np.testing.assert_array_equal(after[name], wanted)
    assert targets.info(with_dots.target("dots")).source == str(lines.source)


def test_the_order_of_norms_and_names_is_that_of_one_run(with_dots, job, lines, tmp_path):
    add(with_dots, TargetSource("a", lines.source))
    run(job, tmp_path / "w", (TargetSource("a", lines.source), job.targets[0]))
    assert [*norm_sims(with_dots)] == [*norm_sims(Workspace.open(tmp_path / "w"))]
