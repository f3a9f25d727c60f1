"""Thumbnails with caption and scores.

One block of HTML whatever the number of cards: the grid fits any width, and a caption is shown
as it is: escaped, never read as Markdown, so that it cannot make a browser fetch anything.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from curation import places, thumbnails, wording
from curation.catalog import Catalog
from curation.columns import ColumnInfo
from curation.workspace import Workspace

PAGE = 24

_CSS = """
.gallery {display: grid; grid-template-columns: repeat(auto-fill, minmax(152px, 1fr)); gap: 12px}
.gallery figure {margin: 0; border: 1px solid rgba(128, 138, 152, .28); border-radius: 8px;
  overflow: hidden; display: flex; flex-direction: column}
.gallery .frame {background: #fff; height: 152px; display: flex; align-items: center;
  justify-content: center}
.gallery img {max-width: 100%; max-height: 152px; object-fit: contain; display: block}
.gallery .none {color: #6b7280; font-size: 12px}
.gallery figcaption {padding: 8px 10px 9px; font-size: 13px; line-height: 1.35; flex: 1;
  display: flex; flex-direction: column; justify-content: space-between; gap: 6px}
.gallery .caption {display: -webkit-box; -webkit-line-clamp: 3; -webkit-box-orient: vertical;
  overflow: hidden; overflow-wrap: anywhere}
.gallery .scores {font-size: 12px; opacity: .72; font-variant-numeric: tabular-nums;
  display: grid; grid-template-columns: 1fr auto; gap: 0 6px}
.gallery .scores span:nth-child(odd) {white-space: nowrap; overflow: hidden;
  text-overflow: ellipsis}
.gallery .mark {align-self: flex-start; font-size: 11px; font-weight: 600; color: #fff;
  background: #B34700; border-radius: 4px; padding: 0 6px}
"""


def show(
    workspace: Workspace,
    catalog: Catalog,
    rowids: Sequence[int] | NDArray[np.integer[Any]],
    scores: Sequence[str],
    empty: str = "No samples here.",
) -> None:
    """The samples as cards, in this order, each with these scores."""
    if not len(rowids):
        st.info(empty, icon=":material/image_not_supported:")
        return
    rows = catalog.rows(rowids)
    pictures = thumbnails.load(workspace, places.of(catalog.dataset.image_root), rows)
    columns = [catalog.column(name) for name in scores]
    cards = [
        _card(row, picture, columns, catalog.labels)
        for row, picture in zip(rows, pictures, strict=True)
    ]
    st.html(f"<style>{_CSS}</style><div class='gallery'>{''.join(cards)}</div>")


def paged(
    workspace: Workspace,
    catalog: Catalog,
    rowids: NDArray[np.integer[Any]],
    scores: Sequence[str],
    key: str,
    total: int,
    empty: str = "No samples here.",
) -> None:
    """The samples a page at a time; says so where they are only some of ``total``."""
    pages = max(1, -(-len(rowids) // PAGE))
    page = 1
    if pages > 1:
        with st.container(horizontal=True, vertical_alignment="center"):
            # Fewer pages than before: stay within them.
            if st.session_state.get(key, 1) > pages:
                st.session_state[key] = 1
            page = st.number_input(
                "Page", 1, pages, key=key, width=150, label_visibility="collapsed"
            )
            some = f"{wording.count(len(rowids))} of " if len(rowids) < total else ""
            st.caption(
                f"page {page} of {wording.count(pages)} · {some}{wording.count(total)} samples"
            )
    show(workspace, catalog, rowids[(page - 1) * PAGE : page * PAGE], scores, empty)


def _card(
    row: dict[str, Any],
    picture: bytes | None,
    columns: Sequence[ColumnInfo],
    labels: Sequence[ColumnInfo],
) -> str:
    caption = escape(str(row["caption"]))
    if picture is None:
        where = "image not found" if row["image_file"] else "image not on this machine"
        frame = f"<span class='none'>{where}</span>"
    else:
        data = base64.b64encode(picture).decode()
        frame = f"<img alt='' loading='lazy' src='data:image/jpeg;base64,{data}'>"
    lines = "".join(
        f"<span title='{escape(c.title)}'>{escape(c.title)}</span>"
        f"<span>{wording.score(row[c.name])}</span>"
        for c in columns
    )
    marks = "".join(f"<span class='mark'>{escape(c.title)}</span>" for c in labels if row[c.name])
    return (
        f"<figure data-uid='{row['uid']}'><div class='frame'>{frame}</div><figcaption>"
        f"{marks}<span class='caption' title='{caption}'>{caption}</span>"
        f"<span class='scores'>{lines}</span></figcaption></figure>"
    )
