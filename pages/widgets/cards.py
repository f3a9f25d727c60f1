"""Cards as HTML: of samples, which take marks, and of what else has a picture and a caption.

One block of HTML whatever the number of cards: the grid fits any width, and a caption is shown
as it is: escaped, never read as Markdown, so that it cannot make a browser fetch anything.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from itertools import count

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.errors import StreamlitDuplicateElementKey

from curation.uids import from_key
from curation.workspace import Workspace
from pages.widgets.marking import marking

_CSS = """
.gallery {display: grid; grid-template-columns: repeat(auto-fill, minmax(152px, 1fr)); gap: 12px}
/* As many as there are, beside each other. */
.gallery.row {grid-template-columns: repeat(6, minmax(0, 1fr))}
@media (max-width: 900px) {.gallery.row {grid-template-columns: repeat(3, minmax(0, 1fr))}}
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
.gallery .scores:empty {display: none}
/* All on one line where there is room; else the place among all goes below its score. */
.gallery .score {display: flex; flex-wrap: wrap; gap: 0 8px; white-space: nowrap;
  line-height: 1.3}
.gallery .score .title {flex: 1 1 5.6rem; min-width: 0; overflow: hidden; opacity: .72;
  text-overflow: ellipsis}
.gallery.row .score .title {flex-basis: 3rem}
.gallery .score .top {margin-left: auto; min-width: 4.6em; text-align: right; opacity: .72}
.gallery .mark {align-self: flex-start; font-size: 11px; font-weight: 600; color: #fff;
  background: #5B6472; border-radius: 4px; padding: 0 6px}
"""


def card(
    caption: str, frame: str, scores: str = "", uid: str = "", labels: Sequence[str] = ()
) -> str:
    """A card; one with a sample's uid takes its mark.

    Args:
        frame: HTML, as ``frame`` makes it.
        scores: HTML, as ``score`` makes it, a line each.
    """
    text = escape(str(caption))
    of = f" data-uid='{uid}'" if uid else ""
    tags = "".join(f"<span class='mark'>{escape(label)}</span>" for label in labels)
    return (
        f"<figure{of}>{frame}<figcaption>"
        f"{tags}<span class='caption' title='{text}'>{text}</span>"
        f"<div class='scores'>{scores}</div></figcaption></figure>"
    )


def frame(picture: bytes | None, nothing: str) -> str:
    """A picture, or the HTML that stands in its place."""
    if picture is None:
        return nothing
    data = base64.b64encode(picture).decode()
    image = f"<img alt='' loading='lazy' src='data:image/jpeg;base64,{data}'>"
    return f"<div class='frame'>{image}</div>"


def score(title: str, value: str, share: str = "") -> str:
    """A number by its title, and its place among all."""
    told = f"<span class='top'>{share}</span>" if share else ""
    return (
        f"<div class='score'><span class='title' title='{escape(title)}'>{escape(title)}</span>"
        f"<span>{value}</span>{told}</div>"
    )


def grid(cards: Sequence[str], *kinds: str) -> str:
    """Cards together, of these kinds of galleries: classes of the style above."""
    names = " ".join(filter(None, ["gallery", *kinds]))
    return f"<style>{_CSS}</style><div class='{names}'>{''.join(cards)}</div>"


def markable(workspace: Workspace, uids: Sequence[str], body: str, is_page: bool = False) -> None:
    """Show a grid that has a card of each of these samples, and let the cards take marks.

    ``is_page`` where there is one, which the page is all about.
    """
    place, key = _place(workspace, uids)
    with place:
        st.html(body)
        marking(workspace, uids, key, is_page)


def _place(workspace: Workspace, uids: Sequence[str]) -> tuple[DeltaGenerator, str]:
    """A container for these samples' cards, and its name; a page may show the same ones twice."""
    # Two workspaces may have the same samples, but never the same marks.
    name = f"cards_{from_key(' '.join([str(workspace.path), *uids]))[:12]}"
    for copy in count():
        try:
            return st.container(key=f"{name}_{copy}", gap="small"), f"{name}_{copy}"
        except StreamlitDuplicateElementKey:
            continue
