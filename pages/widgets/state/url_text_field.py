"""Text fields that are in the URL, under keys of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import streamlit as st


def field(label: str, name: str, changed: Callable[[], None] | None = None, **settings: Any) -> str:
    """A text field that is in the URL as ``name``; what a link says counts first.

    ``changed`` is called when someone edits it, not when a link fills it.
    """
    key = f"score_{name}"
    st.session_state[key] = st.query_params.get(name, st.session_state.get(key, ""))
    st.text_input(
        label,
        key=key,
        on_change=_changed,
        args=(name, changed),
        persist_state="session",
        **settings,
    )
    _tell(name)
    return tidy(st.session_state[key])


def tidy(text: str) -> str:
    """A path or a name as it was meant: no space around it, the home folder in full."""
    text = text.strip().replace("\0", "")
    try:
        return str(Path(text).expanduser()) if text.startswith("~") else text
    except RuntimeError:
        return text


def in_url(name: str, values: Sequence[str]) -> None:
    """Have the URL say these values, or nothing where there are none."""
    if values:
        st.query_params[name] = list(values)
    else:
        st.query_params.pop(name, None)


def _changed(name: str, then: Callable[[], None] | None) -> None:
    _tell(name)
    if then is not None:
        then()


def _tell(name: str) -> None:
    text = st.session_state[f"score_{name}"]
    in_url(name, [text] if text.strip() else [])
