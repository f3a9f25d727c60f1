"""Text from datasets, escaped for the widgets in which Streamlit renders Markdown.

A caption or a column name comes from strangers. Rendered as Markdown, it could make the browser
fetch an image from anywhere.
"""

from __future__ import annotations

import re

import streamlit as st

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~<>$&:\-])")


def plain(text: object) -> str:
    """The text with every special character of Markdown escaped."""
    return _SPECIAL.sub(r"\\\1", str(text))


def code(text: object) -> str:
    """The text as an inline code span; backticks in the text do not end the span."""
    shown = str(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    # Markdown strips one space at either end; it keeps backticks of the text off the fence.
    return f"{fence} {shown} {fence}" if "`" in shown else f"{fence}{shown}{fence}"


def show_error(error: Exception) -> None:
    """Show an error of the backend in its own words."""
    st.error(plain(error))
