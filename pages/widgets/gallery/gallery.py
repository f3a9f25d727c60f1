"""A gallery: samples as cards, each with a thumbnail, its caption and its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from curation import formatting
from curation.catalog.catalog import Catalog, Mask
from curation.catalog.columns import ColumnInfo
from curation.images import fetch, location, thumbnails
from curation.storage import locations
from curation.storage.workspace import Workspace
from pages.widgets.app.html import Html
from pages.widgets.gallery import cards, web_images
from pages.widgets.state.url import page_number

PAGE = 24
_SEED = 0

# The columns that a card needs, besides scores and labels.
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
    """Show samples as cards, in the order given, each with these scores.

    Args:
        extra: more numbers by title, one value per sample; they come before the scores.
        is_row: show one row of at most six cards.
    """
    if not len(rowids):
        st.info(empty, icon=":material/image_not_supported:")
        return
    columns = [catalog.column(name) for name in scores]
    names = [*PICTURED, *(c.name for c in (*columns, *catalog.labels))]
    # A catalog of an earlier version lacks some of the columns.
    rows = catalog.rows(rowids, [c for c in dict.fromkeys(names) if c in catalog.columns])
    pictures = _pictures(workspace, catalog, rows)
    shown = []
    for number, (row, picture) in enumerate(zip(rows, pictures, strict=True)):
        lines = [
            cards.score(title, formatting.score(float(values[number])))
            for title, values in (extra or {}).items()
        ]
        lines += [_score(catalog, column, row[column.name]) for column in columns]
        labels = [label.title for label in catalog.labels if row[label.name]]
        frame = cards.frame(picture, _placeholder(row))
        shown.append(cards.card(str(row["caption"]), frame, lines, row["uid"], labels))
    body = cards.grid(shown, "row" if is_row else "", "" if any(pictures) else "bare")
    cards.show_markable(workspace, [str(row["uid"]) for row in rows], body)


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
    """Show samples one page at a time.

    Args:
        key: where the URL has the number of the page.
        total: how many samples there are, of which ``rowids`` may be only the first.
    """
    some = f"{formatting.count(len(rowids))} of " if len(rowids) < total else ""
    page = page_number(key, len(rowids), PAGE, f"{some}{formatting.plural(total, 'sample')}")
    part = slice(page * PAGE, (page + 1) * PAGE)
    more = {title: values[part] for title, values in (extra or {}).items()}
    show(workspace, catalog, rowids[part], scores, empty, more)


def random_rows(mask: Mask, most: int) -> NDArray[np.int64]:
    """At most ``most`` rows of a mask in random order, the same ones at every call."""
    rows = np.flatnonzero(mask)
    return np.random.default_rng(_SEED).choice(rows, min(most, len(rows)), replace=False)


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


def _score(catalog: Catalog, column: ColumnInfo, value: Any) -> Html:
    """A score and its position in the ranking: top 12 %, bottom 3 %."""
    position = ""
    if value is not None and column.is_number:
        ranks = catalog.ranks(column.name)
        position = _position(ranks.count_below(value), len(ranks))
    return cards.score(column.title, formatting.score(value), position)


def _position(lower: int, total: int) -> str:
    """The position of a sample that scores higher than ``lower`` of ``total`` samples."""
    if 2 * lower >= total:
        return formatting.top(100 * (1 - lower / total))
    return formatting.top(100 * (lower + 1) / total).replace("top", "bottom")


def _placeholder(row: Mapping[str, Any]) -> Html:
    if not _is_on_the_web(row):
        return cards.placeholder("Image not found" if row["image_file"] else "No image")
    url = str(row["url"])
    if web_images.is_on():
        reason = thumbnails.failure(url) or url
        return cards.placeholder("Not reachable", fetch.host(url), reason)
    return cards.placeholder("Image on the web", fetch.host(url), url)
