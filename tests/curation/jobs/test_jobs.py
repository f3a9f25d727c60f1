from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from curation import progress
from curation.errors import CurationError
from curation.jobs import jobs
from curation.jobs.jobs import Job, State
from curation.storage.workspace import Workspace
from tests import make

PAIRS = 40
# Small shards, so that a cancelled run has finished some of them.
SMALL = ("--shard-size", "4", "--device", "cpu")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("jobs") / "source"
    make.pairs(folder, [{} for _ in range(PAIRS)] + [{"file_name": "nowhere.jpg"}])
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "all" / jobs.FOLDER


def score(folder: Path, source: Path, name: str = "pairs") -> Job:
    workspace = folder.parent / name
    return jobs.start(folder, ["score", str(source), "-w", str(workspace), *SMALL], workspace)


def until(job: Job, reached: Callable[[State], bool], seconds: float = 90) -> State:
    deadline = time.monotonic() + seconds
    while not reached(now := jobs.read_state(job)):
        assert time.monotonic() < deadline, (now, jobs.read_log(job))
        time.sleep(0.02)
    return now


def ended(job: Job) -> State:
    return until(job, lambda now: not now.is_running)


def scores(workspace: Path) -> list[tuple[object, ...]]:
    with duckdb.connect(str(workspace / "catalog.duckdb"), read_only=True) as connection:
        query = "SELECT uid, clip_score, neg_clip_loss FROM samples ORDER BY uid"
        return connection.execute(query).fetchall()


def test_a_job_scores_and_reports_its_progress(folder: Path, source: Path) -> None:
    job = score(folder, source)
    embedding = until(job, lambda now: now.stage == "Embedding" and now.done > 0)
    assert embedding.is_running
    assert embedding.total == PAIRS
    assert embedding.unit == "sample"
    assert embedding.finished[0].name == "Reading"
    assert any(line.startswith("Device: CPU") for line in embedding.messages)
    # The progress advances.
    until(job, lambda now: now.done > embedding.done or len(now.finished) > 1)

    now = ended(job)
    assert (now.status, now.exit, now.error) == ("done", 0, None)
    assert [stage.name for stage in now.finished][:3] == ["Reading", "Embedding", "CLIPScore"]
    assert now.seconds > sum(stage.seconds for stage in now.finished)
    assert f"{PAIRS} samples scored, 1 skipped" in jobs.read_log(job)
    # No progress bars without a terminal.
    assert "%|" not in jobs.read_log(job)
    assert len(scores(job.workspace)) == PAIRS
    assert jobs.find_job(folder, job.id) == job
    # The record is outside the workspace, which must be new.
    assert not list(job.workspace.glob("*.json"))


def test_cancelled_run_resumes_to_the_scores_of_an_unbroken_one(folder: Path, source: Path) -> None:
    cut = score(folder, source, "cut")
    made = "embeddings/*/*[0-9].json"
    until(cut, lambda now: any(cut.workspace.glob(made)))
    jobs.cancel(cut)
    assert ended(cut).status == "cancelled"
    assert not list(cut.workspace.rglob("*.partial"))
    assert not (cut.workspace / "catalog.duckdb").exists()
    receipts = {f: f.stat().st_mtime_ns for f in cut.workspace.glob(made)}
    assert 0 < len(receipts) < PAIRS / 4

    again = jobs.resume(cut)
    assert again.arguments == cut.arguments
    assert [job.id for job in jobs.list_jobs(folder)] == [again.id, cut.id]
    assert ended(again).status == "done"
    assert {f: f.stat().st_mtime_ns for f in receipts} == receipts

    whole = score(folder, source, "whole")
    assert ended(whole).status == "done"
    assert scores(again.workspace) == scores(whole.workspace)


def test_killed_process_is_lost_and_leaves_the_way_free(folder: Path, source: Path) -> None:
    job = score(folder, source)
    until(job, lambda now: now.stage == "Embedding")
    os.killpg(job.pid, signal.SIGKILL)
    now = until(job, lambda now: not now.is_running, seconds=5)
    assert now.status == "lost"
    assert now.error is not None and "ended without a report" in now.error
    assert now.stage == "Embedding"
    assert ended(jobs.resume(job)).status == "done"


def test_failed_job_says_why(folder: Path, tmp_path: Path) -> None:
    job = score(folder, tmp_path / "nothing")
    now = ended(job)
    assert (now.status, now.exit) == ("failed", 2)
    assert now.error == f"{tmp_path / 'nothing'} does not exist"
    mistaken = jobs.start(folder, ["score", "--no-such-option"], folder.parent / "x")
    now = ended(mistaken)
    assert now.status == "failed"
    assert now.error is not None and "--no-such-option" in now.error


def test_a_second_job_into_the_workspace_is_refused(folder: Path, source: Path) -> None:
    job = score(folder, source)
    with pytest.raises(CurationError, match="is still writing into"):
        score(folder, source)
    with pytest.raises(CurationError, match="cancel it first"):
        jobs.delete_record(job)
    jobs.cancel(job)
    ended(job)
    jobs.delete_record(job)
    assert jobs.list_jobs(folder) == []


def test_a_job_outlives_the_process_that_started_it_and_is_listed_by_others(
    folder: Path, source: Path
) -> None:
    code = (
        "import sys; from pathlib import Path; from curation.jobs import jobs\n"
        "folder, source, workspace, *rest = sys.argv[1:]\n"
        "jobs.start(Path(folder), ['score', source, '-w', workspace, *rest], Path(workspace))"
    )
    workspace = folder.parent / "pairs"
    command = [sys.executable, "-c", code, str(folder), str(source), str(workspace), *SMALL]
    subprocess.run(command, check=True, cwd=make.ROOT)
    (job,) = jobs.list_jobs(folder)
    assert jobs.read_state(job).is_running
    assert jobs.running_in(folder, workspace) == job
    assert ended(job).status == "done"
    assert Workspace.open(workspace).catalog.is_file()


def test_one_that_ignores_the_request_is_made_to_stop(
    folder: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = score(folder, source)
    until(job, lambda now: now.stage == "Embedding")
    # A stopped process handles no signal but the last.
    os.killpg(job.pid, signal.SIGSTOP)
    jobs.cancel(job, grace=0.3)
    assert jobs.read_state(job).stopping
    assert until(job, lambda now: not now.is_running, seconds=10).status == "cancelled"


def test_a_process_number_used_again_is_not_taken_for_the_job(folder: Path, source: Path) -> None:
    job = score(folder, source)
    jobs.cancel(job)
    ended(job)
    held = json.loads((job.folder / "job.json").read_bytes())
    (job.folder / "job.json").write_text(json.dumps(held | {"pid": os.getpid()}))
    (again,) = jobs.list_jobs(folder)
    assert not jobs.read_state(again).is_running
    jobs.cancel(again)  # and this process lives on


def test_damaged_records_are_passed_over(folder: Path, source: Path) -> None:
    job = score(folder, source)
    jobs.cancel(job)
    ended(job)
    shutil.copytree(job.folder, folder / "other")
    (folder / "other" / "job.json").write_text("{")
    assert jobs.list_jobs(folder) == [job]
    (job.folder / "progress.json").write_text('{"stage": 1}')
    assert jobs.read_state(job).status == "cancelled"


def test_rate_leaves_out_what_was_done_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "progress.json"
    monkeypatch.setenv(progress.VARIABLE, str(file))
    with progress.reporting(), progress.Progress().bar("Embedding", 100_100) as bar:
        bar.update(100_000)
        began = time.perf_counter()
        for _ in range(5):
            time.sleep(0.1)
            bar.update(10)
        spent = time.perf_counter() - began
        time.sleep(0.5)
        report = progress.Report.load(file)
    assert report.done == 100_050
    assert report.rate == pytest.approx(50 / spent, rel=0.1)
    assert progress.Report.load(file).exit == 0


def test_messages_are_kept_in_the_progress_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "progress.json"
    monkeypatch.setenv(progress.VARIABLE, str(file))
    with progress.reporting():
        progress.Progress(quiet=True).say("Device: CPU")
        progress.Progress(quiet=True).warn("no cache")
    assert json.loads(file.read_text())["said"] == ["Device: CPU"]
    report = progress.Report.load(file)
    assert (report.messages, report.warnings) == (("Device: CPU",), ("no cache",))
