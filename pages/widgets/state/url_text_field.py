"""Text fields whose text is in the URL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import streamlit as st


def text_field(
    label: str,
    name: str,
    changed: Callable[[], None] | None = None,
    key: str | None = None,
    **settings: Any,
) -> str:
    """A text field that is in the URL as ``name``; the URL's text comes before the session's.

    Args:
        changed: called when someone edits the field, but not when a link fills it.
        key: of the widget; by default ``score_<name>``.
        settings: other arguments of ``st.text_input``.
    """
    key = key or f"score_{name}"
    text = st.query_params.get(name, st.session_state.get(key, ""))
    st.session_state[key] = text[: settings.get("max_chars")]
    st.text_input(
        label,
        key=key,
        on_change=_changed,
        args=(name, key, changed),
        persist_state="session",
        **settings,
    )
    _write(name, key)
    return tidy(st.session_state[key])


def tidy(text: str) -> str:
    """A path or a name without surrounding space, and with the home folder in full."""
    text = text.strip().replace("\0", "")
    try:
        return str(Path(text).expanduser()) if text.startswith("~") else text
    except RuntimeError:
        return text


def write_to_url(name: str, values: Sequence[str]) -> None:
    """Set a query parameter to these values, or remove it where there are none."""
    if values:
        st.query_params[name] = list(values)
    else:
        st.query_params.pop(name, None)


def _changed(name: str, key: str, then: Callable[[], None] | None) -> None:
    _write(name, key)
    if then is not None:
        then()


def _write(name: str, key: str) -> None:
    text = st.session_state[key]
    write_to_url(name, [text] if text.strip() else [])
