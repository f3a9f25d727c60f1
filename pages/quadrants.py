"""Quadrants: two scores, a threshold on each, and the samples on either side."""

import numpy as np
import streamlit as st

from curation import formatting
from curation.analysis import quadrants
from curation.analysis.grid import Grid, Scale
from curation.analysis.quadrants import AXES, QUADRANTS, Cut, View
from curation.errors import CurationError
from pages.widgets.app import shell
from pages.widgets.app.markdown import plain, show_error
from pages.widgets.gallery import web_images
from pages.widgets.quadrants import chart, sample_lists, thresholds
from pages.widgets.quadrants.chart import Color
from pages.widgets.quadrants.names import quadrant_names
from pages.widgets.state import caches
from pages.widgets.state.url import choose, keep_numbers, numbers

shell.enter("quadrants")

SCALES: dict[Scale, str] = {"value": "Values", "percentile": "Percentiles"}


def main() -> None:
    catalog = shell.catalog()
    view = thresholds.controls(catalog)
    web_images.switch(catalog)
    shell.dataset_facts(catalog)
    names = quadrant_names(view)
    show_counts(view, names)
    with st.container(key="desk"):
        left, right = st.columns([11, 9], gap="medium")
    box = sample_lists.read_box()
    with left:
        scale, color_by = chart_options(view)
        over = caches.grid(catalog, view.x, view.y, scale, read_zoom())
        chart.show(view, over, read_color(view, over, color_by), box, _move, _select_box, _zoom)
        show_hints(over)
    with right:
        sample_lists.show(view, names, box)


def show_counts(view: View, names: dict[quadrants.Quadrant, str]) -> None:
    """The number and the share of samples in each quadrant; an export keeps the first."""
    counts = view.counts()
    total = sum(counts.values())
    with st.container(key="quadrant_cards"):
        for column, quadrant in zip(st.columns(4), QUADRANTS, strict=True):
            column.metric(
                plain(names[quadrant]),
                formatting.count(counts[quadrant]),
                formatting.share(counts[quadrant], total)
                + (" kept" if quadrant == "high_high" else ""),
                delta_color="off",
                delta_arrow="off",
                border=True,
            )
    missing = len(view.catalog) - total
    if missing:
        st.caption(
            f"{formatting.plural(missing, 'sample')} without one of these scores: in no quadrant."
        )


def chart_options(view: View) -> tuple[Scale, str]:
    """The controls above the chart: the scale of its axes, and what it is colored by."""
    catalog = view.catalog
    colors = {"density": "Color by: density"}
    colors |= {f"in:{name}": f"Color by: share kept by {name}" for name in saved_selections()}
    others = [c for c in catalog.numbers if c.name not in (view.x, view.y)]
    colors |= {f"of:{c.name}": f"Color by: mean {c.title}" for c in others}
    with st.container(horizontal=True, vertical_alignment="center"):
        scale = choose(
            st.segmented_control,
            "Axis scale",
            SCALES,
            "scale",
            required=True,
            on_change=_show_all,
            label_visibility="collapsed",
        )
        color_by = choose(
            st.selectbox, "Color by", colors, "color", label_visibility="collapsed", width=270
        )
        if read_zoom():
            st.button("Show all", on_click=_show_all, icon=":material/zoom_out_map:")
    return scale, color_by


def saved_selections() -> list[str]:
    """Names of the saved selections; if they cannot be read, an error on the page and none."""
    try:
        return shell.decisions().selection_names()
    except CurationError as error:
        show_error(error)
        return []


def read_zoom() -> caches.Zoom | None:
    """The part of the axes in the URL: x from and to, y from and to; None for everything."""
    ends = numbers("zoom", 4)
    if ends is None or not (ends[0] < ends[1] and ends[2] < ends[3]):
        keep_numbers("zoom", None)
        return None
    return ends[0], ends[1], ends[2], ends[3]


def read_color(view: View, over: Grid, color_by: str) -> Color | None:
    """What the cells are colored by; None for the number of samples."""
    kind, _, name = color_by.partition(":")
    if kind == "of":
        title = f"mean {view.catalog.column(name).title}"
        return Color(title, caches.mean(view.catalog, over, name))
    if kind == "in":
        decisions = shell.decisions()
        recipe = decisions.recipe(name)
        try:
            if recipe is not None:
                means = caches.share(view.catalog, over, recipe, decisions)
                return Color(f"share kept by {name}", means, share=True)
        except CurationError as error:
            show_error(error)
    return None


def show_hints(over: Grid) -> None:
    """Whether the chart shows all samples, and how to use it."""
    if not over.outside:
        shown = "All samples shown."
    else:
        samples = formatting.plural(over.outside, "sample")
        where = "this part" if over.x.zoomed else "the chart"
        shown = f"{samples} outside {where}, included in the counts."
    st.caption(
        f"{shown} Drag a line, or focus it and use the arrow keys. Drag a box to see its samples. "
        "To zoom in, choose Zoom and drag; double-click to show all."
    )


def _move() -> None:
    moved = chart.moved_lines()
    if moved is None:
        return
    for axis in AXES:
        if axis not in moved.positions:
            # A line stated by what the other one leaves would move too, and change the counts.
            thresholds.pin(axis)
    for axis, position in moved.positions.items():
        if moved.percentile:
            thresholds.move(axis, round(100 - position, 6), "top")
        else:
            thresholds.move(axis, position, "value")


def _select_box() -> None:
    """Keep the box in the URL, in values of the scores."""
    dragged = chart.dragged_box()
    if dragged is None:
        return
    ends = dragged.range
    if dragged.percentile:
        catalog = shell.catalog()
        scores = [st.session_state[axis] for axis in ("x", "x", "y", "y")]
        x0, x1, y0, y1 = (
            quadrants.line(catalog, score, Cut("percentile", float(np.clip(end, 0, 100))))
            for score, end in zip(scores, ends, strict=True)
        )
        ends = x0, x1, y0, y1
    sample_lists.write_box(*ends)


def _zoom() -> None:
    dragged = chart.dragged_zoom()
    keep_numbers("zoom", None if dragged is None else dragged.range)


def _show_all() -> None:
    keep_numbers("zoom", None)


main()
