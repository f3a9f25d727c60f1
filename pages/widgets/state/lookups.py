"""What the Sample page looks up, kept for a while: a moved threshold need not look again."""

from __future__ import annotations

import streamlit as st

from curation.analysis import neighbors
from curation.analysis.embedding_store import Side
from curation.analysis.neighbors import Confused, NearestItems
from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.images import large
from curation.storage import locations
from curation.storage.workspace import Workspace
from pages.widgets.state import caches

# Seconds: an image, or a target, may be another one tomorrow.
_KEPT = 300


def confused(workspace: Workspace, catalog: Catalog, rowid: int, side: Side) -> Confused:
    """Raises:
    CurationError: as ``neighbors.most_confused``.
    """
    return _confused(workspace, catalog, caches.catalog_key(catalog), rowid, side)


def nearest(workspace: Workspace, catalog: Catalog, rowid: int, target: str) -> NearestItems:
    """Raises:
    CurationError: as ``neighbors.nearest_items``.
    """
    return _nearest(workspace, catalog, caches.catalog_key(catalog), rowid, target)


def picture(catalog: Catalog, rowid: int, from_the_web: bool) -> tuple[bytes | None, str]:
    """A sample's picture, or None and why there is none."""
    return _picture(catalog, caches.catalog_key(catalog), rowid, from_the_web)


@st.cache_resource(max_entries=256, ttl=_KEPT, show_spinner="Comparing with every sample …")
def _confused(
    _workspace: Workspace, _catalog: Catalog, key: str, rowid: int, side: Side
) -> Confused:
    return neighbors.most_confused(_workspace, _catalog, rowid, side)


@st.cache_resource(max_entries=256, ttl=_KEPT, show_spinner=False)
def _nearest(
    _workspace: Workspace, _catalog: Catalog, key: str, rowid: int, target: str
) -> NearestItems:
    return neighbors.nearest_items(_workspace, _catalog, rowid, target)


@st.cache_resource(max_entries=64, ttl=_KEPT, show_spinner=False)
def _picture(
    _catalog: Catalog, key: str, rowid: int, from_the_web: bool
) -> tuple[bytes | None, str]:
    (row,) = _catalog.rows([rowid])
    try:
        root = locations.parse(_catalog.dataset.image_root)
        return large.load(root, row, from_the_web), ""
    except CurationError as problem:
        return None, str(problem)
