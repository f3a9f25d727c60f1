"""Marks on cards: shown on them, set by their buttons and by keys.

The cards are HTML, which does not change with a mark, so that the browser keeps its
place and its focus. What is beside them here, marks, buttons and the bar below, is a component
without HTML of its own: its script puts them on the cards, and only this fragment runs again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from curation.errors import CurationError
from curation.selection.marks import KINDS, Marks, describe_counts
from curation.storage.workspace import Workspace
from pages.widgets.app.markdown import show_error

_HERE = Path(__file__)
_component = st.components.v2.component(
    "curation_marking",
    css=_HERE.with_suffix(".css").read_text(encoding="utf-8"),
    js=_HERE.with_suffix(".js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


@st.fragment
def marking(workspace: Workspace, uids: Sequence[str], key: str, is_page: bool = False) -> None:
    """Make the cards beside this, in the container ``key``, take marks.

    ``is_page`` where it is one card, of the sample that the page is all about: keys that are
    pressed anywhere are for it.
    """
    state = st.session_state.setdefault(f"{key}_state", {})
    if state.pop("elsewhere", False):
        # What was taken back is on other cards of this page, too.
        st.rerun()
    marks = Marks.of(workspace)
    if "problem" in state:
        show_error(state.pop("problem"))
    try:
        seen = marks.status(uids)
    except CurationError as error:
        show_error(error)
        return
    if state.pop("told", False):
        state["lines"] = seen.log_length
    # What was said holds until anything else is marked, here or in another window.
    is_last = state.get("lines") == seen.log_length
    told = _component(
        key=f"{key}_marking",
        # In a list: in a dict Streamlit looks for tables, and imports pandas for it.
        data=[
            {
                "key": key,
                "isPage": is_page,
                "kept": list(_kept().items()),
                "of": str(workspace.path),
                "marks": {uid: seen.marks.get(uid) for uid in uids},
                "total": describe_counts(seen.keep, seen.drop) if seen.keep or seen.drop else "",
                "lines": seen.log_length,
                "done": state.get("done", 0),
                "said": state.get("said", "") if is_last else "",
                "next": state.get("next", "") if is_last else "",
            }
        ],
        on_act_change=partial(_act, marks, frozenset(uids), key),
        on_open_change=lambda: None,
    )
    if told.open in uids:
        st.switch_page("pages/sample.py", query_params={"uid": told.open} | _kept())


def _kept() -> dict[str, str]:
    """What of the address holds for another sample too: on the Sample page, the whole view."""
    here = st.query_params.to_dict()
    is_there = here.pop("uid", None) is not None
    return {name: value for name, value in here.items() if is_there or name == "ws"}


def _act(marks: Marks, uids: frozenset[str], key: str) -> None:
    """Do what the browser asks for and was not done yet: it asks again until it hears of it."""
    state: dict[str, Any] = st.session_state[f"{key}_state"]
    for number, action, uid in st.session_state[f"{key}_marking"].act or ():
        if number <= state.get("done", 0):
            continue
        state["done"] = number
        try:
            _do(marks, uids, state, action, uid)
        except CurationError as error:
            state["problem"] = error


def _do(marks: Marks, uids: frozenset[str], state: dict[str, Any], action: str, uid: str) -> None:
    if action in ("undo", "redo"):
        change = marks.undo() if action == "undo" else marks.redo()
        if change is None:
            _tell(state, f"nothing to {action}", "")
            return
        state["elsewhere"] = state.get("elsewhere", False) or not uids.issuperset(change.uids)
        where = ", not among these" if uids.isdisjoint(change.uids) else ""
        if action == "undo":
            _tell(state, f"undone: {change}{where}", "redo")
        else:
            _tell(state, f"redone: {change}{where}", "undo")
    elif uid in uids:
        change = marks.mark([uid], next((kind for kind in KINDS if kind == action), None))
        if change is not None:
            _tell(state, str(change), "undo")


def _tell(state: dict[str, Any], said: str, what_next: str) -> None:
    state |= {"said": said, "next": what_next, "told": True}
