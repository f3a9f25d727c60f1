"""Marks on cards: set with the buttons of a card or with keys, and shown on the cards.

The cards are HTML that does not change when a mark does, so the browser keeps the scroll position
and the focus. Buttons, marks and the bar below the cards are a component without HTML of its own:
its script adds them to the cards, and only this fragment reruns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

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


@dataclass
class _State:
    """What the session knows about the marks of one gallery.

    Attributes:
        done: the number of the last action that was carried out.
        message: what that action did, and ``step`` the button next to it: undo, redo or none.
        log_length: the length of the log after that action; None until it has been read.
        is_elsewhere: whether the action also changed samples outside this gallery.
        error: why an action failed, until it is shown.
    """

    done: int = 0
    message: str = ""
    step: str = ""
    log_length: int | None = 0
    is_elsewhere: bool = False
    error: CurationError | None = None

    def report(self, message: str, step: str) -> None:
        self.message, self.step, self.log_length = message, step, None


@st.fragment
def marking(workspace: Workspace, uids: Sequence[str], key: str, is_page: bool = False) -> None:
    """Let the cards in the container ``key`` take marks.

    Args:
        is_page: whether the one card is of the sample that the page is about. It then gets the keys
            that are pressed anywhere on the page.
    """
    state: _State = st.session_state.setdefault(f"{key}_state", _State())
    if state.is_elsewhere:
        # Other galleries of this page show the samples that changed.
        state.is_elsewhere = False
        st.rerun()
    marks = Marks.of(workspace)
    if state.error is not None:
        show_error(state.error)
        state.error = None
    try:
        status = marks.status(uids)
    except CurationError as error:
        show_error(error)
        return
    if state.log_length is None:
        state.log_length = status.log_length
    # The message holds until something else is marked, here or in another window.
    is_last = state.log_length == status.log_length
    has_marks = bool(status.keep or status.drop)
    result = _component(
        key=f"{key}_marking",
        # A list, because Streamlit searches dicts for tables and imports pandas to do so.
        data=[
            {
                "key": key,
                "isPage": is_page,
                "parameters": list(_shared_parameters().items()),
                "workspace": str(workspace.path),
                "marks": {uid: status.marks.get(uid) for uid in uids},
                "total": describe_counts(status.keep, status.drop) if has_marks else "",
                "logLength": status.log_length,
                "done": state.done,
                "message": state.message if is_last else "",
                "step": state.step if is_last else "",
            }
        ],
        on_act_change=partial(_act, marks, frozenset(uids), key),
        on_open_change=lambda: None,
    )
    if result.open in uids:
        parameters = {"uid": result.open} | _shared_parameters()
        st.switch_page("pages/sample.py", query_params=parameters)


def _shared_parameters() -> dict[str, str]:
    """The query parameters to keep when a sample is opened: all of them on the Sample page."""
    parameters = st.query_params.to_dict()
    is_sample_page = parameters.pop("uid", None) is not None
    return {name: value for name, value in parameters.items() if is_sample_page or name == "ws"}


def _act(marks: Marks, uids: frozenset[str], key: str) -> None:
    """Carry out the actions that the browser sends; it repeats each one until it is confirmed."""
    state: _State = st.session_state[f"{key}_state"]
    for number, action, uid in st.session_state[f"{key}_marking"].act or ():
        if number <= state.done:
            continue
        state.done = number
        try:
            if action in ("undo", "redo"):
                _step(marks, uids, state, action)
            elif uid in uids:
                change = marks.mark([uid], next((kind for kind in KINDS if kind == action), None))
                if change is not None:
                    state.report(str(change), "undo")
        except CurationError as error:
            state.error = error


def _step(marks: Marks, uids: frozenset[str], state: _State, action: str) -> None:
    """Undo or redo the last change of marks, in whichever gallery it was made."""
    change = marks.undo() if action == "undo" else marks.redo()
    if change is None:
        state.report(f"nothing to {action}", "")
        return
    state.is_elsewhere = state.is_elsewhere or not uids.issuperset(change.uids)
    where = ", not in this gallery" if uids.isdisjoint(change.uids) else ""
    if action == "undo":
        state.report(f"undone: {change}{where}", "redo")
    else:
        state.report(f"redone: {change}{where}", "undo")
