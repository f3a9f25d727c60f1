"""Progress of long work, told to whoever is watching: a terminal, and a file for the app."""

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

# Names the file that a command tells its progress to.
VARIABLE = "CURATION_PROGRESS"

_EVERY = 0.2
# Rates are of the last so many seconds.
_WINDOW = 20.0
_LINES = 200


class Bar(Protocol):
    def update(self, n: float = 1, /) -> bool | None: ...


class Progress:
    """Lines and bars on standard error, so that standard output stays for results."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet

    def say(self, line: str) -> None:
        if _teller:
            _teller.say(line)
        if not self.quiet:
            tqdm.write(line, file=sys.stderr)

    def warn(self, line: str) -> None:
        """Said even when quiet."""
        if _teller:
            _teller.warn(line)
        tqdm.write(f"WARNING: {line}", file=sys.stderr)

    @contextmanager
    def bar(self, label: str, total: int, unit: str = "sample") -> Iterator[Bar]:
        if _teller:
            with _teller.bar(label, total, unit) as told:
                yield told
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
    """A bar that several threads move: tqdm alone would lose some of their steps."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._lock = Lock()

    def update(self, n: float = 1, /) -> bool | None:
        with self._lock:
            return self._bar.update(n)


@dataclass(frozen=True)
class Report:
    """What a command told of itself so far; times are seconds since 1970.

    Attributes:
        stage: what it is at; "" between two stages.
        rate: units a second, of late; None while it cannot be told.
        finished: (stage, seconds) of what is done.
        exit: the exit code, once it has ended.
        error: why it failed.
    """

    stage: str = ""
    done: int = 0
    total: int = 0
    unit: str = "sample"
    rate: float | None = None
    finished: tuple[tuple[str, float], ...] = ()
    said: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    exit: int | None = None
    error: str | None = None
    ended: float | None = None

    @classmethod
    def load(cls, path: Path) -> Report:
        """What the file holds; nothing where there is none yet, or the power cut it off."""
        try:
            held = json.loads(path.read_bytes())
            lists = {name: tuple(held[name]) for name in ("said", "warnings")}
            finished = tuple((str(stage), float(spent)) for stage, spent in held["finished"])
            return cls(**{**held, **lists, "finished": finished})
        except (OSError, ValueError, TypeError, KeyError):
            return cls()


@contextmanager
def reporting() -> Iterator[None]:
    """A block whose progress and end go to the file that the environment names, if it does.

    The exit code is that of the SystemExit or the error that leaves the block.
    """
    global _teller
    path = os.environ.get(VARIABLE)
    if not path:
        yield
        return
    _teller = _Teller(Path(path))
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
        _teller.close(code, error)
        _teller = None


def report_failure(reason: str) -> None:
    """Tell the file, if there is one, why the command is about to end."""
    if _teller:
        _teller.fail(reason)


class _Teller:
    """Keeps what is told, and writes it to a file a few times a second, whole or not at all."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told = Report()
        self._lock = Lock()
        self._is_new = True
        self._ended = threading.Event()
        self._write()
        # A step of a bar costs no file; and the last one before a pause is written too.
        self._writer = threading.Thread(target=self._keep_writing, daemon=True)
        self._writer.start()

    def say(self, line: str) -> None:
        with self._lock:
            self._change(replace(self._told, said=(*self._told.said, line)[-_LINES:]))

    def warn(self, line: str) -> None:
        with self._lock:
            self._change(replace(self._told, warnings=(*self._told.warnings, line)[-_LINES:]))

    def fail(self, reason: str) -> None:
        with self._lock:
            self._change(replace(self._told, error=reason))

    @contextmanager
    def bar(self, label: str, total: int, unit: str) -> Iterator[Bar]:
        began = time.perf_counter()
        with self._lock:
            self._change(
                replace(self._told, stage=label, done=0, total=int(total), unit=unit, rate=None)
            )
        yield _ToldBar(self)
        spent = time.perf_counter() - began
        with self._lock:
            finished = (*self._told.finished, (label, round(spent, 3)))
            between = replace(self._told, stage="", done=0, total=0, rate=None)
            self._change(replace(between, finished=finished))

    def advance(self, done: float, rate: float | None) -> None:
        with self._lock:
            self._change(replace(self._told, done=int(done), rate=rate))

    def close(self, code: int, error: str | None) -> None:
        self._ended.set()
        self._writer.join()
        told = self._told
        self._change(replace(told, exit=code, error=told.error or error, ended=time.time()))
        self._write()

    def _change(self, told: Report) -> None:
        self._told, self._is_new = told, True

    def _keep_writing(self) -> None:
        while not self._ended.wait(_EVERY):
            self._write()

    def _write(self) -> None:
        with self._lock:
            told, is_new, self._is_new = self._told, self._is_new, False
        if not is_new:
            return
        # A full disk stops the work where the work is written, not here.
        with suppress(Exception), atomic(self._path) as partial:
            partial.write_text(json.dumps(asdict(told)), encoding="utf-8")


class _ToldBar:
    """Counts, and says how fast; threads may share it."""

    def __init__(self, teller: _Teller) -> None:
        self._teller = teller
        self._lock = Lock()
        self._done = 0.0
        # The first step is often what an earlier run did: how long it took says nothing.
        self._steps: deque[tuple[float, float]] = deque()

    def update(self, n: float = 1, /) -> bool | None:
        with self._lock:
            now = time.perf_counter()
            self._done += n
            # Steps that come close together count as one.
            if len(self._steps) > 1 and now - self._steps[-2][0] < _EVERY:
                self._steps.pop()
            self._steps.append((now, self._done))
            while len(self._steps) > 2 and now - self._steps[1][0] > _WINDOW:
                self._steps.popleft()
            (then, before) = self._steps[0]
            rate = (self._done - before) / (now - then) if now - then >= _EVERY else None
            self._teller.advance(self._done, rate)
        return None


_teller: _Teller | None = None
