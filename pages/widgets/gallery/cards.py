"""Cards as HTML: of samples, which take marks, and of the items of a target."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.errors import StreamlitDuplicateElementKey

from curation.storage.workspace import Workspace
from curation.uids import from_key
from pages.widgets.app.html import Html, element, picture
from pages.widgets.gallery.marking import marking


def card(
    caption: str,
    frame: Html | None,
    scores: Iterable[Html] = (),
    uid: str | None = None,
    labels: Sequence[str] = (),
) -> Html:
    """A card; one with a sample's uid takes marks.

    Args:
        frame: what ``frame`` or ``placeholder`` returns.
        scores: what ``score`` returns, one per line.
    """
    return element(
        "figure",
        frame,
        element(
            "figcaption",
            *(element("span", label, class_="mark") for label in labels),
            element("span", caption, class_="caption", title=caption),
            element("div", *scores, class_="scores"),
        ),
        data_uid=uid,
    )


def frame(jpeg: bytes | None, otherwise: Html) -> Html:
    """The frame of a picture, or ``otherwise`` where there is none."""
    return otherwise if jpeg is None else element("div", picture(jpeg), class_="frame")


def placeholder(reason: str, host: str | None = None, title: str | None = None) -> Html:
    """A frame without a picture: the reason, and the host of an address on the web.

    An address is never a link, because a browser may fetch what a link names.
    """
    return element(
        "div",
        element("span", reason),
        None if host is None else element("span", host, class_="host"),
        class_="frame none",
        title=title,
    )


def score(title: str, value: str, position: str = "") -> Html:
    """A number with its title and its position in the ranking."""
    return element(
        "div",
        element("span", title, class_="title", title=title),
        element(
            "span",
            element("span", value),
            element("span", position, class_="top") if position else None,
            class_="value",
        ),
        class_="score",
    )


def grid(cards: Iterable[Html], *kinds: str) -> Html:
    """Cards in a grid; ``kinds`` are the classes of a gallery in cards.css."""
    return element("div", *cards, class_=" ".join(filter(None, ["gallery", *kinds])))


def show_markable(
    workspace: Workspace, uids: Sequence[str], body: Html, is_page: bool = False
) -> None:
    """Show a grid with a card for each of these samples; the cards take marks.

    Args:
        is_page: whether the one card is of the sample that the page is about.
    """
    container, key = _container(workspace, uids)
    with container:
        st.html(body)
        marking(workspace, uids, key, is_page)


def _container(workspace: Workspace, uids: Sequence[str]) -> tuple[DeltaGenerator, str]:
    """A container for the cards of these samples, and its key.

    The key has a number at its end, because a page may show the same samples twice.
    """
    # Two workspaces may have the same samples, but never the same marks.
    name = f"cards_{from_key(' '.join([str(workspace.path), *uids]))[:12]}"
    copy = 0
    while True:
        key = f"{name}_{copy}"
        try:
            return st.container(key=key, gap="small"), key
        except StreamlitDuplicateElementKey:
            copy += 1
