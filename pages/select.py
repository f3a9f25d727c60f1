"""Select: a recipe step by step, what each step leaves, and the samples that it keeps and drops."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray

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
from pages.widgets.gallery import gallery, web_images
from pages.widgets.recipe import draft as drafts
from pages.widgets.recipe import recipe_sources, step_edits, steps
from pages.widgets.recipe.draft import Draft, History
from pages.widgets.state import caches
from pages.widgets.state.url import choose

shell.enter("select")

ORDERS = {"random": "Random", "cut": "Closest to cutoff"}
SEED = 0
# As many pictures as a person might page through.
MOST = 100 * gallery.PAGE


def main() -> None:
    catalog = shell.catalog()
    history = drafts.history()
    draft = history.now
    wrong = drafts.problem_of_link()
    if wrong:
        show_error(wrong)
    try:
        saved, names = shell.decisions().saved_selections(), shell.decisions().names()
        keep, drop = Marks.of(shell.workspace()).all()
    except CurationError as error:
        show_error(error)
        return
    recipe = draft.recipe((keep, drop))
    walk = follow(catalog, recipe)
    steps.style(shell.is_dark())
    with st.container(key="bench"):
        left, right = st.columns(2, gap="medium")
    with left:
        recipe_sources.panel(catalog, saved, is_open=not draft.lines)
        toolbar(history, recipe, saved, walk)
        steps.show(catalog, draft, walk, names)
        add(catalog, draft, walk)
        steps.marks_row(draft, walk, (len(keep), len(drop)))
        if not drafts.tell(draft):
            st.caption("This recipe is too long for a link; download it instead.")
    with right:
        result(catalog, recipe, walk)
    web_images.switch(catalog)
    shell.dataset_facts(catalog)


def follow(catalog: Catalog, recipe: Recipe) -> Walk:
    """The recipe evaluated; another page of pictures, or an undo, need not do it again."""
    # What is decided may change what a name stands for.
    file = shell.workspace().curation
    named = any(isinstance(step, SetStep) for step in recipe.steps) and file.is_file()
    changed = file.stat().st_mtime_ns if named else 0
    return _follow(catalog, caches.catalog_key(catalog), said(recipe), changed, recipe)


def toolbar(history: History, recipe: Recipe, saved: Sequence[SavedSelection], walk: Walk) -> None:
    """The recipe's name, what can be done with the whole of it, undo and redo."""
    is_whole = walk.problem is None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.session_state["recipe_name"] = recipe.name
        st.text_input("Recipe", key="recipe_name", on_change=rename, max_chars=80, width="stretch")
        save(recipe, {one.name: one for one in saved}, is_whole)
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
                disabled=history.at == ends,
                on_click=drafts.move,
                args=(by,),
            )


def rename() -> None:
    name = st.session_state["recipe_name"].strip() or drafts.NAME
    drafts.change(lambda draft: replace(draft, name=name))


def save(recipe: Recipe, saved: dict[str, SavedSelection], is_whole: bool) -> None:
    """Under the recipe's name; where that is taken, only when asked again."""
    there = saved.get(recipe.name)
    icon = ":material/bookmark:"
    if there is None:
        st.button(
            "Save",
            icon=icon,
            key="save_new",
            disabled=not is_whole,
            on_click=keep_as,
            args=(recipe, None),
        )
    elif there.recipe == recipe:
        st.button("Saved", icon=":material/bookmark_added:", key="save_same", disabled=True)
    else:
        with st.popover("Save", icon=icon, disabled=not is_whole):
            count = formatting.plural(len(there.recipe.steps), "step")
            st.write(f"Replace what is saved as `{there.name}`, of {count}?")
            st.button(
                "Overwrite",
                type="primary",
                key="save_over",
                on_click=keep_as,
                args=(recipe, there),
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


def add(catalog: Catalog, draft: Draft, walk: Walk) -> None:
    left, total = walk.selection.remaining, len(draft.lines)
    share = (left[-1] if left else len(catalog)) / max(len(catalog), 1)
    st.button(
        "Add step",
        icon=":material/add:",
        key="add_step",
        on_click=drafts.change,
        args=(lambda d: d.added(step_edits.new(catalog, d, share), total),),
    )


def result(catalog: Catalog, recipe: Recipe, walk: Walk) -> None:
    """How many samples are selected, their hash, and pictures."""
    found, pool = walk.selection, len(catalog)
    followed = len(found.recipe.steps)
    name, note = "Selected", f"{formatting.share(found.count, pool)} of {formatting.count(pool)}"
    if walk.problem is not None:
        name = f"Remaining before step {followed + 1} (invalid)"
    tile, hashed = st.columns([2, 3], vertical_alignment="center")
    tile.metric(
        name, formatting.count(found.count), note, delta_color="off", delta_arrow="off", border=True
    )
    with hashed:
        digest(catalog, recipe, walk)
    pictures(catalog, walk)


def digest(catalog: Catalog, recipe: Recipe, walk: Walk) -> None:
    """The hash of the result, on demand: it takes three seconds at ten million samples."""
    if walk.problem is not None:
        return
    of = (caches.catalog_key(catalog), said(recipe))
    asked = st.button("Compute SHA-256 of uids", icon=":material/fingerprint:", key="hash")
    if asked:
        with st.spinner("Sorting and hashing …"):
            st.session_state["hashed"] = of, walk.selection.digest
    known = st.session_state.get("hashed")
    if known and known[0] == of:
        st.code(known[1], language=None, wrap_lines=True)


def pictures(catalog: Catalog, walk: Walk) -> None:
    found = walk.selection
    made = found.recipe.steps
    shown = {"kept": "Selected"}
    for number in range(len(made), 0, -1):
        shown[f"step{number}"] = f"Removed by step {number} – {describe(made[number - 1])}"
    if found.recipe.drop:
        shown["marks"] = "Manually dropped"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        part = choose(st.selectbox, "Show", shown, "out")
        order = choose(st.selectbox, "Order", ORDERS, "out_order", width=170)
    mask, cut = members(walk, part)
    scores = [step.score for step in made if isinstance(step, ScoreStep)]
    told = list(dict.fromkeys([*scores, *(c.name for c in catalog.scores)]))[:2]
    if order == "cut" and cut is not None:
        # Of what is left out, the best are nearest to the cut; of what is kept, the worst.
        is_best = (part == "kept") == (cut.rule == "at_most")
        rows = compare.sorted_rows(catalog, cut.score, mask, is_best, MOST)
    else:
        rows = some(mask)
    gallery.paged(
        shell.workspace(),
        catalog,
        rows,
        told,
        f"page_{part}",
        int(np.count_nonzero(mask)),
        "No samples are selected." if part == "kept" else "No samples were removed here.",
    )


def members(walk: Walk, part: str) -> tuple[Mask, ScoreStep | None]:
    """The samples of a part, and the step whose cut they are near to."""
    made = walk.selection.recipe.steps
    if part == "kept":
        last = next((step for step in reversed(made) if isinstance(step, ScoreStep)), None)
        return walk.selection.mask, last
    if part == "marks":
        return walk.left_out_by > len(made), None
    number = int(part.removeprefix("step"))
    step = made[number - 1]
    return walk.left_out_by == number, step if isinstance(step, ScoreStep) else None


def some(mask: Mask) -> NDArray[np.int64]:
    """MOST of the samples at random, always the same ones."""
    rows = np.flatnonzero(mask)
    return np.random.default_rng(SEED).choice(rows, min(MOST, len(rows)), replace=False)


def said(recipe: Recipe) -> str:
    return f"{recipe.steps} {hash(recipe.keep)} {hash(recipe.drop)}"


@st.cache_resource(max_entries=4, show_spinner=False)
def _follow(_catalog: Catalog, key: str, said: str, changed: int, _recipe: Recipe) -> Walk:
    return select.walk(_recipe, _catalog, shell.decisions())


main()
