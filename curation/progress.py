"""Progress of long work: bars on a terminal, or a file that the app reads."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Protocol

from tqdm import tqdm

from curation.storage.atomic import atomic

# The environment variable with the path of the file to report to.
VARIABLE = "CURATION_PROGRESS"

_EVERY = 0.2
# Rates are averaged over this many seconds.
_WINDOW = 20.0
_LINES = 200
# The name of ``Report.messages`` in the file.
_MESSAGES_KEY = "said"


class Bar(Protocol):
    def update(self, n: float = 1, /) -> bool | None: ...


class Progress:
    """Lines and bars on standard error, so that standard output stays for results."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet

    def say(self, line: str) -> None:
        if _reporter:
            _reporter.say(line)
        if not self.quiet:
            tqdm.write(line, file=sys.stderr)

    def warn(self, line: str) -> None:
        """Print a warning, even if quiet."""
        if _reporter:
            _reporter.warn(line)
        tqdm.write(f"WARNING: {line}", file=sys.stderr)

    @contextmanager
    def bar(self, label: str, total: int, unit: str = "sample") -> Iterator[Bar]:
        if _reporter:
            with _reporter.bar(label, total, unit) as bar:
                yield bar
            return
        with tqdm(
            total=total,
            desc=f"{label:<22}",
            unit=f" {unit}s",
            unit_scale=total > 100_000,
            disable=self.quiet,
            dynamic_ncols=True,
            mininterval=0.2,
        ) as bar:
            yield _OneAtATime(bar)


class _OneAtATime:
    """A bar that threads may share; tqdm alone loses some of their updates."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._lock = Lock()

    def update(self, n: float = 1, /) -> bool | None:
        with self._lock:
            return self._bar.update(n)


@dataclass(frozen=True)
class Report:
    """The progress of a command, as written to its file.

    Attributes:
        stage: the current stage; "" between two stages.
        done, total, unit: the progress of that stage.
        rate: recent units per second; None while unknown.
        finished: (stage, seconds) of each finished stage.
        messages, warnings: what the command printed, oldest first.
        exit: the exit code; None while the command runs.
        error: why it failed.
        ended: seconds since 1970; None while the command runs.
    """

    stage: str = ""
    done: int = 0
    total: int = 0
    unit: str = "sample"
    rate: float | None = None
    finished: tuple[tuple[str, float], ...] = ()
    messages: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    exit: int | None = None
    error: str | None = None
    ended: float | None = None

    @classmethod
    def load(cls, path: Path) -> Report:
        """Read the file; an empty report if it is missing or damaged."""
        try:
            held = dict(json.loads(path.read_bytes()))
            held["messages"] = held.pop(_MESSAGES_KEY)
            lists = {name: tuple(held[name]) for name in ("messages", "warnings")}
            finished = tuple((str(stage), float(spent)) for stage, spent in held["finished"])
            return cls(**{**held, **lists, "finished": finished})
        except (OSError, ValueError, TypeError, KeyError):
            return cls()


@contextmanager
def reporting() -> Iterator[None]:
    """Report the progress and the end of a block to the file that ``VARIABLE`` names, if it is set.

    The exit code is that of a SystemExit that leaves the block, and 1 for any other exception.
    """
    global _reporter
    path = os.environ.get(VARIABLE)
    if not path:
        yield
        return
    _reporter = _FileReporter(Path(path))
    code, error = 0, None
    try:
        yield
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else int(left.code is not None)
        raise
    except BaseException as problem:
        code, error = 1, f"{type(problem).__name__}: {problem}"
        raise
    finally:
        _reporter.close(code, error)
        _reporter = None


def report_failure(reason: str) -> None:
    """Write the reason for a failure to the file, if there is one."""
    if _reporter:
        _reporter.fail(reason)


class _FileReporter:
    """Collects the report, and writes it atomically a few times a second."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._report = Report()
        self._lock = Lock()
        self._is_new = True
        self._ended = threading.Event()
        self._write()
        # A thread writes, so that updates are cheap and the last one before a pause is written too.
        self._writer = threading.Thread(target=self._keep_writing, daemon=True)
        self._writer.start()

    def say(self, line: str) -> None:
        with self._lock:
            messages = (*self._report.messages, line)[-_LINES:]
            self._change(replace(self._report, messages=messages))

    def warn(self, line: str) -> None:
        with self._lock:
            self._change(replace(self._report, warnings=(*self._report.warnings, line)[-_LINES:]))

    def fail(self, reason: str) -> None:
        with self._lock:
            self._change(replace(self._report, error=reason))

    @contextmanager
    def bar(self, label: str, total: int, unit: str) -> Iterator[Bar]:
        began = time.perf_counter()
        with self._lock:
            self._change(
                replace(self._report, stage=label, done=0, total=int(total), unit=unit, rate=None)
            )
        yield _FileBar(self)
        spent = time.perf_counter() - began
        with self._lock:
            finished = (*self._report.finished, (label, round(spent, 3)))
            between = replace(self._report, stage="", done=0, total=0, rate=None)
            self._change(replace(between, finished=finished))

    def advance(self, done: float, rate: float | None) -> None:
        with self._lock:
            self._change(replace(self._report, done=int(done), rate=rate))

    def close(self, code: int, error: str | None) -> None:
        self._ended.set()
        self._writer.join()
        report = self._report
        self._change(replace(report, exit=code, error=report.error or error, ended=time.time()))
        self._write()

    def _change(self, report: Report) -> None:
        self._report, self._is_new = report, True

    def _keep_writing(self) -> None:
        while not self._ended.wait(_EVERY):
            self._write()

    def _write(self) -> None:
        with self._lock:
            report, is_new, self._is_new = self._report, self._is_new, False
        if not is_new:
            return
        # An error such as a full disk is left to the work itself to report.
        fields = asdict(report)
        fields[_MESSAGES_KEY] = fields.pop("messages")
        with suppress(Exception), atomic(self._path) as partial:
            partial.write_text(json.dumps(fields), encoding="utf-8")


class _FileBar:
    """Counts updates and measures their rate; threads may share it."""

    def __init__(self, teller: _FileReporter) -> None:
        self._reporter = teller
        self._lock = Lock()
        self._done = 0.0
        # The first update often counts the work of an earlier run, so rates start after it.
        self._steps: deque[tuple[float, float]] = deque()

    def update(self, n: float = 1, /) -> bool | None:
        with self._lock:
            now = time.perf_counter()
            self._done += n
            # Updates in quick succession count as one.
            if len(self._steps) > 1 and now - self._steps[-2][0] < _EVERY:
                self._steps.pop()
            self._steps.append((now, self._done))
            while len(self._steps) > 2 and now - self._steps[1][0] > _WINDOW:
                self._steps.popleft()
            (then, before) = self._steps[0]
            rate = (self._done - before) / (now - then) if now - then >= _EVERY else None
            self._reporter.advance(self._done, rate)
        return None


_reporter: _FileReporter | None = None
