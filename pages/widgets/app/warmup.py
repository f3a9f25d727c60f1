"""What the first visitor will most likely ask for, made ready while the server starts.

A browser takes most of a second to load Streamlit before it asks for a page: time enough to read
the two scores that the first page shows, and to import what it needs.
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
async def getting_ready(_: st.App) -> AsyncIterator[None]:
    """The server's lifespan: it answers at once, and gets ready beside that."""
    threading.Thread(target=_get_ready, daemon=True).start()
    yield


def _get_ready() -> None:
    try:
        _read()
    # Whatever it is, a page says it to whoever asks for what cannot be read.
    except Exception as error:
        _LOG.warning("The first page could not be made ready: %s", error)


def _read() -> None:
    # Not above: the server would wait for them.
    from curation.analysis import quadrants
    from pages.widgets.app import shell
    from pages.widgets.quadrants import thresholds

    catalog = shell.first_catalog()
    if catalog is None or len(catalog.numbers) < 2:
        return
    axes = thresholds.starts(catalog)
    # Read beside the imports, which leave a core to it.
    catalog.cache.preload(axes, wait=False)
    cached = import_module("pages.widgets.state.caches")
    import_module("pages.widgets.quadrants.sample_lists")
    quadrants.lines(catalog, *axes, thresholds.START, thresholds.START)
    cached.grid(catalog, *axes)
