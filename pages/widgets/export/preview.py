"""A preview of an export and an estimate of its size, before anything is written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.exporters import trial
from curation.exporters.base import Preview
from curation.exporters.trial import Size
from curation.images import decode
from curation.selection.select import Selection
from pages.widgets.app.html import data_url
from pages.widgets.app.markdown import show_error
from pages.widgets.state import caches

# Characters of a line or a cell.
_LONGEST = 2000
_SIDE = 96
_REMOTE_IMAGES = (
    "The images are not on this machine; they are fetched during the export. Fields written with "
    "each image:"
)


def size(
    catalog: Catalog, selection: Selection, format_: str, columns: Sequence[str], shard_size: int
) -> Size | None:
    """The estimated size of the files; None where it cannot be known before they are written."""
    key = _key(catalog, selection)
    try:
        return _size(catalog, selection, key, format_, tuple(columns), shard_size)
    except CurationError:
        # The preview says why.
        return None


def preview(
    catalog: Catalog, selection: Selection, format_: str, columns: Sequence[str], shard_size: int
) -> None:
    """Show the first samples as the format writes them."""
    st.subheader("Preview", anchor=False)
    key = _key(catalog, selection)
    try:
        look = _look(catalog, selection, key, format_, tuple(columns), shard_size)
    except CurationError as error:
        show_error(error)
        return
    if look is None:
        st.caption(_REMOTE_IMAGES)
        rows = catalog.rows(selection.mask.nonzero()[0][: trial.SHOWN])
        look = Preview(rows=tuple({name: row[name] for name in columns} for row in rows))
    if look.lines:
        st.code("\n".join(_cut(line) for line in look.lines), language=None)
        return
    pictures = {look.image: st.column_config.ImageColumn(width="small")} if look.image else {}
    st.dataframe(
        [_cells(row, look.image) for row in look.rows],
        hide_index=True,
        column_config=pictures,
        row_height=64 if look.image else None,
    )


def _cells(row: Mapping[str, Any], image: str) -> dict[str, Any]:
    """A row for a table: its image as a thumbnail, other bytes as hex digits."""
    cells = {}
    for name, value in row.items():
        if name == image:
            cells[name] = data_url(decode.thumbnail(value, _SIDE))
        elif isinstance(value, bytes):
            cells[name] = _cut(value.hex())
        else:
            cells[name] = _cut(value) if isinstance(value, str) else value
    return cells


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"


def _key(catalog: Catalog, selection: Selection) -> str:
    chosen = hashlib.blake2b(selection.copies.tobytes()).hexdigest()
    return f"{caches.catalog_key(catalog)} {chosen}"


@st.cache_resource(max_entries=64, show_spinner=False)
def _size(
    _catalog: Catalog,
    _selection: Selection,
    key: str,
    format_: str,
    columns: tuple[str, ...],
    shard_size: int,
) -> Size | None:
    return trial.estimate_size(_catalog, _selection, format_, columns, shard_size)


@st.cache_resource(max_entries=64, show_spinner=False)
def _look(
    _catalog: Catalog,
    _selection: Selection,
    key: str,
    format_: str,
    columns: tuple[str, ...],
    shard_size: int,
) -> Preview | None:
    return trial.preview(_catalog, _selection, format_, columns, shard_size)
