"""Export: choose a selection and a format, write the files, and download them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import streamlit as st
import yaml

from curation import formatting
from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.exporters import EXPORTERS, export, manifest
from curation.selection.marks import Marks, describe_counts
from curation.selection.recipe import Recipe, describe
from curation.selection.select import Selection, select
from pages.widgets.app import shell
from pages.widgets.app.markdown import code, plain, show_error
from pages.widgets.app.metrics import tile
from pages.widgets.export import preview
from pages.widgets.export.export_form import Form, pick_form, resharder
from pages.widgets.quadrants import thresholds
from pages.widgets.quadrants.names import quadrant_names
from pages.widgets.recipe import draft
from pages.widgets.state.url import choose

shell.enter("export")

FROM = {"quadrant": "Quadrant", "recipe": "Recipe", "saved": "Saved selection"}
# Bytes. A download is held in the server's memory; larger files stay on its disk.
DOWNLOAD_LIMIT = 200_000_000
MARKS = {"with": "Include marks", "without": "Ignore marks"}
# Uids of a recipe that the page shows; the file has all of them.
UIDS = 20
# The recipe of the URL that the text field has.
URL_RECIPE = "recipe_in_url"


def main() -> None:
    catalog = shell.catalog()
    left, right = st.columns([1, 1], gap="large")
    with left:
        st.subheader("Selection", anchor=False)
        recipe = pick_recipe(catalog)
        selection = evaluate(recipe, catalog) if recipe else None
        if selection:
            show_attrition(selection)
    with right:
        st.subheader("Format", anchor=False)
        if selection is None:
            st.info("Choose a selection first.", icon=":material/arrow_back:")
        else:
            form = write(catalog, selection)
    if selection and selection.count:
        preview.preview(catalog, selection, form.format, form.columns, form.shard_size)
    shell.dataset_facts(catalog)


def pick_recipe(catalog: Catalog) -> Recipe | None:
    """The recipe to export; None where the page says why there is none."""
    origin = choose(
        st.segmented_control, "From", FROM, "from", required=True, label_visibility="collapsed"
    )
    try:
        if origin == "quadrant":
            view = thresholds.controls(catalog)
            names = quadrant_names(view)
            quadrant = choose(st.selectbox, "Quadrant", names, "quadrant")
            st.caption("Uses the cutoffs of the Quadrants page; change them in the sidebar.")
            name = f"{view.x}-{view.y}-{quadrant}".replace("_", "-")
            return view.recipe(quadrant, name, *marks())
        if origin == "saved":
            return saved_recipe()
        return typed_recipe(catalog)
    except CurationError as error:
        show_error(error)
        return None


def marks() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The uids that are marked keep and drop; none where the curator ignores them here."""
    keep, drop = Marks.of(shell.workspace()).all()
    if not (keep or drop):
        return (), ()
    chosen = choose(
        st.segmented_control,
        describe_counts(len(keep), len(drop)),
        MARKS,
        "marks",
        required=True,
        help="Manually kept samples are always exported, dropped ones never.",
    )
    return (keep, drop) if chosen == "with" else ((), ())


def typed_recipe(catalog: Catalog) -> Recipe:
    """The recipe in the text field, which begins with the recipe of the URL, if it has one."""
    linked = st.query_params.get("recipe")
    if linked and linked != st.session_state.get(URL_RECIPE):
        st.session_state[URL_RECIPE] = linked
        st.session_state["recipe_text"] = Recipe.unpack(
            linked, "the recipe in the address"
        ).to_yaml()
    if not st.session_state.get("recipe_text"):
        st.session_state["recipe_text"] = draft.to_yaml() or example(catalog)
    # Set on every run: Streamlit drops the value of an untouched widget when the page changes.
    st.session_state["recipe_text"] = st.session_state["recipe_text"]
    recipe = Recipe.parse(
        st.text_area(
            "Recipe (YAML)",
            key="recipe_text",
            height=230,
            persist_state="session",
            help="Steps apply in order; each one filters the samples that remain.",
        )
    )
    packed = recipe.packed()
    if len(packed) <= draft.LONGEST:
        st.session_state[URL_RECIPE] = st.query_params["recipe"] = packed
    else:
        st.query_params.pop("recipe", None)
        st.caption("This recipe is too long for a link.")
    return recipe


def example(catalog: Catalog) -> str:
    """The paper's recipe with the scores of this catalog."""
    names = [c.name for c in catalog.scores or catalog.numbers]
    quality = next((n for n in ("neg_clip_loss", "clip_score") if n in names), names[0])
    steps = [{"score": quality, "top": 0.3, "of": "pool"}]
    relevance = next((n for n in names if n.startswith("norm_sim_inf")), None)
    if relevance:
        steps.append({"score": relevance, "top": 0.2, "of": "pool"})
    record = {"name": "my-selection", "steps": steps}
    return yaml.safe_dump(record, sort_keys=False)


def saved_recipe() -> Recipe | None:
    saved = shell.decisions().selection_names()
    if not saved:
        st.info(
            "No saved selections yet. Save one here, or with "
            "`clip-curation select WORKSPACE RECIPE --save NAME`."
        )
        return None
    return shell.decisions().recipe(choose(st.selectbox, "Saved selection", saved, "saved"))


def evaluate(recipe: Recipe, catalog: Catalog) -> Selection | None:
    try:
        return select(recipe, catalog, shell.decisions())
    except CurationError as error:
        show_error(error)
        return None


def show_attrition(selection: Selection) -> None:
    """Show how many samples remain after each step, and the recipe itself."""
    total = len(selection.mask)
    share = f"{formatting.share(selection.count, total)} of {formatting.count(total)}"
    tile(st.container(), "Selected", formatting.count(selection.count), share)
    rows = [
        ("Pool", total),
        *(
            (describe(s), n)
            for s, n in zip(selection.recipe.steps, selection.remaining, strict=True)
        ),
    ]
    keep, drop = len(selection.recipe.keep), len(selection.recipe.drop)
    if keep or drop:
        rows.append((describe_counts(keep, drop), selection.count))
    st.dataframe(
        [
            {"Step": step, "Remaining": left, "Share of pool": 100 * left / max(total, 1)}
            for step, left in rows
        ],
        hide_index=True,
        column_config={
            "Remaining": st.column_config.NumberColumn(format="localized"),
            "Share of pool": st.column_config.NumberColumn(format="%.1f %%"),
        },
    )
    if selection.unknown:
        st.warning(
            f"{formatting.plural(len(selection.unknown), 'uid')} in keep and drop not in this "
            f"dataset (first: `{selection.unknown[0]}`)."
        )
    with st.expander("Recipe", icon=":material/description:"):
        st.code(shortened(selection.recipe), language="yaml")
        with (
            st.form("save", border=False, enter_to_submit=True),
            st.container(horizontal=True, vertical_alignment="bottom"),
        ):
            name = st.text_input("Save as", placeholder="ncl30_animals20")
            if st.form_submit_button("Save", icon=":material/bookmark:"):
                save(name, selection.recipe)


def shortened(recipe: Recipe) -> str:
    """The recipe as YAML with at most ``UIDS`` uids in each list."""
    few = replace(recipe, keep=recipe.keep[:UIDS], drop=recipe.drop[:UIDS])
    more = len(recipe.keep) + len(recipe.drop) - len(few.keep) - len(few.drop)
    return few.to_yaml() + (f"# … and {formatting.plural(more, 'uid')} more\n" if more else "")


def save(name: str, recipe: Recipe) -> None:
    try:
        shell.decisions().save_recipe(name, recipe)
        st.toast(f"Saved as {name}", icon=":material/bookmark:")
    except CurationError as error:
        show_error(error)


def write(catalog: Catalog, selection: Selection) -> Form:
    """Show the form of the export, write the files, and offer them for download."""
    form = pick_form(catalog)
    format_, exporter = form.format, EXPORTERS[form.format]
    # Each recipe has a field of its own, so that a selection never takes the name of the last one.
    own = selection.recipe.name
    what = "File name" if exporter.extension else "Folder name"
    # Two formats that write folders must not suggest the same name.
    suggested = own if exporter.extension else f"{own}-{format_}"
    name = st.text_input(what, value=suggested, key=f"name_{format_}_{own}")
    # A name that every filesystem takes: no folder, not hidden, not too long.
    stem = Path(name.replace("\0", "")).name.lstrip(".")[:80] or "selection"
    path = shell.workspace().exports / f"{stem}{exporter.extension}"
    size = preview.size(catalog, selection, format_, form.columns, form.shard_size)
    written = str(size) if size and selection.count else "The export"
    st.caption(
        f"{written[0].upper()}{written[1:]} will be written to {code(formatting.path(path))}, "
        "with a recipe and a manifest."
    )
    existing = export.files_to_replace(selection, path)
    names = ", ".join(plain(file.name) for file in existing)
    overwrite = bool(existing) and st.checkbox(f"Overwrite existing files: {names}")
    ready = selection.count > 0 and (overwrite or not existing)
    if st.button("Export", type="primary", icon=":material/download:", disabled=not ready):
        try:
            with progress(selection.count) as advance:
                exported = export.export(
                    catalog,
                    selection,
                    format_,
                    path,
                    columns=form.columns,
                    shard_size=form.shard_size,
                    overwrite=overwrite,
                    advance=advance,
                )
            st.session_state["exported"] = exported
            st.session_state["exported_recipe"] = selection.recipe
            st.rerun()
        except (CurationError, OSError) as error:
            show_error(error)
    if selection.count == 0:
        st.info("The selection is empty: there is nothing to export.")
    last = st.session_state.get("exported")
    if (
        isinstance(last, export.Exported)
        and last.path == path
        and path.exists()
        and st.session_state.get("exported_recipe") == selection.recipe
    ):
        show_files(last)
    if format_ == "datacomp":
        resharder(path)
    return form


@contextmanager
def progress(total: int) -> Iterator[Callable[[int], object]]:
    """Show a progress bar; yields a function that advances it by a number of samples."""
    label = f"Writing {formatting.plural(total, 'sample')} …"
    bar, done = st.progress(0.0, label), 0

    def advance(samples: int) -> None:
        nonlocal done
        before, done = done, done + samples
        # At most 200 updates reach the browser.
        if 200 * done // total > 200 * before // total:
            bar.progress(min(done / total, 1.0), label)

    yield advance
    bar.empty()


def show_files(exported: export.Exported) -> None:
    """Show what was written; files that are small enough can be downloaded."""
    written = manifest.files_of(exported.path)
    size = sum(file.stat().st_size for file in written)
    is_folder = exported.path.is_dir()
    st.success(
        f"Wrote {code(exported.path.name)}, "
        + (f"{formatting.plural(len(written), 'file')}, " if is_folder else "")
        + f"{formatting.file_size(size)}.",
        icon=":material/check:",
    )
    if exported.left_out:
        first = exported.left_out[0]
        st.warning(
            f"{formatting.plural(len(exported.left_out), 'selected sample')} could not be written "
            f"(first: `{first.uid}`, {plain(first.reason)}). The manifest lists them."
        )
    st.caption("SHA-256 of the sorted uids (replaying the recipe gives the same hash):")
    st.code(exported.digest, language=None)
    offered = [exported.recipe, exported.manifest]
    if is_folder or size > DOWNLOAD_LIMIT:
        reason = "" if is_folder else "Too large to download here. "
        st.caption(f"{reason}Saved on the server at:")
        st.code(str(exported.path), language=None)
    else:
        offered.insert(0, exported.path)
    with st.container(horizontal=True):
        for file in offered:
            st.download_button(
                plain(file.name),
                file.read_bytes,
                file.name,
                key=f"get_{file.name}",
                icon=":material/download:",
                on_click="ignore",
            )


main()
