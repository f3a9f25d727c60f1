"""The Score page."""

from __future__ import annotations

import re
import shlex
import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from curation import formatting
from curation.catalog.catalog import Catalog
from curation.jobs import jobs
from curation.jobs.jobs import Job
from curation.storage.workspace import Workspace
from tests import make
from tests.pages.conftest import Open, metrics


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    rows: list[dict[str, object]] = [{} for _ in range(12)]
    make.pairs(tmp_path / "photos", [*rows, {"caption": " "}, {"file_name": "nowhere.jpg"}])
    return tmp_path / "photos"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "all").mkdir()
    return tmp_path / "all"


def fill(app: AppTest, **fields: object) -> AppTest:
    for name, value in fields.items():
        app.text_input(key=name).set_value(str(value)).run()
    assert not app.exception
    return app


def command(app: AppTest) -> list[str]:
    """The arguments of the command line that the page shows."""
    return shlex.split(app.code[0].value.replace("\\\n", ""))


def notes(app: AppTest) -> str:
    """The text of all captions and messages, without escapes."""
    texts = [e.value for e in (*app.caption, *app.error, *app.info, *app.warning)]
    return re.sub(r"\\(.)", r"\1", " ".join(texts))


def can_start(app: AppTest) -> bool:
    """Whether the button that starts the job is enabled."""
    (button,) = (b for b in app.button if b.label == "Start scoring")
    return not button.disabled


def press(app: AppTest, label: str) -> AppTest:
    next(b for b in app.button if b.label == label).click().run()
    assert not app.exception
    return app


def wait_for(job: Job) -> str:
    """Wait until a job ends; returns its status."""
    deadline = time.monotonic() + 90
    while jobs.is_running(job):
        assert time.monotonic() < deadline, jobs.read_log(job)
        time.sleep(0.05)
    return jobs.read_state(job).status


def test_a_source_is_recognized_before_anything_starts(
    open_page: Open, root: Path, photos: Path
) -> None:
    app = open_page("score", root=root)
    assert not can_start(app)
    fill(app, score_source=photos)
    assert "Read as **table**, 1 shard" in notes(app)
    assert can_start(app)
    assert command(app) == [
        "clip-curation",
        "score",
        str(photos),
        "--workspace",
        str(root / "photos"),
    ]
    fill(app, score_shard_size="5")
    assert "3 shards" in notes(app)
    fill(app, score_source=photos / "000.jpg")
    assert "is not recognized" in notes(app)
    assert not can_start(app)
    assert not (root / jobs.FOLDER).exists()


def test_a_link_alone_reads_no_source(open_page: Open, root: Path, photos: Path) -> None:
    app = open_page("score", root=root)
    app.query_params["source"] = str(photos)
    app.run()
    assert app.text_input(key="score_source").value == str(photos)
    assert "Read as" not in notes(app)
    assert not can_start(app)
    press(app, "Check source")
    assert "Read as **table**" in notes(app)
    assert can_start(app)


def test_every_field_becomes_an_argument(
    open_page: Open, root: Path, photos: Path, model_folder: Path, target_folders: dict[str, Path]
) -> None:
    app = fill(open_page("score", root=root), score_source=photos)
    assert app.checkbox(key="pick_norm_sim").disabled
    app.segmented_control(key="model_from").set_value("folder").run()
    assert "enter the model folder" in notes(app).lower()
    fill(app, score_model=model_folder, score_name="mine")
    fill(app, target_source_0=target_folders["dots"])
    assert not app.checkbox(key="pick_norm_sim").disabled
    assert app.checkbox(key="pick_norm_sim").value
    press(app, "Add target")
    fill(app, target_source_1=target_folders["lines"], target_name_1="stripes")
    app.checkbox(key="pick_language").uncheck().run()
    app.checkbox(key="pick_basic_filter").uncheck().run()
    app.checkbox(key="pick_vas").check().run()
    fill(app, score_p_p="inf, 4", score_p_batch_size="16", score_caption_column="caption")
    app.selectbox(key="p_negatives").set_value("partition").run()
    app.selectbox(key="device").set_value("cpu").run()
    arguments = command(app)[3:]
    options = list(zip(arguments[::2], arguments[1::2], strict=True))
    assert options == [
        ("--workspace", str(root / "mine")),
        ("--model", str(model_folder)),
        ("--target", f"dots={target_folders['dots']}"),
        ("--target", f"stripes={target_folders['lines']}"),
        *[("--score", s) for s in ("clip_score", "neg_clip_loss", "norm_sim", "vas")],
        *[("--score", s) for s in ("caption_length", "image_size")],
        ("--device", "cpu"),
        ("--batch-size", "16"),
        ("--negatives", "partition"),
        ("--p", "inf"),
        ("--p", "4"),
        ("--caption-column", "caption"),
    ]
    assert can_start(app)
    again = open_page("quadrants", root=root)
    for name in app.query_params:
        again.query_params[name] = app.query_params[name]
    again.switch_page("pages/score.py").run()
    assert command(again) == command(app)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("score_name", "../else", "nvalid workspace name"),
        ("score_name", ".jobs", "nvalid workspace name"),
        ("score_name", "taken", "is not a workspace"),
        ("score_name", "other", "holds"),
        ("score_p_batch_size", "many", "expected a number"),
        ("score_p_batches", "0", "expected"),
        ("score_shard_size", "0", "expected a whole number"),
        ("target_source_0", "/no/such/folder", "does not exist"),
        ("target_name_0", "Food!", "has no source"),
    ],
)
def test_invalid_input_is_reported_before_a_job_starts(
    open_page: Open,
    root: Path,
    photos: Path,
    scored: Workspace,
    field: str,
    value: str,
    message: str,
) -> None:
    (root / "taken").mkdir()
    (root / "taken" / "thesis.tex").touch()
    (root / "other").symlink_to(scored.path)
    app = fill(open_page("score", root=root), score_source=photos)
    assert can_start(app)
    fill(app, **{field: value})
    assert message in notes(app)
    assert not can_start(app)


def test_an_unknown_architecture_is_reported(open_page: Open, root: Path, photos: Path) -> None:
    app = fill(open_page("score", root=root), score_source=photos)
    app.segmented_control(key="model_from").set_value("open_clip").run()
    fill(app, score_model="ViT-L-41")
    assert "similar: ViT-L-14" in notes(app)
    fill(app, score_model="ViT-L-14")
    assert "enter the pretrained weights" in notes(app).lower()
    fill(app, score_pretrained="openai")
    assert command(app)[-4:] == ["--model", "ViT-L-14", "--pretrained", "openai"]
    assert can_start(app)


def test_a_job_runs_and_its_result_is_shown(open_page: Open, root: Path, photos: Path) -> None:
    app = fill(open_page("score", root=root), score_source=photos)
    app.selectbox(key="device").set_value("cpu").run()
    press(app, "Start scoring")
    (job,) = jobs.list_jobs(root / jobs.FOLDER)
    assert app.query_params["job"] in (job.id, [job.id])
    assert "running for" in notes(app)
    # A second job on the same workspace is refused.
    deadline = time.monotonic() + 60
    while not (root / "photos" / "workspace.toml").is_file():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    app.run()
    if jobs.is_running(job):
        assert "a job is writing into photos" in notes(app).lower()
        assert not can_start(app)
    assert wait_for(job) == "done"
    app.run()
    assert metrics(app) == {"Samples": "12", "Skipped": "2", "Scores": "2"}
    reasons = app.dataframe[0].value
    assert reasons["Reason"].tolist() == ["caption is empty", "file does not exist"]
    assert "12 samples scored, 2 skipped" in app.code[-1].value
    press(app, "Open workspace")
    assert app.session_state["ws"] == "photos"
    assert len(metrics(app)) == 4
    assert len(Catalog.of(Workspace.open(root / "photos"))) == 12


def test_a_failed_job_shows_its_error_and_can_be_resumed_or_deleted(
    open_page: Open, root: Path, photos: Path
) -> None:
    folder = root / jobs.FOLDER
    evil = "![x](http://example.invalid/a.png)"
    job = jobs.start(folder, ["score", f"./{evil}", "-w", str(root / "w")], root / "w")
    assert wait_for(job) == "failed"
    app = open_page("score", root=root)
    took = formatting.duration(jobs.read_state(job).seconds)
    press(app, f"w · failed · {jobs.start_time(job)} · {took}")
    assert "does not exist" in notes(app)
    assert all("![x](http" not in error.value for error in app.error)
    press(app, "Resume")
    newest, first = jobs.list_jobs(folder)
    assert first == job
    assert newest.arguments == job.arguments
    assert app.query_params["job"] in (newest.id, [newest.id])
    assert wait_for(newest) == "failed"
    app.run()
    press(app, "Delete job record")
    assert jobs.list_jobs(folder) == [job]


def test_nonsense_in_the_url_is_ignored(open_page: Open, root: Path) -> None:
    app = open_page("quadrants", root=root)
    for name, value in {
        "job": "../../etc",
        "model_from": "magic",
        "scores": "nope",
        "target": "=",
        "reader": "x",
        "p_negatives": "y",
        "name": "a/b",
        "source": "s3://",
    }.items():
        app.query_params[name] = value
    app.switch_page("pages/score.py").run()
    assert not app.exception
    assert not can_start(app)


def test_without_a_workspace_the_app_links_to_this_page(open_page: Open, root: Path) -> None:
    app = open_page("quadrants", root=root)
    (link,) = app.get("page_link")
    assert link.proto.page == "score"
