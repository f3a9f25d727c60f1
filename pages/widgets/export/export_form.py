"""The form that says how a selection is written: format, columns, samples per file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from curation.catalog.catalog import Catalog
from curation.exporters import EXPORTERS, datacomp, export
from curation.exporters.base import SHARD_SIZE
from pages.widgets.state.url import choose, choose_many, number


@dataclass(frozen=True)
class Form:
    """How a selection is written."""

    format: str
    columns: list[str]
    shard_size: int


def pick_form(catalog: Catalog) -> Form:
    """The fields of the format that is chosen; the URL has their values."""
    formats = {name: e.title for name, e in EXPORTERS.items()}
    format_ = choose(st.selectbox, "Format", formats, "format")
    exporter = EXPORTERS[format_]
    st.caption(f"{exporter.description[0].upper()}{exporter.description[1:]}.")
    names, defaults = list(catalog.columns), export.default_columns(catalog, format_)
    key, columns, shard_size = f"columns_{format_}", list(defaults), SHARD_SIZE
    # Each format has a parameter of its own for its columns.
    for other in [name for name in st.query_params if name.startswith("columns_") and name != key]:
        del st.query_params[other]
    if exporter.takes_columns == "any":
        columns = choose_many(st.multiselect, "Columns", names, key, defaults) or columns
    elif exporter.takes_columns == "one":
        columns = [choose(st.selectbox, "Column", names, key, defaults[0])]
    if exporter.takes_shard_size:
        shard_size = int(
            number("Samples per file", "shard_size", SHARD_SIZE, 1.0, 1e9, 0, step=1000.0)
        )
    return Form(format_, columns, shard_size)


def resharder(path: Path) -> None:
    """The command that makes shards of DataComp's uid list."""
    st.caption("DataComp's resharder writes new shards of these samples from the sorted uid list:")
    st.code(datacomp.resharder_command(path), language="bash", wrap_lines=True)
