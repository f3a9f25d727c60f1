"""Marks: the samples marked keep or drop, and the log of all changes."""

from collections.abc import Callable, Sequence
from functools import partial
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
from pages.widgets.app.html import Html, element, picture, style
from pages.widgets.app.markdown import show_error
from pages.widgets.gallery import web_images
from pages.widgets.state.url import choose, page_number

shell.enter("marks")

PAGE = 24
VIEWS = {"marks": "Marked samples", "log": "Log"}
SIGNS: dict[Kind | None, str] = {"keep": "✓ Keep", "drop": "✕ Drop", None: "No mark"}
# An error of a callback, which the next run shows.
ERROR = "marks_error"

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
    if ERROR in st.session_state:
        show_error(st.session_state.pop(ERROR))
    try:
        count_tiles(catalog, marks)
        change_buttons(marks)
        if not marks.log(1):
            show_hint("No marks yet.")
            return
        st.html(style(_CSS))
        view = choose(
            st.segmented_control,
            "Show",
            VIEWS,
            "view",
            required=True,
            label_visibility="collapsed",
        )
        if view == "marks":
            list_marks(catalog, marks)
        else:
            list_log(catalog, marks)
    except CurationError as error:
        show_error(error)


def show_hint(text: str) -> None:
    st.info(
        f"{text} Point at a card and click ✓ or ✕, or focus it and press K to keep or D to drop. "
        "Marks override the cutoffs and apply to exports.",
        icon=":material/done_all:",
    )


def count_tiles(catalog: Catalog, marks: Marks) -> None:
    keep, drop = marks.all()
    absent = len(keep) + len(drop) - len(catalog.uids.find_rows([*keep, *drop]))
    shown = {"Manually kept": len(keep), "Manually dropped": len(drop)}
    shown |= {"Not in this dataset": absent} if absent else {}
    for column, (name, value) in zip(st.columns(4), shown.items(), strict=False):
        column.metric(name, formatting.count(value), border=True)


def change_buttons(marks: Marks) -> None:
    """Buttons to undo, to redo, and to clear all marks."""
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
    """Change marks; a toast says what was done, or the next run shows the error."""
    try:
        done = make()
    except CurationError as error:
        st.session_state[ERROR] = error
        return
    message = f"{prefix}{done}" if done else "Nothing to change"
    st.toast(message[0].upper() + message[1:], icon=":material/done_all:")


def list_marks(catalog: Catalog, marks: Marks) -> None:
    """Show every mark with its sample, newest first."""
    total = sum(marks.counts().values())
    if not total:
        show_hint("No samples are marked.")
        return
    shown = marks.newest(
        PAGE, PAGE * page_number("marks_page", total, PAGE, formatting.plural(total, "mark"))
    )
    samples = samples_by_uid(catalog, [mark.uid for mark in shown])
    pictures = pictures_by_uid(catalog, list(samples.values()))
    for mark in shown:
        with st.container(horizontal=True, vertical_alignment="center", border=True):
            st.html(mark_row(mark, samples.get(mark.uid), pictures.get(mark.uid)))
            st.button(
                "Revert",
                icon=":material/close:",
                key=f"revert_{mark.uid}",
                help="Remove this mark",
                on_click=change,
                args=("", partial(marks.mark, [mark.uid], None)),
            )


def samples_by_uid(catalog: Catalog, uids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The rows of those samples that the catalog has."""
    return {row["uid"]: row for row in catalog.rows(list(catalog.uids.find_rows(uids).values()))}


def pictures_by_uid(catalog: Catalog, rows: Sequence[dict[str, Any]]) -> dict[str, bytes | None]:
    root = locations.parse(catalog.dataset.image_root)
    pictures = thumbnails.load(shell.workspace(), root, rows, from_the_web=web_images.is_on())
    return {row["uid"]: jpeg for row, jpeg in zip(rows, pictures, strict=True)}


def mark_row(mark: Mark, sample: dict[str, Any] | None, jpeg: bytes | None) -> Html:
    image = element("span", "No image") if jpeg is None else picture(jpeg)
    return element(
        "div",
        element("div", image, class_="frame"),
        sign(mark.mark),
        element("div", caption(sample), element("small", mark.uid)),
        element("small", f"{readable(mark.marked)[:-3]} UTC"),
        class_="marked-row",
        data_uid=mark.uid,
    )


def list_log(catalog: Catalog, marks: Marks) -> None:
    """Show every change, newest first; those that are still current can be reverted."""
    total = marks.status(()).log_length
    lines = marks.log(
        PAGE, PAGE * page_number("log_page", total, PAGE, formatting.plural(total, "change"))
    )
    samples = samples_by_uid(catalog, [line.uid for line in lines])
    for line in lines:
        with st.container(horizontal=True, vertical_alignment="center", border=True):
            st.html(log_row(line, samples.get(line.uid)))
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


def log_row(line: LogEntry, sample: dict[str, Any] | None) -> Html:
    return element(
        "div",
        element("small", readable(line.logged)),
        element("span", line.action),
        element("span", sign(line.old), " → ", sign(line.new), class_="change"),
        element("div", caption(sample), element("small", line.uid)),
        class_="marked-row line",
        data_uid=line.uid,
    )


def sign(mark: Kind | None) -> Html:
    return element("span", SIGNS[mark], class_=f"sign {mark or ''}")


def caption(sample: dict[str, Any] | None) -> Html:
    """The caption of a sample as a link to the Sample page."""
    if sample is None:
        return element("span", "not in this dataset", class_="caption")
    parameters = {name: st.query_params[name] for name in ("ws",) if name in st.query_params}
    address = f"sample?{urlencode(parameters | {'uid': sample['uid']})}"
    return element("a", sample["caption"], class_="caption", href=address)


def readable(time: str) -> str:
    """An ISO time as date and time to the second."""
    return time.replace("T", " ")[:19]


main()
