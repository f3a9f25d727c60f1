"""Quadrants: two scores, a line across each, and what lies on every side of them."""

import numpy as np
import streamlit as st

from curation import formatting
from curation.analysis import quadrants
from curation.analysis.grid import Grid, Scale
from curation.analysis.quadrants import QUADRANTS, Cut, View
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
    cards(view, names)
    with st.container(key="desk"):
        left, right = st.columns([11, 9], gap="medium")
    box = sample_lists.read_box()
    with left:
        scale, color_by = how(view)
        over = caches.grid(catalog, view.x, view.y, scale, read_zoom())
        place = chart.picture(view, over, color(view, over, color_by), box, _moved, _zoomed)
        below(over)
    # Plotly comes last, and the browser shows the rest while it loads. But what comes from the web
    # may take seconds.
    if web_images.is_on():
        chart.pointer(place, catalog, over, box, _boxed)
    with right:
        sample_lists.show(view, names, box)
    if not web_images.is_on():
        chart.pointer(place, catalog, over, box, _boxed)


def cards(view: View, names: dict[quadrants.Quadrant, str]) -> None:
    """Count and share of each quadrant; the first is what an export keeps."""
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


def how(view: View) -> tuple[Scale, str]:
    """What the axes say, and what the colors."""
    catalog = view.catalog
    colors = {"density": "Color: density"}
    colors |= {f"in:{name}": f"Share kept by {name}" for name in saved()}
    others = [c for c in catalog.numbers if c.name not in (view.x, view.y)]
    colors |= {f"of:{c.name}": f"Mean of {c.title}" for c in others}
    with st.container(horizontal=True, vertical_alignment="center"):
        scale = choose(
            st.segmented_control,
            "Axes",
            SCALES,
            "scale",
            required=True,
            on_change=_whole,
            label_visibility="collapsed",
        )
        color_by = choose(
            st.selectbox, "Color", colors, "color", label_visibility="collapsed", width=270
        )
        if read_zoom():
            st.button("Show all", on_click=_whole, icon=":material/zoom_out_map:")
    return scale, color_by


def saved() -> list[str]:
    """The saved selections; none where they cannot be read, which the page then says."""
    try:
        return shell.decisions().selection_names()
    except CurationError as error:
        show_error(error)
        return []


def read_zoom() -> caches.Zoom | None:
    """What of the axes is shown: x from and to, y from and to; None for all."""
    found = numbers("zoom", 4)
    if found is None or not (found[0] < found[1] and found[2] < found[3]):
        keep_numbers("zoom", None)
        return None
    return found[0], found[1], found[2], found[3]


def color(view: View, over: Grid, by: str) -> Color | None:
    """What the cells are colored by; None for how many samples they hold."""
    kind, _, name = by.partition(":")
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


def below(over: Grid) -> None:
    if over.x.zoomed:
        beyond = f"{formatting.plural(over.beyond, 'sample')} outside this part still count."
    elif over.beyond:
        beyond = f"{formatting.plural(over.beyond, 'sample')} far outside the picture still count."
    else:
        beyond = "Every sample is in this picture."
    st.caption(
        f"{beyond} Drag a line, or focus it and use the arrow keys; drag a box to look inside it; "
        "the bar above the chart zooms."
    )


def _moved() -> None:
    """A line was let go: where the axes are percentiles it is a share, else a value."""
    moved = chart.told("moved") or {}
    # As the chart had it: the scale may be another one by now.
    is_share = moved.get("percentile", False)
    for axis in ("x", "y"):
        if axis not in moved:
            # Else it would move with the other, and the counts that were seen would not hold.
            thresholds.pin(axis)
    for axis in ("x", "y"):
        if axis in moved and is_share:
            thresholds.move(axis, round(100 - moved[axis], 6), "top")
        elif axis in moved:
            thresholds.move(axis, moved[axis], "value")


def _zoomed() -> None:
    shown = chart.told("zoom")
    if shown and shown != "all":
        keep_numbers("zoom", shown)
    else:
        _whole()


def _whole() -> None:
    keep_numbers("zoom", None)


def _boxed() -> None:
    """A selection is lost when the figure changes: keep it, in the URL, as values."""
    boxes = [b for b in st.session_state.chart.selection.box if b.get("xref", "x") == "x"]
    boxes = [b for b in boxes if b.get("yref", "y") == "y"]
    if not boxes:
        return
    ends = [*sorted(boxes[0]["x"]), *sorted(boxes[0]["y"])]
    if st.session_state.get("scale") == "percentile":
        catalog = shell.catalog()
        scores = [st.session_state[axis] for axis in ("x", "x", "y", "y")]
        ends = [
            quadrants.line(catalog, score, Cut("percentile", float(np.clip(at, 0, 100))))
            for score, at in zip(scores, ends, strict=True)
        ]
    sample_lists.write_box(ends[0], ends[1], ends[2], ends[3])


main()
