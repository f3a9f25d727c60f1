"""The cards of the Sample page: the sample itself, and the nearest items of a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from curation import formatting
from curation.analysis import neighbors
from curation.analysis.neighbors import NearestItems
from curation.storage.workspace import Workspace
from pages.widgets.app.html import element
from pages.widgets.gallery import cards, web_images


def portrait(
    workspace: Workspace,
    row: Mapping[str, Any],
    picture: bytes | None,
    reason: str,
    labels: Sequence[str],
) -> None:
    """Show the sample of the page: its large picture, mark, labels and caption.

    Args:
        reason: why there is no picture, where there is none.
    """
    frame = cards.frame(picture, cards.placeholder(reason))
    card = cards.card(str(row["caption"]), frame, uid=row["uid"], labels=labels)
    body = cards.grid([card], "portrait")
    cards.show_markable(workspace, [row["uid"]], body, is_page=True)


def target_items(workspace: Workspace, nearest: NearestItems) -> None:
    """Show the nearest items of a target in a row; by row number where they are embeddings only.

    Raises:
        CurationError: the target no longer exists.
    """
    pictures: Sequence[bytes | None] = [None] * len(nearest.rows)
    names = [f"Row {number}" for number in nearest.rows]
    if nearest.items:
        pictures = neighbors.item_thumbnails(workspace, nearest, web_images.is_on())
        names = [str(item["caption"] or item["image_file"] or "—") for item in nearest.items]
    # Without any picture, the cards show captions only.
    has_frame = any(pictures)
    shown = [
        cards.card(
            name,
            cards.frame(picture, cards.placeholder("No image")) if has_frame else None,
            [cards.score("Cosine", formatting.score(cosine))],
        )
        for name, picture, cosine in zip(names, pictures, nearest.cosines, strict=True)
    ]
    st.html(cards.grid(shown, "row", "items"))


def fields(values: Mapping[str, Any]) -> None:
    """Show names and values in two columns, without those that are None."""
    cells = (
        element("span", text)
        for name, value in values.items()
        if value is not None
        for text in (name, value)
    )
    st.html(element("div", *cells, class_="fields"))
