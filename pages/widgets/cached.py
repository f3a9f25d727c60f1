"""What depends on a catalog alone, worked out once for all visitors."""

from __future__ import annotations

import streamlit as st

from curation import labels, quadrants
from curation.catalog import Catalog
from curation.labels import LabelResult
from curation.quadrants import Density


def density(catalog: Catalog, x: str, y: str) -> Density:
    """The density of all samples over two scores."""
    return _density(catalog, _key(catalog), x, y)


def judge(catalog: Catalog, label: str, keep: float) -> list[LabelResult]:
    """Every score against a label."""
    return _judge(catalog, _key(catalog), label, keep)


def _key(catalog: Catalog) -> str:
    # A catalog that replaced another is another object; both have the path.
    return f"{catalog.path} {id(catalog)} {catalog.dataset.published}"


@st.cache_resource(max_entries=64, show_spinner=False)
def _density(_catalog: Catalog, key: str, x: str, y: str) -> Density:
    return quadrants.density(_catalog, x, y)


@st.cache_resource(max_entries=16, show_spinner=False)
def _judge(_catalog: Catalog, key: str, label: str, keep: float) -> list[LabelResult]:
    return labels.judge(_catalog, label, keep)
