"""Progress of long work, told to whoever is watching."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Protocol

from tqdm import tqdm


class Bar(Protocol):
    def update(self, n: float = 1, /) -> bool | None: ...


class Progress:
    """Lines and bars on standard error, so that standard output stays for results."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet

    def say(self, line: str) -> None:
        if not self.quiet:
            tqdm.write(line, file=sys.stderr)

    def warn(self, line: str) -> None:
        """Said even when quiet."""
        tqdm.write(f"WARNING: {line}", file=sys.stderr)

    @contextmanager
    def bar(self, label: str, total: int, unit: str = "sample") -> Iterator[Bar]:
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
