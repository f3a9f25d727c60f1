"""The items of a target: small pictures, or captions where it has no pictures."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from curation import formatting
from curation.analysis import target_summary
from curation.analysis.target_summary import Item, TargetSummary
from curation.catalog.columns import ALL_TARGETS
from curation.errors import CurationError
from pages.widgets.app import shell
from pages.widgets.app.html import Html, element, join, picture, style
from pages.widgets.app.markdown import show_error
from pages.widgets.gallery import web_images
from pages.widgets.state.url import page_number

# Items per page, and in a strip.
PAGE, STRIP = 28, 8
# Seconds, because the images of a target may change.
_SECONDS = 300

_CSS = """
.items {display: grid; grid-template-columns: repeat(auto-fill, minmax(92px, 1fr)); gap: 8px}
.items .item {border: 1px solid rgba(128, 138, 152, .28); border-radius: 8px; background: #fff;
  height: 92px; display: flex; align-items: center; justify-content: center; overflow: hidden}
.items.strip {grid-template-columns: repeat(8, minmax(0, 1fr)); max-width: 720px}
.items.strip .item {height: auto; aspect-ratio: 1}
.items img {max-width: 100%; max-height: 100%; object-fit: contain; display: block}
.items .none {background: rgba(128, 138, 152, .12); font-size: 11px; line-height: 1.3;
  padding: 0 6px; text-align: center; overflow-wrap: anywhere}
.words {display: flex; flex-wrap: wrap; gap: 6px; font-size: 14px; line-height: 1.4}
.words span {border: 1px solid rgba(128, 138, 152, .28); border-radius: 8px; padding: 3px 10px;
  overflow-wrap: anywhere}
"""


def paged(about: TargetSummary) -> None:
    """Show the items of a target one page at a time."""
    if about.is_ready_made:
        st.info(
            "This target was given as embeddings; it has no images to show.",
            icon=":material/image_not_supported:",
        )
        return
    total = max(about.images, about.captions)
    page = page_number(
        f"items_{about.name}",
        total,
        PAGE,
        formatting.plural(total, "item"),
        "Page of target items",
    )
    show(items(about.name, page * PAGE, PAGE))


def strip(name: str) -> None:
    """Show the first items of a target."""
    if name == ALL_TARGETS:
        st.caption("All targets as one set.")
        return
    try:
        first = items(name, 0, STRIP)
    except CurationError as error:
        show_error(error)
        return
    if first:
        show(first, strip=True)
    else:
        st.caption("Given as embeddings; no images to show.")


def show(items: Sequence[Item], strip: bool = False) -> None:
    """Show items in their order.

    Args:
        strip: show one row of at most eight.
    """
    if any(item.picture for item in items):
        body = element("div", *map(_card, items), class_="items strip" if strip else "items")
    else:
        words = [element("span", item.text or "—") for item in items]
        body = element("div", *words, class_="words")
    st.html(join(style(_CSS), body))


def about(name: str, model: str) -> TargetSummary:
    """What is known of a target.

    Raises:
        CurationError: the target no longer exists.
    """
    return _about(str(shell.workspace().path), _changed(name), name, model)


def items(name: str, start: int, count: int) -> list[Item]:
    """The items of a target from ``start`` on.

    Raises:
        CurationError: the target no longer exists.
    """
    path = str(shell.workspace().path)
    return _items(path, _changed(name), name, start, count, web_images.is_on())


def _card(item: Item) -> Html:
    if item.picture is None:
        text = item.text or "No image"
        return element("div", text, class_="item none", title=item.text)
    return element("div", picture(item.picture, item.text), class_="item", title=item.text)


def _changed(name: str) -> int:
    try:
        return (shell.workspace().target(name).path / "target.toml").stat().st_mtime_ns
    except FileNotFoundError:
        raise CurationError(f"the files of target {name} are missing; add it again") from None


@st.cache_resource(max_entries=256, show_spinner=False)
def _about(path: str, changed: int, name: str, model: str) -> TargetSummary:
    return target_summary.summarize(shell.workspace(), name, model)


@st.cache_resource(max_entries=64, ttl=_SECONDS, show_spinner=False)
def _items(path: str, changed: int, name: str, start: int, count: int, web: bool) -> list[Item]:
    return target_summary.load_items(shell.workspace(), name, start, count, web)
