"""Export: which samples, in which format, and the files to take away."""

from pathlib import Path

import streamlit as st
import yaml

from curation import export, wording
from curation.catalog import Catalog
from curation.errors import CurationError
from curation.exporters import EXPORTERS
from curation.recipe import Recipe, describe
from curation.selection import Selection, select
from pages.widgets import cuts, shell
from pages.widgets.names import quadrant_names
from pages.widgets.plain import plain, problem
from pages.widgets.url import choose

shell.enter("export")

FROM = {"quadrant": "A quadrant", "recipe": "A recipe", "saved": "A saved selection"}
# A download is held in the server's memory whole; larger files are left on its disk.
DOWNLOAD_LIMIT = 200_000_000
PREVIEW = 8


def main() -> None:
    catalog = shell.catalog()
    left, right = st.columns([1, 1], gap="large")
    with left:
        st.subheader("What", anchor=False)
        recipe = pick_recipe(catalog)
        selection = evaluate(recipe, catalog) if recipe else None
        if selection:
            attrition(selection)
    with right:
        st.subheader("How", anchor=False)
        if selection is None:
            st.info("Choose what to export first.", icon=":material/arrow_back:")
        else:
            write(catalog, selection)
    if selection and selection.count:
        preview(catalog, selection)
    shell.facts(catalog)


def pick_recipe(catalog: Catalog) -> Recipe | None:
    """The recipe to export by; None where there is none yet, which the page then says."""
    origin = choose(
        st.segmented_control, "From", FROM, "from", required=True, label_visibility="collapsed"
    )
    try:
        if origin == "quadrant":
            view = cuts.controls(catalog)
            names = quadrant_names(view)
            quadrant = choose(st.selectbox, "Quadrant", names, "quadrant")
            st.caption("The lines are those of the Quadrants page; move them in the sidebar.")
            return view.recipe(quadrant, f"{view.x}-{view.y}-{quadrant}".replace("_", "-"))
        if origin == "saved":
            return saved_recipe()
        text = st.text_area(
            "Recipe (YAML)", key="recipe_text", height=230, persist_state="session",
            value=st.session_state.get("recipe_text") or example(catalog),
            help="Each step narrows what the steps before it left.",
        )  # fmt: skip
        return Recipe.parse(text)
    except CurationError as error:
        problem(error)
        return None


def example(catalog: Catalog) -> str:
    """The paper's recipe over the scores there are."""
    names = [c.name for c in catalog.scores]
    quality = next((n for n in ("neg_clip_loss", "clip_score") if n in names), names[0])
    steps = [{"score": quality, "top": 0.3, "of": "pool"}]
    relevance = next((n for n in names if n.startswith("norm_sim_inf")), None)
    if relevance:
        steps.append({"score": relevance, "top": 0.2, "of": "pool"})
    record = {"name": "my-selection", "steps": steps}
    return yaml.safe_dump(record, sort_keys=False)


def saved_recipe() -> Recipe | None:
    saved = shell.decisions().selections()
    if not saved:
        st.info("Nothing is saved yet. Save a selection here, or with "
                "`python -m curation select WORKSPACE RECIPE --save NAME`.")  # fmt: skip
        return None
    return shell.decisions().recipe(choose(st.selectbox, "Saved selection", saved, "saved"))


def evaluate(recipe: Recipe, catalog: Catalog) -> Selection | None:
    try:
        return select(recipe, catalog, shell.decisions())
    except CurationError as error:
        problem(error)
        return None


def attrition(selection: Selection) -> None:
    """How many are left after each step, and the recipe itself."""
    total = len(selection.mask)
    st.metric("Selected", wording.count(selection.count),
              f"{wording.share(selection.count, total)} of {wording.count(total)}",
              delta_color="off", delta_arrow="off", border=True)  # fmt: skip
    rows = [("the pool", total), *((describe(s), n) for s, n in
            zip(selection.recipe.steps, selection.left, strict=True))]  # fmt: skip
    st.dataframe(
        [{"After": what, "Left": left, "Share": 100 * left / max(total, 1)} for what, left in rows],
        hide_index=True,
        column_config={
            "Left": st.column_config.NumberColumn(format="localized"),
            "Share": st.column_config.NumberColumn(format="%.1f %%"),
        },
    )
    if selection.unknown:
        st.warning(f"{wording.plural(len(selection.unknown), 'uid')} of keep and drop are not in "
                   f"this dataset, the first `{selection.unknown[0]}`.")  # fmt: skip
    with st.expander("Recipe", icon=":material/description:"):
        st.code(selection.recipe.to_yaml(), language="yaml")
        with (
            st.form("save", border=False, enter_to_submit=True),
            st.container(horizontal=True, vertical_alignment="bottom"),
        ):
            name = st.text_input("Save as", placeholder="ncl30_animals20")
            if st.form_submit_button("Save", icon=":material/bookmark:"):
                save(name, selection.recipe)


def save(name: str, recipe: Recipe) -> None:
    try:
        shell.decisions().save_recipe(name, recipe)
        st.toast(f"Saved as {name}", icon=":material/bookmark:")
    except CurationError as error:
        problem(error)


def write(catalog: Catalog, selection: Selection) -> None:
    """Format, columns, name; then the files."""
    formats = {name: e.title for name, e in EXPORTERS.items()}
    format_ = choose(
        st.segmented_control, "Format", formats, "format", required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    exporter = EXPORTERS[format_]
    st.caption(f"{exporter.title}: {exporter.description}.")
    columns: list[str] = []
    if exporter.takes_columns:
        columns = st.multiselect(
            "Columns", list(catalog.columns), default=export.default_columns(catalog, format_),
            key=f"columns_{format_}", persist_state="session",
        )  # fmt: skip
    # One field a recipe: another selection must not go out under the name of the last.
    own = selection.recipe.name
    name = st.text_input("File name", value=own, key=f"name_{format_}_{own}")
    path = shell.workspace().exports / f"{Path(name).name or 'selection'}{exporter.extension}"
    st.caption(f"Written to `{wording.place(path)}`, with its recipe and a manifest beside it.")
    there = export.in_the_way(selection, path)
    names = ", ".join(plain(file.name) for file in there)
    overwrite = bool(there) and st.checkbox(f"Replace what is there already: {names}")
    ready = selection.count > 0 and (overwrite or not there)
    if st.button("Export", type="primary", icon=":material/download:", disabled=not ready):
        try:
            with st.spinner(f"Writing {wording.plural(selection.count, 'sample')} …"):
                exported = export.export(
                    catalog, selection, format_, path, columns=columns, overwrite=overwrite
                )
            st.session_state["exported"] = exported
            st.session_state["exported_recipe"] = selection.recipe
            st.rerun()
        except (CurationError, OSError) as error:
            problem(error)
    if selection.count == 0:
        st.info("This selection is empty: there is nothing to export.")
    exported = st.session_state.get("exported")
    is_this = isinstance(exported, export.Exported) and exported.path == path
    if is_this and path.exists() and st.session_state.get("exported_recipe") == selection.recipe:
        files(exported)


def files(exported: export.Exported) -> None:
    """What was written, to download where it is small."""
    size = exported.path.stat().st_size
    st.success(f"Wrote `{exported.path.name}`, {wording.file_size(size)}.",
               icon=":material/check:")  # fmt: skip
    st.caption("SHA-256 of the sorted uids, which replaying the recipe gives again:")
    st.code(exported.digest, language=None)
    if size > DOWNLOAD_LIMIT:
        st.info("Too large to download through the browser; take it from the path above.")
        return
    with st.container(horizontal=True):
        for file in (exported.path, exported.recipe, exported.manifest):
            st.download_button(
                file.name, file.read_bytes(), file.name, key=f"get_{file.name}",
                icon=":material/download:", on_click="ignore",
            )  # fmt: skip


def preview(catalog: Catalog, selection: Selection) -> None:
    st.subheader("The first of them", anchor=False)
    rows = catalog.rows(selection.mask.nonzero()[0][:PREVIEW])
    shown = export.default_columns(catalog)
    st.dataframe([{name: row[name] for name in shown} for row in rows], hide_index=True)


main()
