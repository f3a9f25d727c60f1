"""A gallery: samples as cards, each a thumbnail with caption and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from curation import formatting
from curation.catalog.catalog import Catalog
from curation.catalog.columns import ColumnInfo
from curation.images import fetch, location, thumbnails
from curation.storage import locations
from curation.storage.workspace import Workspace
from pages.widgets.gallery import cards, web_images
from pages.widgets.state.url import number

PAGE = 24

# What a card shows, and where its picture lies.
PICTURED = ("uid", "caption", *location.COLUMNS)

Extra = Mapping[str, Sequence[float] | NDArray[np.floating[Any]]]


def show(
    workspace: Workspace,
    catalog: Catalog,
    rowids: Sequence[int] | NDArray[np.integer[Any]],
    scores: Sequence[str],
    empty: str = "No samples.",
    extra: Extra | None = None,
    is_row: bool = False,
) -> None:
    """The samples as cards, in this order, each with these scores.

    Args:
        extra: more numbers by their titles, a value a sample: told before the scores.
        is_row: they are six at the most, beside each other.
    """
    if not len(rowids):
        st.info(empty, icon=":material/image_not_supported:")
        return
    columns = [catalog.column(name) for name in scores]
    asked = [*PICTURED, *(c.name for c in (*columns, *catalog.labels))]
    # A catalog of an earlier version lacks some of them.
    rows = catalog.rows(rowids, [c for c in dict.fromkeys(asked) if c in catalog.columns])
    pictures = _pictures(workspace, catalog, rows)
    shown = []
    for place, (row, picture) in enumerate(zip(rows, pictures, strict=True)):
        more = {title: formatting.score(float(of[place])) for title, of in (extra or {}).items()}
        told = [cards.score(title, value) for title, value in more.items()]
        told += [_standing(catalog, column, row[column.name]) for column in columns]
        frame = cards.frame(picture, _nothing(row))
        labels = [label.title for label in catalog.labels if row[label.name]]
        shown.append(cards.card(row["caption"], frame, "".join(told), row["uid"], labels))
    body = cards.grid(shown, "row" if is_row else "", "" if any(pictures) else "bare")
    cards.markable(workspace, [str(row["uid"]) for row in rows], body)


def paged(
    workspace: Workspace,
    catalog: Catalog,
    rowids: NDArray[np.integer[Any]],
    scores: Sequence[str],
    key: str,
    total: int,
    empty: str = "No samples.",
    extra: Extra | None = None,
) -> None:
    """The samples a page at a time; says so where they are only some of ``total``.

    The page's number is in the URL as ``key``.
    """
    pages = max(1, -(-len(rowids) // PAGE))
    page = 1
    if pages > 1:
        with st.container(horizontal=True, vertical_alignment="center"):
            # Fewer pages than before: begin again.
            if st.session_state.get(key, 1) > pages:
                st.session_state[key] = 1
            page = int(
                number(
                    "Page",
                    key,
                    1.0,
                    1.0,
                    float(pages),
                    0,
                    step=1.0,
                    width=150,
                    label_visibility="collapsed",
                )
            )
            some = f"{formatting.count(len(rowids))} of " if len(rowids) < total else ""
            st.caption(
                f"Page {page} of {formatting.count(pages)} · "
                f"{some}{formatting.count(total)} samples"
            )
    part = slice((page - 1) * PAGE, page * PAGE)
    more = {title: values[part] for title, values in (extra or {}).items()}
    show(workspace, catalog, rowids[part], scores, empty, more)


def _pictures(
    workspace: Workspace, catalog: Catalog, rows: Sequence[dict[str, Any]]
) -> list[bytes | None]:
    root = locations.parse(catalog.dataset.image_root)
    if not (web_images.is_on() and any(_is_on_the_web(row) for row in rows)):
        return thumbnails.load(workspace, root, rows)
    with st.spinner("Fetching images from the web …"):
        return thumbnails.load(workspace, root, rows, from_the_web=True)


def _is_on_the_web(row: Mapping[str, Any]) -> bool:
    return row["image_file"] is None and row.get("url") is not None


def _standing(catalog: Catalog, column: ColumnInfo, value: Any) -> str:
    """A score and its position in the ranking: top 12 %, bottom 3 %."""
    position = ""
    if value is not None and column.is_number:
        ranks = catalog.ranks(column.name)
        position = _position(ranks.count_below(value), len(ranks))
    return cards.score(column.title, formatting.score(value), position)


def _position(lower: int, total: int) -> str:
    """The share of the nearer end of a ranking in which ``lower`` of ``total`` score lower."""
    if 2 * lower >= total:
        return formatting.top(100 * (1 - lower / total))
    return formatting.top(100 * (lower + 1) / total).replace("top", "bottom")


def _nothing(row: Mapping[str, Any]) -> str:
    """What stands in the place of a picture; an address never as a link, or the browser asks."""
    if not _is_on_the_web(row):
        told = "Image not found" if row["image_file"] else "No image"
        return f"<div class='frame none'><span>{told}</span></div>"
    url = str(row["url"])
    told, more = "Image on the web", url
    if web_images.is_on():
        told, more = "Not reachable", thumbnails.failure(url) or url
    return (
        f"<div class='frame none' title='{escape(more)}'><span>{told}</span>"
        f"<span class='host'>{escape(fetch.host(url))}</span></div>"
    )
