"""Thumbnails with caption and scores.

One block of HTML whatever the number of cards: the grid fits any width, and a caption is shown
as it is: escaped, never read as Markdown, so that it cannot make a browser fetch anything.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from itertools import count
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator
from streamlit.errors import StreamlitDuplicateElementKey

from curation import fetching, image_ref, places, thumbnails, wording
from curation.catalog import Catalog
from curation.columns import ColumnInfo
from curation.uids import from_key
from curation.workspace import Workspace
from pages.widgets import web_images
from pages.widgets.marking import marking
from pages.widgets.url import number

PAGE = 24

# What a card shows, and where its picture lies.
PICTURED = ("uid", "caption", *image_ref.COLUMNS)

Extra = Mapping[str, Sequence[float] | NDArray[np.floating[Any]]]

_CSS = """
.gallery {display: grid; grid-template-columns: repeat(auto-fill, minmax(152px, 1fr)); gap: 12px}
.gallery figure {margin: 0; border: 1px solid rgba(128, 138, 152, .28); border-radius: 8px;
  overflow: hidden; display: flex; flex-direction: column}
.gallery .frame {background: #fff; height: 152px; display: flex; align-items: center;
  justify-content: center}
.gallery img {max-width: 100%; max-height: 152px; object-fit: contain; display: block}
.gallery .none {background: rgba(128, 138, 152, .12); flex-direction: column; gap: 4px;
  padding: 0 10px; text-align: center; font-size: 12px; line-height: 1.35}
.gallery .none span {opacity: .72}
.gallery .none .host {opacity: 1; display: -webkit-box; -webkit-line-clamp: 2;
  -webkit-box-orient: vertical; overflow: hidden; overflow-wrap: anywhere}
/* Where there is no picture at all, captions are what one looks at. */
.gallery.bare .frame {height: 72px}
.gallery figcaption {padding: 8px 10px 9px; font-size: 13px; line-height: 1.35; flex: 1;
  display: flex; flex-direction: column; gap: 6px}
.gallery .caption {display: -webkit-box; -webkit-line-clamp: 3; -webkit-box-orient: vertical;
  overflow: hidden; overflow-wrap: anywhere}
.gallery .scores {margin-top: auto; font-size: 12px; font-variant-numeric: tabular-nums;
  display: grid; gap: 3px}
/* All on one line where there is room; else the place among all goes below its score. */
.gallery .score {display: flex; flex-wrap: wrap; gap: 0 8px; white-space: nowrap;
  line-height: 1.3}
.gallery .score .title {flex: 1 1 5.6rem; min-width: 0; overflow: hidden; opacity: .72;
  text-overflow: ellipsis}
.gallery .score .top {margin-left: auto; min-width: 4.6em; text-align: right; opacity: .72}
.gallery .mark {align-self: flex-start; font-size: 11px; font-weight: 600; color: #fff;
  background: #5B6472; border-radius: 4px; padding: 0 6px}
"""


def show(
    workspace: Workspace,
    catalog: Catalog,
    rowids: Sequence[int] | NDArray[np.integer[Any]],
    scores: Sequence[str],
    empty: str = "No samples here.",
    extra: Extra | None = None,
) -> None:
    """The samples as cards, in this order, each with these scores.

    ``extra`` has more numbers by their titles, a value a sample: told before the scores.
    """
    if not len(rowids):
        st.info(empty, icon=":material/image_not_supported:")
        return
    columns = [catalog.column(name) for name in scores]
    asked = [*PICTURED, *(c.name for c in (*columns, *catalog.labels))]
    # A catalog of an earlier version lacks some of them.
    rows = catalog.rows(rowids, [c for c in dict.fromkeys(asked) if c in catalog.columns])
    pictures = _pictures(workspace, catalog, rows)
    cards = []
    for place, (row, picture) in enumerate(zip(rows, pictures, strict=True)):
        more = {title: wording.score(float(of[place])) for title, of in (extra or {}).items()}
        told = [_score(title, value) for title, value in more.items()]
        told += [_standing(catalog, column, row[column.name]) for column in columns]
        cards.append(_card(row, picture, "".join(told), catalog.labels))
    kind = "gallery" if any(pictures) else "gallery bare"
    uids = [str(row["uid"]) for row in rows]
    place, key = _place(workspace, uids)
    with place:
        st.html(f"<style>{_CSS}</style><div class='{kind}'>{''.join(cards)}</div>")
        marking(workspace, uids, key)


def paged(
    workspace: Workspace,
    catalog: Catalog,
    rowids: NDArray[np.integer[Any]],
    scores: Sequence[str],
    key: str,
    total: int,
    empty: str = "No samples here.",
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
                number("Page", key, 1.0, 1.0, float(pages), 0, step=1.0, width=150,
                       label_visibility="collapsed")
            )  # fmt: skip
            some = f"{wording.count(len(rowids))} of " if len(rowids) < total else ""
            st.caption(
                f"page {page} of {wording.count(pages)} · {some}{wording.count(total)} samples"
            )
    part = slice((page - 1) * PAGE, page * PAGE)
    more = {title: values[part] for title, values in (extra or {}).items()}
    show(workspace, catalog, rowids[part], scores, empty, more)


def _place(workspace: Workspace, uids: Sequence[str]) -> tuple[DeltaGenerator, str]:
    """A container for these samples' cards, and its name; a page may show the same ones twice."""
    # Two workspaces may have the same samples, but never the same marks.
    name = f"cards_{from_key(' '.join([str(workspace.path), *uids]))[:12]}"
    for copy in count():
        try:
            return st.container(key=f"{name}_{copy}", gap="small"), f"{name}_{copy}"
        except StreamlitDuplicateElementKey:
            continue


def _pictures(
    workspace: Workspace, catalog: Catalog, rows: Sequence[dict[str, Any]]
) -> list[bytes | None]:
    root = places.of(catalog.dataset.image_root)
    if not (web_images.is_on() and any(_is_on_the_web(row) for row in rows)):
        return thumbnails.load(workspace, root, rows)
    with st.spinner("Fetching images from the web …"):
        return thumbnails.load(workspace, root, rows, from_the_web=True)


def _is_on_the_web(row: Mapping[str, Any]) -> bool:
    return row["image_file"] is None and row.get("url") is not None


def _card(
    row: dict[str, Any],
    picture: bytes | None,
    scores: str,
    labels: Sequence[ColumnInfo],
) -> str:
    caption = escape(str(row["caption"]))
    if picture is None:
        frame = _nothing(row)
    else:
        data = base64.b64encode(picture).decode()
        image = f"<img alt='' loading='lazy' src='data:image/jpeg;base64,{data}'>"
        frame = f"<div class='frame'>{image}</div>"
    marks = "".join(f"<span class='mark'>{escape(c.title)}</span>" for c in labels if row[c.name])
    return (
        f"<figure data-uid='{row['uid']}'>{frame}<figcaption>"
        f"{marks}<span class='caption' title='{caption}'>{caption}</span>"
        f"<div class='scores'>{scores}</div></figcaption></figure>"
    )


def _standing(catalog: Catalog, column: ColumnInfo, value: Any) -> str:
    """A score and its place among all: the top 12 % are the best 12 of every 100."""
    share = ""
    if value is not None and column.is_number:
        ranks = catalog.ranks(column.name)
        share = wording.top(100 * (1 - ranks.near(value) / len(ranks)))
    return _score(column.title, wording.score(value), share)


def _score(title: str, value: str, share: str = "") -> str:
    told = f"<span class='top'>{share}</span>" if share else ""
    return (
        f"<div class='score'><span class='title' title='{escape(title)}'>{escape(title)}</span>"
        f"<span>{value}</span>{told}</div>"
    )


def _nothing(row: Mapping[str, Any]) -> str:
    """What stands in the place of a picture; an address never as a link, or the browser asks."""
    if not _is_on_the_web(row):
        told = "image not found" if row["image_file"] else "no image"
        return f"<div class='frame none'><span>{told}</span></div>"
    url = str(row["url"])
    told, more = "image on the web", url
    if web_images.is_on():
        told, more = "not reachable", thumbnails.failure(url) or url
    return (
        f"<div class='frame none' title='{escape(more)}'><span>{told}</span>"
        f"<span class='host'>{escape(fetching.host(url))}</span></div>"
    )
