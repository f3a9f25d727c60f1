"""Look-ups that all sessions share.

What depends on the catalog alone is cached until the catalog changes. What also depends on files
beside it (images, targets, saved selections) is cached for five minutes.
"""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from curation.analysis import distribution as distributions
from curation.analysis import grid as grids
from curation.analysis import label_auc, neighbors
from curation.analysis.distribution import Distribution
from curation.analysis.embedding_store import Side
from curation.analysis.grid import Grid, Scale
from curation.analysis.label_auc import LabelResult
from curation.analysis.neighbors import Confused, NearestItems
from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.images import large
from curation.selection.decisions import Decisions
from curation.selection.recipe import Recipe
from curation.selection.select import select
from curation.storage import locations
from curation.storage.workspace import Workspace

Zoom = tuple[float, float, float, float]

_SECONDS = 300


def catalog_key(catalog: Catalog) -> str:
    """A cache key that differs for a catalog and the one that replaces it at the same path."""
    return f"{catalog.path} {id(catalog)} {catalog.dataset.published}"


def _axes(over: Grid) -> str:
    return str([(axis.score, axis.scale, axis.start, axis.end) for axis in (over.x, over.y)])


def grid(
    catalog: Catalog, x: str, y: str, scale: Scale = "value", zoom: Zoom | None = None
) -> Grid:
    """The 2-D histogram of two scores."""
    # Streamlit's cache key leaves defaults out, so pass every argument.
    return _grid(catalog, x, y, scale, zoom)


@st.cache_resource(max_entries=32, show_spinner=False, hash_funcs={Catalog: catalog_key})
def _grid(catalog: Catalog, x: str, y: str, scale: Scale, zoom: Zoom | None) -> Grid:
    return grids.grid(catalog, x, y, scale, zoom)


@st.cache_resource(
    max_entries=16, show_spinner=False, hash_funcs={Catalog: catalog_key, Grid: _axes}
)
def mean(catalog: Catalog, over: Grid, score: str) -> NDArray[np.float32]:
    """The mean of a third score in each cell of a grid."""
    return grids.mean(catalog, over, catalog.array(score))


@st.cache_resource(
    max_entries=16,
    ttl=_SECONDS,
    show_spinner=False,
    hash_funcs={Catalog: catalog_key, Grid: _axes, Recipe: Recipe.to_yaml},
)
def share(
    catalog: Catalog, over: Grid, recipe: Recipe, _decisions: Decisions
) -> NDArray[np.float32]:
    """The share of each cell of a grid that a recipe keeps.

    Raises:
        CurationError: as ``selection.select``.
    """
    kept = select(recipe, catalog, _decisions).mask
    return grids.mean(catalog, over, kept.astype(np.float32))


@st.cache_resource(max_entries=256, show_spinner=False, hash_funcs={Catalog: catalog_key})
def distribution(catalog: Catalog, name: str) -> Distribution:
    """The histogram, range and median of a column."""
    return distributions.distribution(catalog, name)


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs={Catalog: catalog_key})
def judge(catalog: Catalog, label: str, keep: float) -> list[LabelResult]:
    """How well each score separates the samples that have a label."""
    return label_auc.judge_scores(catalog, label, keep)


@st.cache_resource(
    max_entries=256,
    ttl=_SECONDS,
    show_spinner="Comparing with every sample …",
    hash_funcs={Catalog: catalog_key},
)
def confused(_workspace: Workspace, catalog: Catalog, rowid: int, side: Side) -> Confused:
    """What fits one side of a sample better, or nearly as well, as its own other side.

    Raises:
        CurationError: as ``neighbors.most_confused``.
    """
    return neighbors.most_confused(_workspace, catalog, rowid, side)


@st.cache_resource(
    max_entries=256, ttl=_SECONDS, show_spinner=False, hash_funcs={Catalog: catalog_key}
)
def nearest(_workspace: Workspace, catalog: Catalog, rowid: int, target: str) -> NearestItems:
    """The items of a target that are nearest to a sample's image.

    Raises:
        CurationError: as ``neighbors.nearest_items``.
    """
    return neighbors.nearest_items(_workspace, catalog, rowid, target)


@st.cache_resource(
    max_entries=64, ttl=_SECONDS, show_spinner=False, hash_funcs={Catalog: catalog_key}
)
def picture(catalog: Catalog, rowid: int, from_the_web: bool) -> tuple[bytes | None, str]:
    """A sample's image as JPEG bytes and "", or None and the reason why there is no image."""
    (row,) = catalog.rows([rowid])
    try:
        root = locations.parse(catalog.dataset.image_root)
        return large.load(root, row, from_the_web), ""
    except CurationError as error:
        return None, str(error)
