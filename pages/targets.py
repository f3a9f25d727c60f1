"""Targets: browse them, add one, and compare how two of them rank the samples."""

import streamlit as st

from curation import formatting
from curation.analysis import compare, target_summary
from curation.analysis.target_summary import TargetSummary
from curation.catalog.catalog import Catalog
from curation.catalog.columns import ALL_TARGETS, ColumnInfo
from curation.errors import CurationError
from curation.jobs import jobs
from pages.widgets.app import shell
from pages.widgets.app.markdown import code, plain, show_error
from pages.widgets.charts import distributions
from pages.widgets.gallery import gallery, web_images
from pages.widgets.state import caches
from pages.widgets.state.url import choose, current
from pages.widgets.targets import rank_change, target_form, target_items

shell.enter("targets")

VIEWS = {"one": "Browse", "two": "Compare targets", "add": "Add target"}
BEST = 12
# Samples in a gallery at most.
MOST = 20 * gallery.PAGE
# The session's next view, for code that runs after the control of views was drawn.
NEXT = "targets_next"

# Columns by target and measure (norm and side).
Measures = dict[str, dict[str, ColumnInfo]]


def main() -> None:
    catalog = shell.catalog()
    measured = target_summary.measures_by_target(catalog)
    names = [name for name in measured if name != ALL_TARGETS]
    if not names:
        show_introduction(catalog)
    else:
        if NEXT in st.session_state:
            st.session_state["show"] = st.session_state.pop(NEXT)
        job = target_form.current_job(shell.workspace())
        start = "add" if job is not None else "one"
        view = choose(
            st.segmented_control,
            "View",
            VIEWS,
            "show",
            start,
            always=True,
            required=True,
            label_visibility="collapsed",
        )
        if view == "add":
            show_form(catalog)
            show_table(catalog, names)
        else:
            web_images.switch(catalog)
            (browse if view == "one" else compare_two)(catalog, measured, names)
    shell.dataset_facts(catalog)


def show_introduction(catalog: Catalog) -> None:
    st.subheader("No targets yet", anchor=False)
    st.write(
        "A target is what your model should be good at: images, or captions such as class names. "
        "NormSim measures how close each sample is to it. Other scores stay unchanged."
    )
    show_form(catalog)


def show_form(catalog: Catalog) -> None:
    """Show the form, and the job in a second column."""
    left, right = st.columns([7, 5], gap="large")
    workspace = shell.workspace()
    with left:
        st.subheader("Add target", anchor=False)
        target_form.show(workspace, catalog)
    with right:
        job = target_form.current_job(workspace)
        if job is not None:
            target_form.watch(job, workspace, lambda name: show_added(catalog, name))


def show_added(catalog: Catalog, name: str) -> None:
    """Show the columns of a target that was added."""
    columns = target_summary.measures_by_target(catalog).get(name)
    if columns is None:
        return
    names = ", ".join(code(column.name) for column in columns.values())
    st.success(f"Added {names}.", icon=":material/check_circle:")
    st.button(
        "View target", type="primary", icon=":material/my_location:", on_click=_browse, args=(name,)
    )


def show_table(catalog: Catalog, names: list[str]) -> None:
    """Show the existing targets in a table."""
    st.subheader("Existing targets", anchor=False)
    rows = []
    for name in names:
        try:
            about = target_items.about(name, catalog.dataset.model)
        except CurationError as error:
            show_error(error)
            continue
        rows.append(
            {
                "Name": name,
                "Images": about.images,
                "Captions": about.captions,
                "Skipped": about.skipped,
                "Source": formatting.path(about.source),
                "Added (UTC)": about.created[:16].replace("T", " "),
            }
        )
    st.dataframe(rows, hide_index=True)


def browse(catalog: Catalog, measured: Measures, names: list[str]) -> None:
    """Show one target: its items, and the samples that are most similar to it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        name = choose(
            st.selectbox,
            "Target",
            names,
            "target",
            always=True,
            width=240,
            label_visibility="collapsed",
        )
        measure = pick_measure(list(measured[name]))
        column = measured[name][measure]
        if st.button(
            "Open in Quadrants",
            icon=":material/grid_view:",
            on_click=_set_y_axis,
            args=(column.name,),
        ):
            st.switch_page("pages/quadrants.py", query_params={"y": column.name})
        remove_button(name)
    try:
        about = target_items.about(name, column.model)
    except CurationError as error:
        show_error(error)
        return
    show_facts(about)
    left, right = st.columns([9, 11], gap="medium")
    with left:
        st.subheader("Target items", anchor=False)
        target_items.paged(about)
    with right:
        st.subheader("Most similar samples", anchor=False)
        st.caption(
            f"Top {BEST} of {formatting.plural(len(catalog), 'sample')} by {plain(column.title)}"
        )
        everyone = compare.whole_pool(catalog).mask
        best = compare.sorted_rows(catalog, column.name, everyone, True, BEST)
        gallery.show(shell.workspace(), catalog, best, (column.name,))
    with left:
        st.subheader(plain(column.title), anchor=False)
        st.plotly_chart(
            distributions.figure(caches.distribution(catalog, column.name), shell.is_dark()),
            key="distribution",
            config={"displayModeBar": False},
            alt=f"Distribution of {column.title} over all samples",
        )
        st.caption(f"{plain(column.help)} Dotted line: median.")


def pick_measure(measures: list[str]) -> str:
    """The norm and side to show, chosen from several."""
    titles = {measure: target_summary.measure_title(measure) for measure in measures}
    if len(titles) == 1:
        return next(iter(titles))
    if len(titles) > 4:
        return choose(
            st.selectbox, "Measured by", titles, "measure", width=240, label_visibility="collapsed"
        )
    return choose(
        st.segmented_control,
        "Measured by",
        titles,
        "measure",
        required=True,
        label_visibility="collapsed",
    )


def show_facts(about: TargetSummary) -> None:
    """Show the target's items, source and date in one line."""
    counted = {"image": about.images, "caption": about.captions}
    parts = [formatting.plural(count, noun) for noun, count in counted.items() if count]
    if about.is_ready_made:
        parts = [f"embeddings of {' and '.join(parts)}"]
    if about.skipped:
        parts.append(f"{formatting.count(about.skipped)} skipped")
    day, _, time = about.created.partition("T")
    parts += [f"from {plain(formatting.path(about.source))}", f"added {day} {time[:5]} UTC"]
    st.markdown(" · ".join(parts))


def remove_button(name: str) -> None:
    """A button that removes the target after a confirmation."""
    workspace = shell.workspace()
    command = ["remove-target", formatting.path(workspace.path), name]
    with st.popover("Remove", icon=":material/delete:"):
        st.write(
            "Removes its columns and embeddings and recomputes the scores over all targets. Its "
            "source files stay."
        )
        st.code(jobs.command(command), language="bash", wrap_lines=True)
        if st.button(f"Remove {plain(name)}", type="primary"):
            # Where the job starts, the page reruns and shows it in the view "add".
            st.session_state[NEXT] = "add"
            target_form.start(command, workspace)
            del st.session_state[NEXT]


def compare_two(catalog: Catalog, measured: Measures, names: list[str]) -> None:
    """Show how ranks change from one target to another."""
    choices = {name: "All targets" if name == ALL_TARGETS else name for name in measured}
    if len(choices) < 2:
        st.info(
            "Comparing needs two targets.",
            icon=":material/compare_arrows:",
        )
        st.button("Add target", icon=":material/add:", on_click=_view, args=("add",))
        return
    known = list(choices)
    first = current("target", names, names[0])
    left, right = st.columns(2, gap="medium")
    with left:
        a = choose(st.selectbox, "Target A", choices, "target_a", first, always=True)
        target_items.strip(a)
    with right:
        start = next(name for name in known if name != a)
        b = choose(st.selectbox, "Target B", choices, "target_b", start, always=True)
        target_items.strip(b)
    if a == b:
        st.info(
            "A and B are the same target: choose another one.", icon=":material/compare_arrows:"
        )
        return
    pairs = target_summary.comparable_measures(measured[a], measured[b])
    if not pairs:
        st.info("A and B share no NormSim norm.", icon=":material/compare_arrows:")
        return
    measure = pick_measure(list(pairs))
    columns = pairs[measure]
    if measure not in measured[b]:
        st.caption(
            f"{plain(columns[0].title)} and {plain(columns[1].title)} compare different sides."
        )
    rank_change.show(catalog, columns[0].name, columns[1].name, MOST, "targets_")


def _browse(name: str) -> None:
    st.session_state["target"] = name
    _view("one")


def _view(name: str) -> None:
    # A callback, because it must run before the control: its state comes before the URL.
    st.session_state["show"] = name
    if name != "add":
        st.query_params.pop("job", None)


def _set_y_axis(column: str) -> None:
    st.session_state["y"] = column


main()
