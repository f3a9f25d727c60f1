"""Targets: what the dataset is measured against, one more of them, and what two rank unlike."""

import streamlit as st

from curation import formatting
from curation.analysis import compare, target_summary
from curation.analysis.target_summary import TargetSummary
from curation.catalog.catalog import Catalog
from curation.catalog.columns import ALL_TARGETS, ColumnInfo
from curation.errors import CurationError
from curation.jobs import jobs
from pages.widgets.app import shell
from pages.widgets.app.markdown import plain, show_error
from pages.widgets.charts import distributions
from pages.widgets.gallery import gallery, web_images
from pages.widgets.state import caches
from pages.widgets.state.url import choose, current
from pages.widgets.targets import rank_change, target_form, target_items

shell.enter("targets")

VIEWS = {"one": "Browse", "two": "Compare targets", "add": "Add target"}
BEST = 12
# As many pictures as a person might page through.
MOST = 20 * gallery.PAGE
# The view to go on to, where a run comes upon it after the views' control is made.
NEXT = "targets_next"

# By target, and by what is measured.
Measures = dict[str, dict[str, ColumnInfo]]


def main() -> None:
    catalog = shell.catalog()
    measured = target_summary.measures_by_target(catalog)
    names = [name for name in measured if name != ALL_TARGETS]
    if not names:
        nothing_yet(catalog)
    else:
        if NEXT in st.session_state:
            st.session_state["show"] = st.session_state.pop(NEXT)
        job = target_form.job(shell.workspace())
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
            add(catalog)
            listed(catalog, names)
        else:
            web_images.switch(catalog)
            (one if view == "one" else two)(catalog, measured, names)
    shell.dataset_facts(catalog)


def nothing_yet(catalog: Catalog) -> None:
    st.subheader("No targets yet", anchor=False)
    st.write(
        "A target is what your model should be good at: images, or captions such as class names. "
        "NormSim measures how close each sample is to it. Other scores stay unchanged."
    )
    add(catalog)


def add(catalog: Catalog) -> None:
    """The form, and the job beside it."""
    left, right = st.columns([7, 5], gap="large")
    workspace = shell.workspace()
    with left:
        st.subheader("Add target", anchor=False)
        target_form.show(workspace, catalog)
    with right:
        job = target_form.job(workspace)
        if job is not None:
            target_form.watch(job, workspace, lambda name: added(catalog, name))


def added(catalog: Catalog, name: str) -> None:
    """What there is now of a target that was added."""
    found = target_summary.measures_by_target(catalog).get(name)
    if found is None:
        return
    # A column's name is letters, digits and _; within code an escape would be seen.
    told = ", ".join(f"`{column.name}`" for column in found.values())
    st.success(f"Added {told}.", icon=":material/check_circle:")
    st.button(
        "View target", type="primary", icon=":material/my_location:", on_click=_see, args=(name,)
    )


def listed(catalog: Catalog, names: list[str]) -> None:
    """The targets there are, in a table."""
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


def one(catalog: Catalog, measured: Measures, names: list[str]) -> None:
    """A target: its items, and the samples that are most like it."""
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
            on_click=_axis,
            args=(column.name,),
        ):
            st.switch_page("pages/quadrants.py", query_params={"y": column.name})
        remove(name)
    try:
        about = target_items.about(name, column.model)
    except CurationError as error:
        show_error(error)
        return
    facts(about)
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
    """Which norm and side."""
    told = {measure: target_summary.measure_title(measure) for measure in measures}
    if len(told) == 1:
        return next(iter(told))
    if len(told) > 4:
        return choose(
            st.selectbox, "Measured by", told, "measure", width=240, label_visibility="collapsed"
        )
    return choose(
        st.segmented_control,
        "Measured by",
        told,
        "measure",
        required=True,
        label_visibility="collapsed",
    )


def facts(about: TargetSummary) -> None:
    counted = {"image": about.images, "caption": about.captions}
    told = [formatting.plural(count, noun) for noun, count in counted.items() if count]
    if about.is_ready_made:
        told = [f"embeddings of {' and '.join(told)}"]
    if about.skipped:
        told.append(f"{formatting.count(about.skipped)} skipped")
    day, _, time = about.created.partition("T")
    told += [f"from {plain(formatting.path(about.source))}", f"added {day} {time[:5]} UTC"]
    st.markdown(" · ".join(told))


def remove(name: str) -> None:
    """Taking a target away, once its consequence has been read."""
    workspace = shell.workspace()
    command = ["remove-target", formatting.path(workspace.path), name]
    with st.popover("Remove", icon=":material/delete:"):
        st.write(
            "Removes its columns and embeddings and recomputes the scores over all targets. Its "
            "source files stay."
        )
        st.code(jobs.command(command), language="bash", wrap_lines=True)
        if st.button(f"Remove {plain(name)}", type="primary"):
            # Once it has started; where it cannot, this view says why.
            st.session_state[NEXT] = "add"
            target_form.start(command, workspace)
            del st.session_state[NEXT]


def two(catalog: Catalog, measured: Measures, names: list[str]) -> None:
    """How the ranks change from one target to another."""
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


def _see(name: str) -> None:
    st.session_state["target"] = name
    _view("one")


def _view(name: str) -> None:
    # Before the control is made: what the session holds counts before the URL.
    st.session_state["show"] = name
    if name != "add":
        st.query_params.pop("job", None)


def _axis(column: str) -> None:
    st.session_state["y"] = column


main()
