"""Neighbours of a sample in one row of cards, and its picture: what is shown as HTML, escaped.

A card of the dataset leads to that sample, by a link that keeps the rest of the view.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from curation import neighbours, places, thumbnails, wording
from curation.catalog import Catalog
from curation.neighbours import Nearest
from curation.workspace import Workspace
from pages.widgets import web_images

_CSS = """
.near {display: grid; grid-template-columns: repeat(6, minmax(0, 1fr)); gap: 12px}
@media (max-width: 900px) {.near {grid-template-columns: repeat(3, minmax(0, 1fr))}}
.near figure, .portrait {margin: 0; border: 1px solid rgba(128, 138, 152, .28);
  border-radius: 8px; overflow: hidden}
.near .frame, .portrait .frame {background: #fff; display: flex; align-items: center;
  justify-content: center}
.near .frame {height: 140px}
.near img {max-width: 100%; max-height: 140px; object-fit: contain; display: block}
.portrait .frame {height: 400px}
.portrait img {width: 100%; height: 100%; object-fit: contain; display: block}
.near .none, .portrait .none {background: rgba(128, 138, 152, .12); padding: 0 12px;
  text-align: center; font-size: 12px; line-height: 1.35; overflow-wrap: anywhere}
.portrait .none {height: 200px; font-size: 14px}
.near figcaption {padding: 7px 10px 9px; font-size: 13px; line-height: 1.35}
.near .caption {display: -webkit-box; -webkit-line-clamp: 3; -webkit-box-orient: vertical;
  overflow: hidden; overflow-wrap: anywhere}
.near .cosine {font-size: 12px; opacity: .72; font-variant-numeric: tabular-nums}
.near a {color: inherit; text-decoration: none; display: block; height: 100%}
.near a:hover, .near a:focus-visible {background: rgba(128, 138, 152, .14)}
.portrait .text {padding: 12px 14px 14px; font-size: 15px; line-height: 1.45;
  overflow-wrap: anywhere; max-height: 13em; overflow-y: auto}
.portrait .mark {display: inline-block; font-size: 12px; font-weight: 600; color: #fff;
  background: #5B6472; border-radius: 4px; padding: 0 7px; margin: 0 6px 6px 0}
.told {display: grid; grid-template-columns: minmax(90px, 34%) 1fr; gap: 4px 14px;
  font-size: 14px; line-height: 1.4; overflow-wrap: anywhere}
.told span:nth-child(odd) {opacity: .72}
"""


@dataclass(frozen=True)
class _Card:
    """A neighbour; ``uid`` is that of a sample of the dataset, which its card leads to."""

    text: str
    cosine: float
    picture: bytes | None
    uid: str | None = None


def samples(
    workspace: Workspace, catalog: Catalog, rowids: Sequence[int], cosines: Sequence[float]
) -> None:
    """Samples in a row, in this order, each with its cosine."""
    rows = catalog.rows(rowids)
    root = places.of(catalog.dataset.image_root)
    pictures = thumbnails.load(workspace, root, rows, web_images.is_on())
    _row(
        [
            _Card(str(row["caption"]), cosine, picture, row["uid"])
            for row, cosine, picture in zip(rows, cosines, pictures, strict=True)
        ]
    )


def items(workspace: Workspace, found: Nearest) -> None:
    """The items of a target in a row; by their numbers where nothing else is known of them.

    Raises:
        CurationError: the target is not there any more.
    """
    if not found.items:
        _row([_Card(f"row {p}", c, None) for p, c in zip(found.places, found.cosines, strict=True)])
        return
    pictures = neighbours.pictures(workspace, found, web_images.is_on())
    _row(
        [
            _Card(str(item["caption"] or item["image_file"] or "—"), cosine, picture)
            for item, cosine, picture in zip(found.items, found.cosines, pictures, strict=True)
        ]
    )


def portrait(picture: bytes | None, reason: str, caption: str, marks: Sequence[str]) -> None:
    """A sample's picture, or why there is none, over its marks and its caption."""
    frame = _frame(picture, reason)
    told = "".join(f"<span class='mark'>{escape(mark)}</span>" for mark in marks)
    text = f"<div class='text'>{told and f'<div>{told}</div>'}{escape(caption)}</div>"
    _html(f"<div class='portrait'>{frame}{text}</div>")


def told(values: Mapping[str, Any]) -> None:
    """Names and values; what is missing is left out."""
    lines = (
        f"<span>{escape(name)}</span><span>{escape(str(value))}</span>"
        for name, value in values.items()
        if value is not None
    )
    _html(f"<div class='told'>{''.join(lines)}</div>")


def _row(cards: Sequence[_Card]) -> None:
    # Where no card has a picture, captions are what one looks at.
    has_frame = any(card.picture for card in cards)
    _html(f"<div class='near'>{''.join(_card(card, has_frame) for card in cards)}</div>")


def _card(card: _Card, has_frame: bool) -> str:
    text = escape(card.text)
    inside = (
        f"{_frame(card.picture, 'no picture here') if has_frame else ''}<figcaption>"
        f"<span class='caption' title='{text}'>{text}</span>"
        f"<span class='cosine'>cosine {wording.score(card.cosine)}</span></figcaption>"
    )
    if card.uid is None:
        return f"<figure>{inside}</figure>"
    query = escape(urlencode(st.query_params.to_dict() | {"uid": card.uid}))
    return f"<figure data-uid='{card.uid}'><a href='?{query}'>{inside}</a></figure>"


def _frame(picture: bytes | None, reason: str) -> str:
    if picture is None:
        return f"<div class='frame none'>{escape(reason)}</div>"
    data = base64.b64encode(picture).decode()
    return f"<div class='frame'><img alt='' src='data:image/jpeg;base64,{data}'></div>"


def _html(body: str) -> None:
    st.html(f"<style>{_CSS}</style>{body}")
