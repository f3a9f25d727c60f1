"""A target's items as small pictures, or in words where they have none."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

import streamlit as st

from curation import formatting
from curation.analysis import target_summary
from curation.analysis.target_summary import Item, TargetSummary
from curation.catalog.columns import ALL_TARGETS
from curation.errors import CurationError
from pages.widgets.app import shell
from pages.widgets.app.markdown import show_error
from pages.widgets.gallery import web_images
from pages.widgets.state.url import number

# Items a page, and in a strip.
PAGE, STRIP = 28, 8
# Seconds: an image of a target may be another one tomorrow.
_KEPT = 300

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
    """The target's items, a page at a time."""
    if about.is_ready_made:
        st.info(
            "This target was given as embeddings; it has no images to show.",
            icon=":material/image_not_supported:",
        )
        return
    total = max(about.images, about.captions)
    pages = max(1, -(-total // PAGE))
    page = 1
    if pages > 1:
        key = f"items_{about.name}"
        with st.container(horizontal=True, vertical_alignment="center"):
            page = int(
                number(
                    "Page of target items",
                    key,
                    1.0,
                    1.0,
                    float(pages),
                    0,
                    step=1.0,
                    width=150,
                    label_visibility="collapsed",
                )
            )
            st.caption(
                f"Page {page} of {formatting.count(pages)} · {formatting.plural(total, 'item')}"
            )
    show(some(about.name, (page - 1) * PAGE, PAGE))


def strip(name: str) -> None:
    """The first of a target's items, to know it by."""
    if name == ALL_TARGETS:
        st.caption("All targets as one set.")
        return
    try:
        found = some(name, 0, STRIP)
    except CurationError as error:
        show_error(error)
        return
    if found:
        show(found, strip=True)
    else:
        st.caption("Given as embeddings; no images to show.")


def show(items: Sequence[Item], strip: bool = False) -> None:
    """The items in their order; in one row of at most eight where it is a strip."""
    if any(item.picture for item in items):
        kind = "items strip" if strip else "items"
        inside = "".join(_card(item) for item in items)
    else:
        kind = "words"
        inside = "".join(f"<span>{escape(item.text) or '—'}</span>" for item in items)
    st.html(f"<style>{_CSS}</style><div class='{kind}'>{inside}</div>")


def about(name: str, model: str) -> TargetSummary:
    """Raises:
    CurationError: the target is not there any more.
    """
    return _about(str(shell.workspace().path), _changed(name), name, model)


def some(name: str, start: int, count: int) -> list[Item]:
    """Raises:
    CurationError: as ``about``.
    """
    path = str(shell.workspace().path)
    return _items(path, _changed(name), name, start, count, web_images.is_on())


def _card(item: Item) -> str:
    text = escape(item.text)
    if item.picture is None:
        return f"<div class='item none' title='{text}'>{text or 'No image'}</div>"
    data = base64.b64encode(item.picture).decode()
    picture = f"<img alt='{text}' src='data:image/jpeg;base64,{data}'>"
    return f"<div class='item' title='{text}'>{picture}</div>"


def _changed(name: str) -> int:
    try:
        return (shell.workspace().target(name).path / "target.toml").stat().st_mtime_ns
    except FileNotFoundError:
        raise CurationError(f"the files of target {name} are missing; add it again") from None


@st.cache_resource(max_entries=256, show_spinner=False)
def _about(path: str, changed: int, name: str, model: str) -> TargetSummary:
    return target_summary.summarize(shell.workspace(), name, model)


@st.cache_resource(max_entries=64, ttl=_KEPT, show_spinner=False)
def _items(path: str, changed: int, name: str, start: int, count: int, web: bool) -> list[Item]:
    return target_summary.load_items(shell.workspace(), name, start, count, web)
