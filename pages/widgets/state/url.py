"""Widgets whose state is in the URL, and outlives a change of page.

Streamlit can bind a widget to a query parameter itself, but puts a choice's label there (links
should say ``x=neg_clip_loss``, whatever its title is tomorrow) and lets no callback set the value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import streamlit as st

# Within float32.
_LARGEST = 1e30

T = TypeVar("T", bound=str)


def choose(
    widget: Callable[..., Any],
    label: str,
    options: Mapping[T, str] | Sequence[T],
    key: str,
    start: T | None = None,
    always: bool = False,
    **settings: Any,
) -> T:
    """A selectbox or segmented control whose option is in the URL as ``key``.

    ``options`` maps what the URL says to what people read. ``start`` is the option to begin
    with, by default the first; the URL leaves it out unless ``always`` says that it may be
    another one tomorrow. The choice outlives a change of page.
    """
    names = list(options)
    first = names[0] if start is None else start
    if isinstance(options, Mapping):
        settings["format_func"] = options.__getitem__
    # Set on every run: what no one has touched yet would be lost with the change of page.
    st.session_state[key] = current(key, names, first)
    chosen: T = widget(label, names, key=key, persist_state="session", **settings)
    _tell(key, chosen, chosen == first and not always)
    return chosen


def current(key: str, names: Sequence[T], first: T) -> T:
    """What ``choose`` is about to show: what was chosen, else what the URL asks for."""
    wanted = (st.session_state.get(key), st.query_params.get(key))
    return next((name for asked in wanted for name in names if name == asked), first)


def number(
    label: str, key: str, start: float, low: float, high: float, digits: int, **settings: Any
) -> float:
    """A number field from ``low`` to ``high``, in the URL as ``key`` unless it is ``start``."""
    known = st.session_state.get(key)
    now = _parsed(st.query_params.get(key), start) if known is None else known
    st.session_state[key] = float(min(max(now, low), high))
    value = float(
        st.number_input(
            label, low, high, format=f"%.{digits}f", key=key, persist_state="session", **settings
        )
    )
    _tell(key, f"{value:.{digits}f}", round(value, digits) == round(start, digits))
    return value


def choose_many(
    widget: Callable[..., Any],
    label: str,
    options: Sequence[str],
    key: str,
    start: Sequence[str],
    **settings: Any,
) -> list[str]:
    """A multiselect whose options are in the URL as ``key``, once for each; as ``choose``."""
    known = st.session_state.get(key)
    wanted = st.query_params.get_all(key) if known is None else known
    # What a link or another workspace had need not be here.
    kept = [name for name in dict.fromkeys(wanted) if name in options]
    st.session_state[key] = list(start) if known is None and not kept else kept
    chosen: list[str] = widget(label, options, key=key, persist_state="session", **settings)
    if chosen != list(start):
        st.query_params[key] = chosen
    elif key in st.query_params:
        del st.query_params[key]
    return chosen


def numbers(key: str, count: int) -> tuple[float, ...] | None:
    """That many numbers in the URL as ``key``, with commas between; None where they are not.

    They outlive a change of page.
    """
    text = st.query_params.get(key) or st.session_state.get(f"{key}_kept") or ""
    try:
        found = tuple(map(float, text.split(",")))
    except ValueError:
        found = ()
    if len(found) != count or not all(abs(value) < _LARGEST for value in found):
        keep_numbers(key, None)
        return None
    keep_numbers(key, found)
    return found


def keep_numbers(key: str, values: Sequence[float] | None) -> None:
    """Put numbers into the URL as ``key``, or take them away."""
    text = None if values is None else ",".join(f"{value:.7g}" for value in values)
    st.session_state[f"{key}_kept"] = text
    if text is None:
        st.query_params.pop(key, None)
    elif st.query_params.get(key) != text:
        st.query_params[key] = text


def _tell(key: str, value: str, is_start: bool) -> None:
    if not is_start:
        st.query_params[key] = value
    elif key in st.query_params:
        del st.query_params[key]


def _parsed(text: str | None, start: float) -> float:
    try:
        value = float(text) if text is not None else start
    except ValueError:
        return start
    return value if math.isfinite(value) else start
