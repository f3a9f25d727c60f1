"""Widgets whose state is in the URL and survives a change of page.

Streamlit can bind a widget to a query parameter itself, but it writes the label of an option into
the URL (links should say ``x=neg_clip_loss``, whatever the title is) and then no callback may set
the value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import streamlit as st

from curation import formatting

# Larger numbers do not fit into float32.
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

    Args:
        options: what the URL says, or a mapping from that to labels.
        start: the option to begin with; by default the first.
        always: whether the URL has the start option, too; so it should where the start may change.
        settings: other arguments of the widget.
    """
    names = list(options)
    first = names[0] if start is None else start
    if isinstance(options, Mapping):
        settings["format_func"] = options.__getitem__
    # Set on every run: Streamlit drops the value of an untouched widget when the page changes.
    st.session_state[key] = current(key, names, first)
    chosen: T = widget(label, names, key=key, persist_state="session", **settings)
    _write(key, chosen, chosen == first and not always)
    return chosen


def current(key: str, names: Sequence[T], first: T) -> T:
    """The option that ``choose`` is about to show: the session's, the URL's, or ``first``."""
    wanted = (st.session_state.get(key), st.query_params.get(key))
    return next((name for value in wanted for name in names if name == value), first)


def number(
    label: str, key: str, start: float, low: float, high: float, digits: int, **settings: Any
) -> float:
    """A number field from ``low`` to ``high``, in the URL as ``key`` unless it is ``start``."""
    known = st.session_state.get(key)
    now = _parse(st.query_params.get(key), start) if known is None else known
    st.session_state[key] = float(min(max(now, low), high))
    value = float(
        st.number_input(
            label, low, high, format=f"%.{digits}f", key=key, persist_state="session", **settings
        )
    )
    _write(key, f"{value:.{digits}f}", round(value, digits) == round(start, digits))
    return value


def page_number(key: str, items: int, size: int, total: str, label: str = "Page") -> int:
    """The page of a list that is in the URL as ``key``, counted from 0.

    Shows a field and "Page 2 of 9 · <total>" where the list has several pages of this size.
    """
    pages = -(-items // size)
    if pages <= 1:
        return 0
    # A shorter list begins at its first page again.
    if st.session_state.get(key, 1) > pages:
        st.session_state[key] = 1
    with st.container(horizontal=True, vertical_alignment="center"):
        page = number(
            label,
            key,
            1.0,
            1.0,
            float(pages),
            0,
            step=1.0,
            width=150,
            label_visibility="collapsed",
        )
        st.caption(f"Page {page:.0f} of {formatting.count(pages)} · {total}")
    return int(page) - 1


def choose_many(
    widget: Callable[..., Any],
    label: str,
    options: Sequence[str],
    key: str,
    start: Sequence[str],
    **settings: Any,
) -> list[str]:
    """A multiselect whose options are in the URL as ``key``, once for each; see ``choose``."""
    known = st.session_state.get(key)
    wanted = st.query_params.get_all(key) if known is None else known
    # A link, or another workspace, may name options that do not exist here.
    kept = [name for name in dict.fromkeys(wanted) if name in options]
    st.session_state[key] = list(start) if known is None and not kept else kept
    chosen: list[str] = widget(label, options, key=key, persist_state="session", **settings)
    if chosen != list(start):
        st.query_params[key] = chosen
    elif key in st.query_params:
        del st.query_params[key]
    return chosen


def numbers(key: str, count: int) -> tuple[float, ...] | None:
    """``count`` comma-separated numbers in the URL as ``key``; None where they are malformed.

    They survive a change of page.
    """
    text = st.query_params.get(key) or st.session_state.get(f"{key}_kept") or ""
    try:
        values = tuple(map(float, text.split(",")))
    except ValueError:
        values = ()
    if len(values) != count or not all(abs(value) < _LARGEST for value in values):
        keep_numbers(key, None)
        return None
    keep_numbers(key, values)
    return values


def keep_numbers(key: str, values: Sequence[float] | None) -> None:
    """Write numbers into the URL as ``key``, or remove them."""
    text = None if values is None else ",".join(f"{value:.7g}" for value in values)
    st.session_state[f"{key}_kept"] = text
    if text is None:
        st.query_params.pop(key, None)
    elif st.query_params.get(key) != text:
        st.query_params[key] = text


def _write(key: str, value: str, is_start: bool) -> None:
    if not is_start:
        st.query_params[key] = value
    elif key in st.query_params:
        del st.query_params[key]


def _parse(text: str | None, start: float) -> float:
    try:
        value = float(text) if text is not None else start
    except ValueError:
        return start
    return value if math.isfinite(value) else start
