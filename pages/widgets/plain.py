"""Text from datasets, shown where Streamlit would read Markdown.

A caption or a column's name comes from strangers: read as Markdown, it could make a curator's
browser fetch an image from anywhere.
"""

from __future__ import annotations

import re

import streamlit as st

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~<>$:\-])")


def plain(text: object) -> str:
    """The text with every character that Markdown knows escaped."""
    return _SPECIAL.sub(r"\\\1", str(text))


def problem(error: Exception) -> None:
    """What went wrong, in place, in the backend's own words."""
    st.error(plain(error))
