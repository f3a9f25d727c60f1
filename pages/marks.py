"""Marks: what was kept and dropped by hand, and what became of every mark."""

import base64
from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from curation import formatting
from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.images import thumbnails
from curation.selection.marks import Change, Kind, LogEntry, Mark, Marks
from curation.storage import locations
from pages.widgets.app import shell
from pages.widgets.app.markdown import show_error
from pages.widgets.gallery import web_images
from pages.widgets.state.url import choose, number

shell.enter("marks")

PAGE = 24
VIEWS = {"marks": "Marked samples", "log": "Log"}
SIGNS: dict[Kind | None, str] = {"keep": "✓ Keep", "drop": "✕ Drop", None: "No mark"}
# A mark that could not be changed: shown at the next run, as the page goes on.
PROBLEM = "marks_problem"

_CSS = """
.marked-row {display: grid; grid-template-columns: 56px 5.5rem 1fr auto; gap: 0 16px;
  align-items: center; min-height: 56px; font-size: 14px; line-height: 1.4}
.marked-row .frame {width: 56px; height: 56px; display: grid; place-items: center;
  border-radius: 6px; background: rgba(128, 138, 152, .12); font-size: 11px; text-align: center}
.marked-row .frame:has(img) {background: #fff}
.marked-row img {max-width: 56px; max-height: 56px; border-radius: 6px}
.marked-row .sign {justify-self: start; font-size: 12px; font-weight: 600; white-space: nowrap;
  border-radius: 11px; padding: 1px 9px; border: 1px solid rgba(128, 138, 152, .5)}
.marked-row .keep {background: #00735C; border-color: #00735C; color: #fff}
.marked-row .drop {background: #B8440A; border-color: #B8440A; color: #fff}
.marked-row .caption {overflow-wrap: anywhere; display: -webkit-box; -webkit-line-clamp: 2;
  -webkit-box-orient: vertical; overflow: hidden}
.marked-row a {color: inherit}
.marked-row small {opacity: .68; font-size: 12px; font-variant-numeric: tabular-nums}
.marked-row.line {grid-template-columns: 7.5rem 5rem 13rem 1fr; min-height: 40px}
.marked-row.line .caption {-webkit-line-clamp: 1}
.marked-row .change {display: flex; gap: 8px; align-items: center}
"""


def main() -> None:
    catalog = shell.catalog()
    web_images.switch(catalog)
    shell.dataset_facts(catalog)
    marks = Marks.of(shell.workspace())
    if PROBLEM in st.session_state:
        show_error(st.session_state.pop(PROBLEM))
    try:
        tiles(catalog, marks)
        changes(marks)
        if not marks.log(1):
            nothing("No marks yet.")
            return
        st.html(f"<style>{_CSS}</style>")
        view = choose(
            st.segmented_control,
            "Show",
            VIEWS,
            "view",
            required=True,
            label_visibility="collapsed",
        )
        if view == "marks":
            listed(catalog, marks)
        else:
            log(catalog, marks)
    except CurationError as error:
        show_error(error)


def nothing(told: str) -> None:
    st.info(
        f"{told} Point at a card and click ✓ or ✕, or focus it and press K to keep or D to drop. "
        "Marks override the cutoffs and apply to exports.",
        icon=":material/done_all:",
    )


def tiles(catalog: Catalog, marks: Marks) -> None:
    keep, drop = marks.all()
    absent = len(keep) + len(drop) - len(catalog.uids.find_rows([*keep, *drop]))
    shown = {"Manually kept": len(keep), "Manually dropped": len(drop)}
    shown |= {"Not in this dataset": absent} if absent else {}
    for column, (name, value) in zip(st.columns(4), shown.items(), strict=False):
        column.metric(name, formatting.count(value), border=True)


def changes(marks: Marks) -> None:
    """Undo, redo, and all at once."""
    can_undo, can_redo = marks.can_undo_redo()
    any_marked = any(marks.counts().values())
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Undo",
            icon=":material/undo:",
            disabled=not can_undo,
            key="undo_mark",
            on_click=change,
            args=("Undone: ", marks.undo),
        )
        st.button(
            "Redo",
            icon=":material/redo:",
            disabled=not can_redo,
            key="redo_mark",
            on_click=change,
            args=("Redone: ", marks.redo),
        )
        if any_marked:
            with st.popover("Clear all", icon=":material/delete_sweep:"):
                st.write("Clear all marks? You can undo this.")
                st.button(
                    "Clear all marks",
                    type="primary",
                    key="clear_marks",
                    on_click=change,
                    args=("", marks.clear),
                )


def change(prefix: str, make: Callable[[], Change | None]) -> None:
    """Change marks and say what was done, or why it could not be."""
    try:
        made = make()
    except CurationError as error:
        st.session_state[PROBLEM] = error
        return
    said = f"{prefix}{made}" if made else "Nothing to change"
    st.toast(said[0].upper() + said[1:], icon=":material/done_all:")


def listed(catalog: Catalog, marks: Marks) -> None:
    """Every mark with its sample, newest first."""
    total = sum(marks.counts().values())
    if not total:
        nothing("No samples are marked.")
        return
    shown = marks.newest(PAGE, PAGE * paged("marks_page", total, "mark"))
    samples = of(catalog, [mark.uid for mark in shown])
    pictures = load(catalog, list(samples.values()))
    for mark in shown:
        with st.container(horizontal=True, vertical_alignment="center", border=True):
            st.html(described(mark, samples.get(mark.uid), pictures.get(mark.uid)))
            st.button(
                "Revert",
                icon=":material/close:",
                key=f"revert_{mark.uid}",
                help="Remove this mark",
                on_click=change,
                args=("", partial(marks.mark, [mark.uid], None)),
            )


def paged(key: str, total: int, noun: str) -> int:
    """The page that is chosen, counted from 0."""
    pages = -(-total // PAGE)
    if pages == 1:
        return 0
    with st.container(horizontal=True, vertical_alignment="center"):
        page = number(
            "Page",
            key,
            1.0,
            1.0,
            float(pages),
            0,
            step=1.0,
            width=150,
            label_visibility="collapsed",
        )
        st.caption(
            f"Page {page:.0f} of {formatting.count(pages)} · {formatting.plural(total, noun)}"
        )
    return int(page) - 1


def of(catalog: Catalog, uids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The samples of these that the catalog has, by uid."""
    return {row["uid"]: row for row in catalog.rows(list(catalog.uids.find_rows(uids).values()))}


def load(catalog: Catalog, rows: Sequence[dict[str, Any]]) -> dict[str, bytes | None]:
    root = locations.parse(catalog.dataset.image_root)
    found = thumbnails.load(shell.workspace(), root, rows, from_the_web=web_images.is_on())
    return {row["uid"]: picture for row, picture in zip(rows, found, strict=True)}


def described(mark: Mark, sample: dict[str, Any] | None, picture: bytes | None) -> str:
    """A mark as a line of HTML."""
    frame = "<span>no image</span>"
    if picture is not None:
        data = base64.b64encode(picture).decode()
        frame = f"<img alt='' src='data:image/jpeg;base64,{data}'>"
    return (
        f"<div class='marked-row' data-uid='{mark.uid}'><div class='frame'>{frame}</div>"
        f"{sign(mark.mark)}<div>{caption(sample)}<small>{mark.uid}</small></div>"
        f"<small>{at(mark.marked)[:-3]} UTC</small></div>"
    )


def log(catalog: Catalog, marks: Marks) -> None:
    """What became of every mark, newest first; what still stands can be reverted."""
    total = marks.status(()).log_length
    lines = marks.log(PAGE, PAGE * paged("log_page", total, "change"))
    samples = of(catalog, [line.uid for line in lines])
    for line in lines:
        with st.container(horizontal=True, vertical_alignment="center", border=True):
            st.html(changed(line, samples.get(line.uid)))
            st.button(
                "Revert",
                icon=":material/undo:",
                key=f"revert_line_{line.number}",
                disabled=not line.is_current,
                help="Restore the previous mark"
                if line.is_current
                else "The mark has changed since",
                on_click=change,
                args=("", partial(marks.revert, line.number)),
            )


def changed(line: LogEntry, sample: dict[str, Any] | None) -> str:
    """A line of the log as a line of HTML."""
    return (
        f"<div class='marked-row line' data-uid='{line.uid}'>"
        f"<small>{at(line.logged)}</small><span>{line.action}</span>"
        f"<span class='change'>{sign(line.old)} → {sign(line.new)}</span>"
        f"<div>{caption(sample)}<small>{line.uid}</small></div></div>"
    )


def sign(mark: Kind | None) -> str:
    return f"<span class='sign {mark or ''}'>{SIGNS[mark]}</span>"


def caption(sample: dict[str, Any] | None) -> str:
    """It is a stranger's, and is shown as it is."""
    if sample is None:
        return "<span class='caption'>not in this dataset</span>"
    ws = {name: st.query_params[name] for name in ("ws",) if name in st.query_params}
    address = escape(f"sample?{urlencode(ws | {'uid': sample['uid']})}")
    return f"<a class='caption' href='{address}'>{escape(str(sample['caption']))}</a>"


def at(time: str) -> str:
    return time.replace("T", " ")[:19]


main()
