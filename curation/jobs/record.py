"""What is recorded of a job, and how it is now.

A job's folder holds ``job.json`` (what runs), ``progress.json`` (what the command tells of itself,
see ``progress``), ``log.txt`` (all it printed) and ``lock``, which the process holds for as long as
it or a worker of it lives. So whether it runs is certain even when its process number is used again
or nobody waited for it.
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

JOB, TOLD, LOG, LOCK, CANCELLED = "job.json", "progress.json", "log.txt", "lock", "cancelled"

# What main ends with when it is stopped from outside.
_STOPPED = (130, 143)
_LOG_BYTES = 200_000


@dataclass(frozen=True)
class Job:
    """A command that was started.

    Attributes:
        id: the name of its folder; later jobs sort later.
        arguments: what follows ``python -m curation``.
        workspace: what it writes into.
        started: seconds since 1970.
        cwd: where its relative paths begin.
        pid: its process, the leader of a group of its own.
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
    """A stage that is finished, and the seconds that it took."""

    name: str
    seconds: float


@dataclass(frozen=True)
class State:
    """How a job is.

    Attributes:
        status: "lost" where the process went away without a word: killed, or the machine restarted.
        stopping: it has been cancelled, and is still running.
        stage: what it is at; "" before, between and after stages.
        done, total, unit: how far that stage is.
        rate: units a second; None while it cannot be told.
        remaining: seconds until this stage ends; None while that cannot be told.
        seconds: since it was started, until it ended.
        said, warnings: its messages, oldest first.
        error: why it failed or was lost, in words.
        exit: its exit code, once it has told one.
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
    said: tuple[str, ...]
    warnings: tuple[str, ...]
    error: str | None
    exit: int | None

    @property
    def is_running(self) -> bool:
        return self.status == "running"


def command(arguments: Sequence[str]) -> str:
    """``python -m curation …``, quoted for a shell."""
    return shlex.join(["python", "-m", "curation", *arguments])


def is_running(job: Job) -> bool:
    """Whether the process, or a worker that it started, is alive and has not told its end."""
    return _alive(job) and progress.Report.load(job.folder / TOLD).exit is None


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
    """How the job is now."""
    # In this order: what ends in between has told its end.
    alive = _alive(job)
    told = progress.Report.load(job.folder / TOLD)
    # With torch loaded, Python takes seconds to leave after its work is done.
    alive = alive and told.exit is None
    status, error = _status(job, alive, told)
    left = told.total - told.done
    working = alive and told.stage != ""
    return State(
        status=status,
        stopping=alive and (job.folder / CANCELLED).exists(),
        stage=told.stage,
        done=told.done,
        total=told.total,
        unit=told.unit,
        rate=told.rate if working else None,
        remaining=max(left, 0) / told.rate if working and told.rate else None,
        seconds=max(_until(job, alive, told) - job.started, 0.0),
        finished=tuple(Stage(name, spent) for name, spent in told.finished),
        said=told.said,
        warnings=told.warnings,
        error=error,
        exit=told.exit,
    )


def read_log(job: Job) -> str:
    """What it printed; of a long log, the end."""
    try:
        with (job.folder / LOG).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - _LOG_BYTES, 0))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return text if size <= _LOG_BYTES else "…\n" + text.partition("\n")[2]


def start_time(job: Job) -> str:
    """When it was started, in this machine's time: 2025-03-01 14:05."""
    return f"{datetime.fromtimestamp(job.started):%Y-%m-%d %H:%M}"


def save(job: Job) -> None:
    """Raises:
    CurationError: it cannot be written.
    """
    held = {
        "arguments": job.arguments,
        "workspace": str(job.workspace),
        "started": job.started,
        "cwd": str(job.cwd),
        "pid": job.pid,
    }
    with atomic(job.folder / JOB) as partial:
        partial.write_text(json.dumps(held, indent=1), encoding="utf-8")


def load(folder: Path) -> Job | None:
    """The job recorded in this folder."""
    try:
        held: dict[str, Any] = json.loads((folder / JOB).read_bytes())
        return Job(
            folder.name,
            folder,
            tuple(held["arguments"]),
            Path(held["workspace"]),
            float(held["started"]),
            Path(held["cwd"]),
            int(held["pid"]),
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _status(job: Job, alive: bool, told: progress.Report) -> tuple[Status, str | None]:
    if alive:
        return "running", None
    if told.exit == 0:
        return "done", None
    if told.exit in _STOPPED or (job.folder / CANCELLED).exists():
        return "cancelled", None
    if told.exit is None:
        return "lost", (
            "the process went away without a word: it was killed, the machine ran out of memory, "
            "or it was restarted"
        )
    return "failed", told.error or f"it ended with exit code {told.exit}"


def _until(job: Job, alive: bool, told: progress.Report) -> float:
    if alive:
        return time.time()
    if told.ended is not None:
        return told.ended
    try:
        return (job.folder / TOLD).stat().st_mtime
    except FileNotFoundError:
        return job.started
