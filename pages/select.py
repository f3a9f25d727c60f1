"""Select: edit a recipe step by step, and see what each step keeps and removes."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from curation import formatting
from curation.analysis import compare
from curation.catalog.catalog import Catalog, Mask
from curation.errors import CurationError
from curation.selection import select
from curation.selection.decisions import SavedSelection
from curation.selection.marks import Marks
from curation.selection.recipe import Recipe, ScoreStep, SetStep, describe
from curation.selection.select import Walk
from pages.widgets.app import shell
from pages.widgets.app.markdown import show_error
from pages.widgets.app.metrics import tile
from pages.widgets.gallery import gallery, web_images
from pages.widgets.recipe import draft as drafts
from pages.widgets.recipe import recipe_sources, step_edits, steps
from pages.widgets.recipe.draft import Draft, History
from pages.widgets.state import caches
from pages.widgets.state.url import choose

shell.enter("select")

ORDERS = {"random": "Random", "cut": "Closest to cutoff"}
# Samples in a gallery at most.
MOST = 100 * gallery.PAGE


def main() -> None:
    catalog = shell.catalog()
    history = drafts.history()
    draft = history.current
    link_error = drafts.pop_link_error()
    if link_error:
        show_error(link_error)
    try:
        saved, names = shell.decisions().saved_selections(), shell.decisions().names()
        keep, drop = Marks.of(shell.workspace()).all()
    except CurationError as error:
        show_error(error)
        return
    recipe = draft.recipe((keep, drop))
    walk = evaluate(catalog, recipe)
    steps.style(shell.is_dark())
    with st.container(key="bench"):
        left, right = st.columns(2, gap="medium")
    with left:
        recipe_sources.panel(catalog, saved, is_open=not draft.lines)
        toolbar(history, recipe, saved, walk)
        steps.show(catalog, draft, walk, names)
        add_button(catalog, draft, walk)
        steps.marks_row(draft, walk, (len(keep), len(drop)))
        if not drafts.write_to_url(draft):
            st.caption("This recipe is too long for a link; download it instead.")
    with right:
        show_result(catalog, recipe, walk)
    web_images.switch(catalog)
    shell.dataset_facts(catalog)


def evaluate(catalog: Catalog, recipe: Recipe) -> Walk:
    """The recipe evaluated step by step, from the cache if it was before."""
    # A change of this file may change the selections that the recipe uses.
    file = shell.workspace().curation
    named = any(isinstance(step, SetStep) for step in recipe.steps) and file.is_file()
    changed = file.stat().st_mtime_ns if named else 0
    return _walk(catalog, recipe, changed)


def toolbar(history: History, recipe: Recipe, saved: Sequence[SavedSelection], walk: Walk) -> None:
    """Show the name of the recipe, and buttons to save, download, export, undo and redo."""
    is_whole = walk.problem is None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.session_state["recipe_name"] = recipe.name
        st.text_input("Recipe", key="recipe_name", on_change=rename, max_chars=80, width="stretch")
        save_button(recipe, {selection.name: selection for selection in saved}, is_whole)
        st.download_button(
            "Download",
            recipe.to_yaml,
            f"{recipe.name}.yaml",
            "application/yaml",
            icon=":material/description:",
            on_click="ignore",
            key="download_recipe",
        )
        if st.button(
            "Export…",
            icon=":material/download:",
            type="primary",
            key="export_this",
            disabled=not (is_whole and walk.selection.count),
        ):
            st.session_state["recipe_text"] = recipe.to_yaml()
            st.session_state["from"] = "recipe"
            kept = {"ws": st.query_params["ws"]} if "ws" in st.query_params else {}
            st.switch_page("pages/export.py", query_params=kept | {"from": "recipe"})
    if "save_problem" in st.session_state:
        show_error(st.session_state.pop("save_problem"))
    with st.container(horizontal=True, gap="small"):
        for name, icon, shortcut, by, ends in (
            ("Undo", "undo", "Mod+Z", -1, 0),
            ("Redo", "redo", "Mod+Shift+Z", 1, len(history.drafts) - 1),
        ):
            st.button(
                name,
                icon=f":material/{icon}:",
                key=f"{icon}_step",
                shortcut=shortcut,
                type="tertiary",
                disabled=history.position == ends,
                on_click=drafts.move,
                args=(by,),
            )


def rename() -> None:
    name = st.session_state["recipe_name"].strip() or drafts.NAME
    drafts.change(lambda draft: draft.named(name))


def save_button(recipe: Recipe, saved: dict[str, SavedSelection], is_whole: bool) -> None:
    """Under the recipe's name; where that is taken, only when asked again."""
    existing = saved.get(recipe.name)
    icon = ":material/bookmark:"
    if existing is None:
        st.button(
            "Save",
            icon=icon,
            key="save_new",
            disabled=not is_whole,
            on_click=keep_as,
            args=(recipe, None),
        )
    elif existing.recipe == recipe:
        st.button("Saved", icon=":material/bookmark_added:", key="save_same", disabled=True)
    else:
        with st.popover("Save", icon=icon, disabled=not is_whole):
            count = formatting.plural(len(existing.recipe.steps), "step")
            st.write(f"Overwrite `{existing.name}` ({count})?")
            st.button(
                "Overwrite",
                type="primary",
                key="save_over",
                on_click=keep_as,
                args=(recipe, existing),
            )


def keep_as(recipe: Recipe, seen: SavedSelection | None) -> None:
    """Save, unless what has this name is not what the curator was asked about."""
    decisions = shell.decisions()
    try:
        if decisions.recipe(recipe.name) == (seen.recipe if seen else None):
            decisions.save_recipe(recipe.name, recipe)
            st.toast(f"Saved as {recipe.name}", icon=":material/bookmark:")
    except CurationError as error:
        st.session_state["save_problem"] = error


def add_button(catalog: Catalog, draft: Draft, walk: Walk) -> None:
    left, total = walk.selection.remaining, len(draft.lines)
    share = (left[-1] if left else len(catalog)) / max(len(catalog), 1)
    st.button(
        "Add step",
        icon=":material/add:",
        key="add_step",
        on_click=drafts.change,
        args=(lambda d: d.with_new_step(step_edits.new_step(catalog, d, share), total),),
    )


def show_result(catalog: Catalog, recipe: Recipe, walk: Walk) -> None:
    """Show how many samples are selected, their hash, and a gallery."""
    selection, pool = walk.selection, len(catalog)
    done = len(selection.recipe.steps)
    name = "Selected"
    if walk.problem is not None:
        name = f"Remaining before step {done + 1} (invalid)"
    share = f"{formatting.share(selection.count, pool)} of {formatting.count(pool)}"
    left, right = st.columns([2, 3], vertical_alignment="center")
    tile(left, name, formatting.count(selection.count), share)
    with right:
        show_hash(catalog, recipe, walk)
    show_gallery(catalog, walk)


def show_hash(catalog: Catalog, recipe: Recipe, walk: Walk) -> None:
    """Show the hash of the result on demand: it takes three seconds at ten million samples."""
    if walk.problem is not None:
        return
    key = (caches.catalog_key(catalog), _recipe_key(recipe))
    is_requested = st.button("Compute SHA-256 of uids", icon=":material/fingerprint:", key="hash")
    if is_requested:
        with st.spinner("Sorting and hashing …"):
            st.session_state["hashed"] = key, walk.selection.digest
    known = st.session_state.get("hashed")
    if known and known[0] == key:
        st.code(known[1], language=None, wrap_lines=True)


def show_gallery(catalog: Catalog, walk: Walk) -> None:
    """Show the samples that are selected, or that one of the steps removed."""
    recipe = walk.selection.recipe
    done = recipe.steps
    shown = {"kept": "Selected"}
    for number in range(len(done), 0, -1):
        shown[f"step{number}"] = f"Removed by step {number} – {describe(done[number - 1])}"
    if recipe.drop:
        shown["marks"] = "Manually dropped"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        part = choose(st.selectbox, "Show", shown, "out")
        order = choose(st.selectbox, "Order", ORDERS, "out_order", width=170)
    mask, cut = members(walk, part)
    scores = [step.score for step in done if isinstance(step, ScoreStep)]
    columns = list(dict.fromkeys([*scores, *(c.name for c in catalog.scores)]))[:2]
    if order == "cut" and cut is not None:
        # The best of the removed samples, or the worst of the kept ones, are closest to the cutoff.
        is_best = (part == "kept") == (cut.rule == "at_most")
        rows = compare.sorted_rows(catalog, cut.score, mask, is_best, MOST)
    else:
        rows = gallery.random_rows(mask, MOST)
    gallery.paged(
        shell.workspace(),
        catalog,
        rows,
        columns,
        f"page_{part}",
        int(np.count_nonzero(mask)),
        "No samples are selected." if part == "kept" else "No samples were removed here.",
    )


def members(walk: Walk, part: str) -> tuple[Mask, ScoreStep | None]:
    """The samples of a part, and the score step whose cutoff bounds it."""
    done = walk.selection.recipe.steps
    if part == "kept":
        last = next((step for step in reversed(done) if isinstance(step, ScoreStep)), None)
        return walk.selection.mask, last
    if part == "marks":
        return walk.left_out_by > len(done), None
    number = int(part.removeprefix("step"))
    step = done[number - 1]
    return walk.left_out_by == number, step if isinstance(step, ScoreStep) else None


def _recipe_key(recipe: Recipe) -> str:
    """A cache key without the name, and without the text of very many uids."""
    return f"{recipe.steps} {hash(recipe.keep)} {hash(recipe.drop)}"


@st.cache_resource(
    max_entries=4,
    show_spinner=False,
    hash_funcs={Catalog: caches.catalog_key, Recipe: _recipe_key},
)
def _walk(catalog: Catalog, recipe: Recipe, changed: int) -> Walk:
    return select.walk(recipe, catalog, shell.decisions())


main()
