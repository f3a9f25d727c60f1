"""What depends on a catalog alone, worked out once for all visitors."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from curation.analysis import distribution as distributions
from curation.analysis import grid as grids
from curation.analysis import label_auc
from curation.analysis.distribution import Distribution
from curation.analysis.grid import Grid, Scale
from curation.analysis.label_auc import LabelResult
from curation.catalog.catalog import Catalog
from curation.selection.decisions import Decisions
from curation.selection.recipe import Recipe
from curation.selection.select import select

Zoom = tuple[float, float, float, float]


def grid(
    catalog: Catalog, x: str, y: str, scale: Scale = "value", zoom: Zoom | None = None
) -> Grid:
    """How many samples lie where over two scores."""
    return _grid(catalog, catalog_key(catalog), x, y, scale, zoom)


def mean(catalog: Catalog, over: Grid, score: str) -> NDArray[np.float32]:
    """The mean of a third score in each cell of a grid's picture."""
    return _mean(catalog, over, catalog_key(catalog), _axes(over), score)


def share(
    catalog: Catalog, over: Grid, recipe: Recipe, decisions: Decisions
) -> NDArray[np.float32]:
    """What share of each cell of a grid's picture a recipe keeps.

    Raises:
        CurationError: as ``selection.select``.
    """
    return _share(
        catalog, over, recipe, decisions, catalog_key(catalog), _axes(over), recipe.to_yaml()
    )


def distribution(catalog: Catalog, name: str) -> Distribution:
    """How a column is spread."""
    return _distribution(catalog, catalog_key(catalog), name)


def judge(catalog: Catalog, label: str, keep: float) -> list[LabelResult]:
    """Every score against a label."""
    return _judge(catalog, catalog_key(catalog), label, keep)


def _axes(over: Grid) -> tuple[object, ...]:
    return tuple((a.score, a.scale, a.start, a.end) for a in (over.x, over.y))


def catalog_key(catalog: Catalog) -> str:
    """What tells a catalog from the one that it replaced, for these and others' caches."""
    # It is another object; both have the path.
    return f"{catalog.path} {id(catalog)} {catalog.dataset.published}"


@st.cache_resource(max_entries=32, show_spinner=False)
def _grid(_catalog: Catalog, key: str, x: str, y: str, scale: Scale, zoom: Zoom | None) -> Grid:
    return grids.grid(_catalog, x, y, scale, zoom)


@st.cache_resource(max_entries=16, show_spinner=False)
def _mean(
    _catalog: Catalog, _over: Grid, key: str, axes: object, score: str
) -> NDArray[np.float32]:
    return grids.mean(_catalog, _over, _catalog.array(score))


# For a while only: the lists that a recipe refers to may change.
@st.cache_resource(max_entries=16, ttl=300, show_spinner=False)
def _share(
    _catalog: Catalog,
    _over: Grid,
    _recipe: Recipe,
    _decisions: Decisions,
    key: str,
    axes: object,
    recipe: str,
) -> NDArray[np.float32]:
    kept = select(_recipe, _catalog, _decisions).mask
    return grids.mean(_catalog, _over, kept.astype(np.float32))


@st.cache_resource(max_entries=256, show_spinner=False)
def _distribution(_catalog: Catalog, key: str, name: str) -> Distribution:
    return distributions.distribution(_catalog, name)


@st.cache_resource(max_entries=16, show_spinner=False)
def _judge(_catalog: Catalog, key: str, label: str, keep: float) -> list[LabelResult]:
    return label_auc.judge_scores(_catalog, label, keep)
