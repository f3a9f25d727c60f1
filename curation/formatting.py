"""Numbers, durations and paths as text, the same on every page and in the command line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path


def count(number: int) -> str:
    """12,345"""
    return f"{number:,}"


def plural(number: int, noun: str) -> str:
    """1 sample, 12,345 samples"""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def share(part: float, whole: float = 1.0) -> str:
    """12.3 %, with one decimal; — if ``whole`` is 0."""
    return f"{100 * part / whole:.1f} %" if whole else "—"


def top(percent: float) -> str:
    """top 12 %, top 0.3 %, top < 0.1 %: one decimal below 10 %."""
    text = f"{percent:.0f}" if percent >= 9.95 else f"{percent:.1f}"
    return "top < 0.1 %" if text == "0.0" else f"top {text} %"


def score(value: float | None) -> str:
    """0.287, −0.041; an integer as 1,024; — if it is missing."""
    if value is None or math.isnan(value):
        return "—"
    if isinstance(value, int):
        return count(value).replace("-", "−")
    return f"{value:.3f}".replace("-", "−")


def settings(parameters: Mapping[str, object] | None) -> str:
    """p=inf and 2, seed=0"""
    return ", ".join(f"{name}={_setting(value)}" for name, value in (parameters or {}).items())


def _setting(value: object) -> str:
    if isinstance(value, list):
        return " and ".join(map(_setting, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    """0.4 s, 12 s, 3 min 20 s, 2 h 05 min"""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def file_size(number: int) -> str:
    """812 B, 6.5 kB, 16 MB"""
    value = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"


def path(path: Path | str) -> str:
    """A path relative to the working directory if it is below it; a URL unchanged."""
    if "://" in str(path):
        return str(path)
    full = Path(path)
    return str(full.relative_to(Path.cwd())) if full.is_relative_to(Path.cwd()) else str(full)
