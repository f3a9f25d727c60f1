"""The switch that lets the server fetch images whose location is a web address."""

from __future__ import annotations

import streamlit as st

from curation.catalog.catalog import Catalog
from curation.images import fetch

_KEY = "web_images"


def switch(catalog: Catalog) -> None:
    """Show the switch in the sidebar where the catalog has such images."""
    if not catalog.images.only_url:
        return
    # In the session and not in the URL: a shared link must not fetch anything. Set on every run,
    # so that it survives a change of page.
    st.session_state[_KEY] = is_on()
    with st.sidebar:
        st.toggle(
            "Show images from the web",
            key=_KEY,
            persist_state="session",
            help="The server, not your browser, fetches each image shown (at most "
            f"{fetch.LIMIT / 1e6:g} MB and {fetch.TIMEOUT:g} s) and caches a thumbnail.",
        )


def is_on() -> bool:
    return bool(st.session_state.get(_KEY, False))
