"""Loads what the first page shows while the server starts.

A browser takes most of a second to load Streamlit before it requests a page. Meanwhile a thread
imports the page's modules, reads its two scores, and counts its grid.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module

import streamlit as st

_LOG = logging.getLogger(__name__)


@asynccontextmanager
async def warm_up(_: st.App) -> AsyncIterator[None]:
    """The lifespan of the app: the server answers at once, and a thread loads the first page."""
    threading.Thread(target=_load, daemon=True).start()
    yield


def _load() -> None:
    try:
        _load_first_page()
    # Best effort: the page reports the error itself.
    except Exception as error:
        _LOG.warning("Could not load the first page ahead of time: %s", error)


def _load_first_page() -> None:
    # Imported here, so that the server starts before them.
    from curation.analysis import quadrants
    from pages.widgets.app import shell
    from pages.widgets.quadrants import thresholds

    catalog = shell.first_catalog()
    if catalog is None or len(catalog.numbers) < 2:
        return
    axes = thresholds.starts(catalog)
    # In another thread, while this one imports.
    catalog.cache.preload(axes, wait=False)
    caches = import_module("pages.widgets.state.caches")
    import_module("pages.widgets.quadrants.sample_lists")
    quadrants.lines(catalog, *axes, thresholds.START, thresholds.START)
    caches.grid(catalog, *axes)
