"""Cards as HTML: of samples, which take marks, and of what else has a picture and a caption.

One block of HTML whatever the number of cards: the grid fits any width, and a caption is shown
as it is: escaped, never read as Markdown, so that it cannot make a browser fetch anything.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.errors import StreamlitDuplicateElementKey

from curation.storage.workspace import Workspace
from curation.uids import from_key
from pages.widgets.gallery.marking import marking


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
        f"<span class='value'><span>{value}</span>{told}</span></div>"
    )


def grid(cards: Sequence[str], *kinds: str) -> str:
    """Cards together, of these kinds of galleries: classes of cards.css."""
    names = " ".join(filter(None, ["gallery", *kinds]))
    return f"<div class='{names}'>{''.join(cards)}</div>"


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
    copy = 0
    while True:
        key = f"{name}_{copy}"
        try:
            return st.container(key=key, gap="small"), key
        except StreamlitDuplicateElementKey:
            copy += 1
