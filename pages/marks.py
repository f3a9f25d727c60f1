"""Marks: what was kept and dropped by hand, and what became of every mark."""

import base64
from collections.abc import Sequence
from html import escape
from typing import Any

import streamlit as st

from curation import places, thumbnails, wording
from curation.catalog import Catalog
from curation.errors import CurationError
from curation.marks import Change, Mark, Marks, located
from pages.widgets import shell, web_images
from pages.widgets.plain import problem

shell.enter("marks")

PAGE = 24
SIGNS = {"keep": "✓ Keep", "drop": "✕ Drop"}

_CSS = """
.marked-row {display: grid; grid-template-columns: 56px 5.5rem 1fr auto; gap: 0 16px;
  align-items: center; min-height: 56px; font-size: 14px; line-height: 1.4}
.marked-row .frame {width: 56px; height: 56px; display: grid; place-items: center;
  border-radius: 6px; background: rgba(128, 138, 152, .12); font-size: 11px; text-align: center}
.marked-row .frame:has(img) {background: #fff}
.marked-row img {max-width: 56px; max-height: 56px; border-radius: 6px}
.marked-row .sign {justify-self: start; color: #fff; font-size: 12px; font-weight: 600;
  border-radius: 11px; padding: 1px 9px}
.marked-row .keep {background: #00735C}
.marked-row .drop {background: #B8440A}
.marked-row .caption {overflow-wrap: anywhere; display: -webkit-box; -webkit-line-clamp: 2;
  -webkit-box-orient: vertical; overflow: hidden}
.marked-row small {opacity: .68; font-size: 12px; font-variant-numeric: tabular-nums}
"""


def main() -> None:
    catalog = shell.catalog()
    web_images.switch(catalog)
    shell.facts(catalog)
    marks = Marks.of(shell.workspace())
    try:
        tiles(catalog, marks)
        changes(marks)
        listed(catalog, marks)
        log(marks)
    except CurationError as error:
        problem(error)


def tiles(catalog: Catalog, marks: Marks) -> None:
    keep, drop = marks.all()
    absent = len(keep) + len(drop) - len(located(catalog, [*keep, *drop]))
    shown = {"Kept by hand": len(keep), "Dropped by hand": len(drop)}
    shown |= {"Marked, not in this dataset": absent} if absent else {}
    for column, (name, value) in zip(st.columns(4), shown.items(), strict=False):
        column.metric(name, wording.count(value), border=True)


def changes(marks: Marks) -> None:
    """Undo, redo, and all at once."""
    can_undo, can_redo = marks.steps()
    any_marked = any(marks.counts().values())
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Undo", icon=":material/undo:", disabled=not can_undo, key="undo_mark",
                  on_click=lambda: tell("Taken back: ", marks.undo()))  # fmt: skip
        st.button("Redo", icon=":material/redo:", disabled=not can_redo, key="redo_mark",
                  on_click=lambda: tell("Done again: ", marks.redo()))  # fmt: skip
        if any_marked:
            with st.popover("Clear all", icon=":material/delete_sweep:"):
                st.write("Take every mark away? Undo brings them back.")
                st.button("Clear all marks", type="primary", key="clear_marks",
                          on_click=lambda: tell("", marks.clear()))  # fmt: skip


def tell(prefix: str, change: Change | None) -> None:
    said = f"{prefix}{change}" if change else "There was nothing to change"
    st.toast(said[0].upper() + said[1:], icon=":material/done_all:")


def listed(catalog: Catalog, marks: Marks) -> None:
    """Every mark with its sample, newest first."""
    total = sum(marks.counts().values())
    if not total:
        st.info(
            "Nothing is marked yet. On any page with pictures, point at a card and press ✓ or ✕; "
            "or go to it with Tab and the arrow keys, and press K to keep or D to drop. Marks hold "
            "wherever the thresholds are, and go into the export of a quadrant.",
            icon=":material/done_all:",
        )
        return
    pages = -(-total // PAGE)
    page = 1
    if pages > 1:
        st.session_state["marks_page"] = min(st.session_state.get("marks_page", 1), pages)
        page = st.number_input("Page", 1, pages, key="marks_page", width=150)
    shown = marks.newest(PAGE, (page - 1) * PAGE)
    rowids = located(catalog, [mark.uid for mark in shown])
    samples = {row["uid"]: row for row in catalog.rows(list(rowids.values()))}
    pictures = load(catalog, list(samples.values()))
    st.html(f"<style>{_CSS}</style>")
    for mark in shown:
        with st.container(horizontal=True, vertical_alignment="center", border=True):
            st.html(described(mark, samples.get(mark.uid), pictures.get(mark.uid)))
            st.button(
                "Revert", icon=":material/close:", key=f"revert_{mark.uid}", help="Take it away",
                on_click=lambda uid=mark.uid: tell("", marks.mark([uid], None)),
            )  # fmt: skip


def load(catalog: Catalog, rows: Sequence[dict[str, Any]]) -> dict[str, bytes | None]:
    root = places.of(catalog.dataset.image_root)
    found = thumbnails.load(shell.workspace(), root, rows, from_the_web=web_images.is_on())
    return {row["uid"]: picture for row, picture in zip(rows, found, strict=True)}


def described(mark: Mark, sample: dict[str, Any] | None, picture: bytes | None) -> str:
    """A mark as a line of HTML; the caption is a stranger's, and is shown as it is."""
    caption = str(sample["caption"]) if sample else "not in this dataset"
    frame = "<span>no image</span>"
    if picture is not None:
        data = base64.b64encode(picture).decode()
        frame = f"<img alt='' src='data:image/jpeg;base64,{data}'>"
    time = mark.marked.replace("T", " ")[:16]
    return (
        f"<div class='marked-row' data-uid='{mark.uid}'><div class='frame'>{frame}</div>"
        f"<span class='sign {mark.mark}'>{SIGNS[mark.mark]}</span>"
        f"<div><span class='caption'>{escape(caption)}</span><small>{mark.uid}</small></div>"
        f"<small>{time} UTC</small></div>"
    )


def log(marks: Marks) -> None:
    lines = marks.log()
    if not lines:
        return
    with st.expander("Log", icon=":material/history:"):
        st.dataframe(
            [
                {
                    "Time (UTC)": line.logged.replace("T", " ")[:19],
                    "What": line.action,
                    "Sample": line.uid,
                    "From": line.old or "—",
                    "To": line.new or "—",
                }
                for line in lines
            ],
            hide_index=True,
        )


main()
