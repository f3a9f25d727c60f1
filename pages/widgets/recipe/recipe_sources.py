"""What a recipe starts from: a paper recipe, a saved one, a quadrant, a file, or nothing."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from curation import formatting
from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.selection import paper_recipes
from curation.selection.decisions import Decisions, SavedSelection
from curation.selection.recipe import Recipe
from pages.widgets.app import shell
from pages.widgets.app.markdown import plain, show_error
from pages.widgets.quadrants import thresholds
from pages.widgets.quadrants.names import quadrant_names
from pages.widgets.recipe import draft as drafts
from pages.widgets.state.url import choose

KINDS = {
    "paper": "Paper recipes",
    "saved": "Saved",
    "quadrant": "Quadrant",
    "file": "File",
    "empty": "Empty",
}
# Megabytes; a recipe with ten thousand uids has 0.4.
_LARGEST = 10
_OPEN = "start_panel"
_ERROR = "start_error"


_CSS = """
[class*="st-key-offer"] button[kind="tertiary"] {min-height: 1.5rem; padding: 0; font-weight: 600}
[class*="st-key-offer"] button[kind="tertiary"]:not(:disabled) {color: var(--funnel-left)}
[class*="st-key-offer"] [data-testid="stCaptionContainer"] {margin-bottom: -.35rem}
"""


def panel(catalog: Catalog, saved: Sequence[SavedSelection], is_open: bool) -> None:
    """The panel of sources, folded away once there is a recipe."""
    st.session_state.setdefault(_OPEN, is_open)
    expander = st.expander("Start from", icon=":material/start:", key=_OPEN, on_change="rerun")
    if not expander.open:
        return
    with expander:
        st.html(f"<style>{_CSS}</style>")
        kind = choose(
            st.segmented_control,
            "Start from",
            KINDS,
            "start",
            required=True,
            label_visibility="collapsed",
        )
        if _ERROR in st.session_state:
            show_error(st.session_state.pop(_ERROR))
        if kind == "paper":
            _paper(catalog)
        elif kind == "saved":
            _saved(saved)
        elif kind == "quadrant":
            _quadrant(catalog)
        elif kind == "file":
            st.file_uploader(
                "Recipe (YAML)",
                ["yaml", "yml"],
                key="upload",
                on_change=_read_file,
                max_upload_size=_LARGEST,
            )
        else:
            st.button(
                "Start with an empty recipe",
                icon=":material/select_all:",
                on_click=_start,
                args=(Recipe(drafts.NAME), True),
            )


def _paper(catalog: Catalog) -> None:
    targets = paper_recipes.target_columns(catalog)
    relevance = ""
    if len(targets) > 1:
        relevance = choose(st.selectbox, "Target", targets, "start_target", width=320)
    with st.container(gap=None, key="offers"):
        for number, offer in enumerate(paper_recipes.for_catalog(catalog, relevance)):
            st.button(
                plain(offer.title),
                key=f"paper_{number}",
                type="tertiary",
                disabled=bool(offer.missing),
                on_click=_start,
                args=(offer.recipe, True),
            )
            needs = f"{plain(offer.missing[:1].upper() + offer.missing[1:])}."
            st.caption(offer.origin + (f" **{needs}**" if offer.missing else ""))
    st.caption(
        "Shares are of the whole pool. Source: [arXiv 2405.19547](https://arxiv.org/abs/2405.19547)"
        " and its authors' runs."
    )


def _quadrant(catalog: Catalog) -> None:
    view = thresholds.controls(catalog)
    names = quadrant_names(view)
    quadrant = choose(st.selectbox, "Quadrant", names, "quadrant")
    st.caption("Uses the cutoffs of the Quadrants page; change them in the sidebar.")
    try:
        recipe = view.recipe(quadrant, f"{view.x}_{view.y}_{quadrant}")
    except CurationError as error:
        show_error(error)
        return
    count = formatting.plural(view.counts()[quadrant], "sample")
    st.button(
        f"Start from this quadrant ({count})",
        key="take_quadrant",
        on_click=_start,
        args=(recipe, True),
    )


def _saved(saved: Sequence[SavedSelection]) -> None:
    """The saved selections, each with its buttons."""
    if not saved:
        st.info(
            "No saved selections yet. Save one on this page, or with "
            "`clip-curation select WORKSPACE RECIPE --save NAME`."
        )
        return
    decisions = shell.decisions()
    for selection in saved:
        with st.container(
            horizontal=True, vertical_alignment="center", key=f"saved_{selection.name}"
        ):
            with st.container(gap=None, key=f"offer_{selection.name}"):
                st.button(
                    selection.name,
                    key=f"load_{selection.name}",
                    type="tertiary",
                    on_click=_start,
                    args=(selection.recipe, False),
                    help="Load this selection",
                )
                steps = formatting.plural(len(selection.recipe.steps), "step")
                st.caption(f"{steps} · saved {selection.saved.replace('T', ' ')[:16]} UTC")
            with st.popover("Rename", type="tertiary", key=f"renaming_{selection.name}"):
                new = st.text_input("New name", selection.name, key=f"new_name_{selection.name}")
                st.button(
                    "Rename",
                    key=f"rename_{selection.name}",
                    type="primary",
                    on_click=_rename,
                    args=(decisions, selection.name, new),
                )
            with st.popover("Delete", type="tertiary", key=f"deleting_{selection.name}"):
                st.write(f"Delete `{selection.name}`? This cannot be undone. Exported files stay.")
                st.button(
                    "Delete selection",
                    key=f"delete_{selection.name}",
                    type="primary",
                    on_click=_delete,
                    args=(decisions, selection.name),
                )


def _start(recipe: Recipe, with_marks: bool) -> None:
    drafts.start(recipe, with_marks)
    st.session_state[_OPEN] = False


def _read_file() -> None:
    file = st.session_state.get("upload")
    if file is None:
        return
    try:
        text = file.getvalue().decode("utf-8")
    except UnicodeDecodeError:
        st.session_state[_ERROR] = CurationError(f"{file.name} is not a text file")
        return
    try:
        _start(Recipe.parse(text, file.name), False)
    except CurationError as error:
        st.session_state[_ERROR] = error


def _rename(decisions: Decisions, name: str, new: str) -> None:
    try:
        decisions.rename(name, new)
        if drafts.history().current.name == name:
            drafts.change(lambda draft: draft.named(new))
        st.toast(f"Renamed to {new}", icon=":material/bookmark:")
    except CurationError as error:
        st.session_state[_ERROR] = error


def _delete(decisions: Decisions, name: str) -> None:
    try:
        decisions.delete(name)
        st.toast(f"Deleted {name}", icon=":material/delete:")
    except CurationError as error:
        st.session_state[_ERROR] = error
