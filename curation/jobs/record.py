"""The files of a job, and its current state.

The folder of a job holds ``job.json`` (the command), ``progress.json`` (the command's own report,
see ``progress``), ``log.txt`` (its output) and ``lock``. The process and its workers inherit the
lock and hold it until the last of them ends, so a reused process id is never taken for the job.
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from curation import progress
from curation.storage.atomic import atomic

Status = Literal["running", "done", "failed", "cancelled", "lost"]

JOB, PROGRESS, LOG, LOCK, CANCELLED = "job.json", "progress.json", "log.txt", "lock", "cancelled"

# The exit codes after SIGINT and SIGTERM.
_STOPPED = (130, 143)
_LOG_BYTES = 200_000


@dataclass(frozen=True)
class Job:
    """A command that was started.

    Attributes:
        id: the name of its folder; ids sort by start time.
        arguments: the arguments of ``clip-curation``.
        workspace: the workspace that it writes into.
        started: seconds since 1970.
        cwd: its working directory.
        pid: its process id; the process leads its own process group.
    """

    id: str
    folder: Path
    arguments: tuple[str, ...]
    workspace: Path
    started: float
    cwd: Path
    pid: int

    @property
    def command(self) -> str:
        """The command line, quoted for a shell."""
        return command(self.arguments)


@dataclass(frozen=True)
class Stage:
    """A finished stage, and the seconds that it took."""

    name: str
    seconds: float


@dataclass(frozen=True)
class State:
    """The state of a job.

    Attributes:
        status: "lost" if the process ended without a report: it was killed, or the machine
            restarted.
        stopping: whether it has been canceled and is still running.
        stage: the current stage; "" before, between and after stages.
        done, total, unit: the progress of that stage.
        rate: units per second; None while unknown.
        remaining: seconds until this stage ends; None while unknown.
        seconds: the run time so far, or until it ended.
        messages, warnings: what it printed, oldest first.
        error: why it failed or was lost.
        exit: its exit code; None until it is reported.
    """

    status: Status
    stopping: bool
    stage: str
    done: int
    total: int
    unit: str
    rate: float | None
    remaining: float | None
    seconds: float
    finished: tuple[Stage, ...]
    messages: tuple[str, ...]
    warnings: tuple[str, ...]
    error: str | None
    exit: int | None

    @property
    def is_running(self) -> bool:
        return self.status == "running"


def command(arguments: Sequence[str]) -> str:
    """``clip-curation …``, quoted for a shell."""
    return shlex.join(["clip-curation", *arguments])


def is_running(job: Job) -> bool:
    """Whether the process or one of its workers is alive, and has not reported its end."""
    return _alive(job) and progress.Report.load(job.folder / PROGRESS).exit is None


def _alive(job: Job) -> bool:
    try:
        with (job.folder / LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


def read_state(job: Job) -> State:
    """The current state of a job."""
    # In this order: a job that ends in between has written its final report.
    alive = _alive(job)
    report = progress.Report.load(job.folder / PROGRESS)
    # With torch loaded, Python takes seconds to exit after its work is done.
    alive = alive and report.exit is None
    status, error = _status(job, alive, report)
    remaining = report.total - report.done
    working = alive and report.stage != ""
    return State(
        status=status,
        stopping=alive and (job.folder / CANCELLED).exists(),
        stage=report.stage,
        done=report.done,
        total=report.total,
        unit=report.unit,
        rate=report.rate if working else None,
        remaining=max(remaining, 0) / report.rate if working and report.rate else None,
        seconds=max(_until(job, alive, report) - job.started, 0.0),
        finished=tuple(Stage(name, spent) for name, spent in report.finished),
        messages=report.messages,
        warnings=report.warnings,
        error=error,
        exit=report.exit,
    )


def read_log(job: Job) -> str:
    """The output of a job; of a long log, the last 200 kB."""
    try:
        with (job.folder / LOG).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - _LOG_BYTES, 0))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return text if size <= _LOG_BYTES else "…\n" + text.partition("\n")[2]


def start_time(job: Job) -> str:
    """When the job was started, in local time: 2025-03-01 14:05."""
    return f"{datetime.fromtimestamp(job.started):%Y-%m-%d %H:%M}"


def save(job: Job) -> None:
    """Write ``job.json``.

    Raises:
        CurationError: the file cannot be written.
    """
    fields = {
        "arguments": job.arguments,
        "workspace": str(job.workspace),
        "started": job.started,
        "cwd": str(job.cwd),
        "pid": job.pid,
    }
    with atomic(job.folder / JOB) as partial:
        partial.write_text(json.dumps(fields, indent=1), encoding="utf-8")


def load(folder: Path) -> Job | None:
    """The job recorded in a folder; None if the record is missing or damaged."""
    try:
        fields: dict[str, Any] = json.loads((folder / JOB).read_bytes())
        return Job(
            folder.name,
            folder,
            tuple(fields["arguments"]),
            Path(fields["workspace"]),
            float(fields["started"]),
            Path(fields["cwd"]),
            int(fields["pid"]),
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _status(job: Job, alive: bool, report: progress.Report) -> tuple[Status, str | None]:
    if alive:
        return "running", None
    if report.exit == 0:
        return "done", None
    if report.exit in _STOPPED or (job.folder / CANCELLED).exists():
        return "cancelled", None
    if report.exit is None:
        return "lost", (
            "the process ended without a report: it was killed, the machine ran out of memory, "
            "or it restarted"
        )
    return "failed", report.error or f"the command ended with exit code {report.exit}"


def _until(job: Job, alive: bool, report: progress.Report) -> float:
    if alive:
        return time.time()
    if report.ended is not None:
        return report.ended
    try:
        return (job.folder / PROGRESS).stat().st_mtime
    except FileNotFoundError:
        return job.started
