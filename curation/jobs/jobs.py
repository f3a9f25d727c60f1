"""Commands as background processes, which keep running when the app stops.

The app starts, lists and cancels them here; ``record`` has the files of each.
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
    PROGRESS,
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
# Seconds that a canceled job has to stop by itself, with its partial files deleted.
GRACE = 20.0


def start(folder: Path, arguments: Sequence[str], workspace: Path, cwd: Path | None = None) -> Job:
    """Run ``python -m curation`` with these arguments, independently of this process.

    Args:
        folder: where jobs are recorded, ``<folder of workspaces>/.jobs``; created if missing.
        workspace: the workspace that the command writes into.
        cwd: the working directory; by default that of this process.

    Raises:
        CurationError: another job writes into the workspace, or the record cannot be written.
    """
    other = running_in(folder, workspace)
    if other is not None:
        raise CurationError(
            f"a job started {start_time(other)} is still writing into {workspace}; "
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
    # Wait for the process, or it stays as a zombie after it ends.
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
    loaded = (load(file.parent) for file in folder.glob(f"*/{JOB}"))
    return sorted((job for job in loaded if job), key=lambda job: job.id, reverse=True)


def find_job(folder: Path, id: str) -> Job | None:
    """The job with this id; None if there is none."""
    return next((job for job in list_jobs(folder) if job.id == id), None)


def running_in(folder: Path, workspace: Path) -> Job | None:
    """The job that is writing into a workspace now; None if there is none."""
    wanted = workspace.resolve()
    candidates = (job for job in list_jobs(folder) if job.workspace.resolve() == wanted)
    return next((job for job in candidates if is_running(job)), None)


def cancel(job: Job, grace: float = GRACE) -> None:
    """Send SIGTERM to the job and return; after ``grace`` seconds, kill it.

    Finished shards are kept, and the next run continues from them.
    """
    if not is_running(job):
        return
    (job.folder / CANCELLED).touch()
    # Not SIGINT: processes that a script starts in the background ignore it.
    _signal(job, signal.SIGTERM)

    def kill_after_grace() -> None:
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline:
            if not is_running(job):
                return
            time.sleep(0.1)
        _signal(job, signal.SIGKILL)

    threading.Thread(target=kill_after_grace, daemon=True).start()


def resume(job: Job) -> Job:
    """Start the same command again; it continues where it stopped.

    Raises:
        CurationError: as ``start``.
    """
    return start(job.folder.parent, job.arguments, job.workspace, job.cwd)


def delete_record(job: Job) -> None:
    """Delete the record of a job that has ended; the workspace is not touched.

    Raises:
        CurationError: the job is running.
    """
    if is_running(job):
        raise CurationError(f"the job started {start_time(job)} is running; cancel it first")
    shutil.rmtree(job.folder, ignore_errors=True)


def _environment(home: Path) -> dict[str, str]:
    # The package must be importable from any working directory.
    paths = [str(resources.IMPORT_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        progress.VARIABLE: str(home / PROGRESS),
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
    }


def _signal(job: Job, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(job.pid, number)
