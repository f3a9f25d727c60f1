"""Text from datasets, shown where Streamlit would read Markdown.

A caption or a column's name comes from strangers: read as Markdown, it could make a curator's
browser fetch an image from anywhere.
"""

from __future__ import annotations

import re

import streamlit as st

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~<>$&:\-])")


def plain(text: object) -> str:
    """The text with every character that Markdown knows escaped."""
    return _SPECIAL.sub(r"\\\1", str(text))


def code(text: object) -> str:
    """The text as a span of code, which it cannot end by itself."""
    shown = str(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    # A space at either end is not shown, and keeps a backtick of the text's own off the fence.
    return f"{fence} {shown} {fence}" if "`" in shown else f"{fence}{shown}{fence}"


def show_error(error: Exception) -> None:
    """What went wrong, in place, in the backend's own words."""
    st.error(plain(error))
