"""Commands that run as processes of their own: they outlive whoever started them.

The app starts them and looks at them here; ``job_record`` says what is kept of each.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from curation import progress, resources
from curation.errors import CurationError
from curation.jobs.record import (
    CANCELLED,
    JOB,
    LOCK,
    LOG,
    TOLD,
    Job,
    Stage,
    State,
    Status,
    command,
    is_running,
    load,
    read_log,
    read_state,
    save,
    start_time,
)

__all__ = [
    "FOLDER",
    "GRACE",
    "Job",
    "Stage",
    "State",
    "Status",
    "cancel",
    "command",
    "delete_record",
    "find_job",
    "is_running",
    "list_jobs",
    "read_log",
    "read_state",
    "resume",
    "running_in",
    "start",
    "start_time",
]

# The folder of records below a folder of workspaces.
FOLDER = ".jobs"
# Seconds that a cancelled job has to stop by itself; a shard's half-written file goes with it.
GRACE = 20.0


def start(folder: Path, arguments: Sequence[str], workspace: Path, cwd: Path | None = None) -> Job:
    """Run ``python -m curation`` with these arguments, whatever becomes of this process.

    Args:
        folder: where jobs are recorded, ``<folder of workspaces>/.jobs``; made if it is missing.
        workspace: what the command writes into.
        cwd: where relative paths begin; by default where this process is.

    Raises:
        CurationError: another job is at that workspace, or the record cannot be written.
    """
    other = running_in(folder, workspace)
    if other is not None:
        raise CurationError(
            f"a job that was started {start_time(other)} is still writing into {workspace}; "
            "wait for it, or cancel it"
        )
    moment = datetime.now(UTC)
    name = f"{moment:%Y%m%dT%H%M%S}{moment.microsecond // 1000:03d}Z-{uuid4().hex[:4]}"
    home, cwd = folder.absolute() / name, (cwd or Path.cwd()).absolute()
    try:
        home.mkdir(parents=True)
        with (home / LOCK).open("w") as lock, (home / LOG).open("wb") as log:
            fcntl.flock(lock, fcntl.LOCK_EX)
            process = subprocess.Popen(
                [sys.executable, "-m", "curation", *arguments],
                cwd=cwd,
                env=_environment(home),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[lock.fileno()],
            )
    except OSError as error:
        shutil.rmtree(home, ignore_errors=True)
        raise CurationError(f"cannot start a job in {home}: {error.strerror or error}") from None
    # Nobody else waits for it.
    threading.Thread(target=process.wait, daemon=True).start()
    job = Job(
        name, home, tuple(arguments), workspace.absolute(), moment.timestamp(), cwd, process.pid
    )
    try:
        save(job)
    except CurationError:
        process.kill()
        raise
    return job


def list_jobs(folder: Path) -> list[Job]:
    """Every job recorded in ``folder``, newest first."""
    found = (load(file.parent) for file in folder.glob(f"*/{JOB}"))
    return sorted((job for job in found if job), key=lambda job: job.id, reverse=True)


def find_job(folder: Path, id: str) -> Job | None:
    """The job of this name."""
    return next((job for job in list_jobs(folder) if job.id == id), None)


def running_in(folder: Path, workspace: Path) -> Job | None:
    """The job that is writing into a workspace now."""
    wanted = workspace.resolve()
    there = (job for job in list_jobs(folder) if job.workspace.resolve() == wanted)
    return next((job for job in there if is_running(job)), None)


def cancel(job: Job, grace: float = GRACE) -> None:
    """Ask the job to stop, and return at once; after ``grace`` seconds it is made to.

    What it has finished stays, and the next run uses it.
    """
    if not is_running(job):
        return
    (job.folder / CANCELLED).touch()
    # Not SIGINT: what is started in the background of a script ignores it.
    _signal(job, signal.SIGTERM)

    def insist() -> None:
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline:
            if not is_running(job):
                return
            time.sleep(0.1)
        _signal(job, signal.SIGKILL)

    threading.Thread(target=insist, daemon=True).start()


def resume(job: Job) -> Job:
    """Start the same command again: it goes on where it stopped.

    Raises:
        CurationError: as ``start``.
    """
    return start(job.folder.parent, job.arguments, job.workspace, job.cwd)


def delete_record(job: Job) -> None:
    """Delete the record of a job that has ended; what it made stays.

    Raises:
        CurationError: it is running.
    """
    if is_running(job):
        raise CurationError(
            f"the job that was started {start_time(job)} is running; cancel it first"
        )
    shutil.rmtree(job.folder, ignore_errors=True)


def _environment(home: Path) -> dict[str, str]:
    # Paths may begin anywhere; the project is found from there too.
    paths = [str(resources.IMPORT_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        progress.VARIABLE: str(home / TOLD),
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
    }


def _signal(job: Job, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(job.pid, number)
