"""A sample's picture at its largest, and what of a target is near it: as cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import streamlit as st

from curation import formatting
from curation.analysis import neighbors
from curation.analysis.neighbors import NearestItems
from curation.storage.workspace import Workspace
from pages.widgets.gallery import cards, web_images


def portrait(
    workspace: Workspace,
    row: Mapping[str, Any],
    picture: bytes | None,
    reason: str,
    labels: Sequence[str],
) -> None:
    """The sample of the page: its picture, or why there is none, its mark, labels and caption."""
    frame = cards.frame(picture, _nothing(reason))
    card = cards.card(row["caption"], frame, uid=row["uid"], labels=labels)
    body = cards.grid([card], "portrait")
    cards.markable(workspace, [row["uid"]], body, is_page=True)


def items(workspace: Workspace, found: NearestItems) -> None:
    """The items of a target in a row; by their numbers where nothing else is known of them.

    Raises:
        CurationError: the target is not there any more.
    """
    pictures: Sequence[bytes | None] = [None] * len(found.places)
    names = [f"Row {place}" for place in found.places]
    if found.items:
        pictures = neighbors.item_thumbnails(workspace, found, web_images.is_on())
        names = [str(item["caption"] or item["image_file"] or "—") for item in found.items]
    # Where no card has a picture, captions are what one looks at.
    has_frame = any(pictures)
    shown = [
        cards.card(
            name,
            cards.frame(picture, _nothing("No image")) if has_frame else "",
            cards.score("Cosine", formatting.score(cosine)),
        )
        for name, picture, cosine in zip(names, pictures, found.cosines, strict=True)
    ]
    st.html(f"{cards.grid(shown, 'row', 'items')}")


def told(values: Mapping[str, Any]) -> None:
    """Names and values; what is missing is left out."""
    lines = (
        f"<span>{escape(name)}</span><span>{escape(str(value))}</span>"
        for name, value in values.items()
        if value is not None
    )
    st.html(f"<div class='told'>{''.join(lines)}</div>")


def _nothing(reason: str) -> str:
    return f"<div class='frame none'><span>{escape(reason)}</span></div>"
