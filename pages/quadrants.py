"""Quadrants: two scores, a line across each, and what lies on every side of them."""

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from curation import quadrants, wording
from curation.quadrants import QUADRANTS, View
from pages.widgets import cached, cuts, gallery, quadrant_chart, shell, web_images
from pages.widgets.names import quadrant_names
from pages.widgets.plain import plain
from pages.widgets.url import choose

shell.enter("quadrants")

SHOWN = {"quadrant": "A quadrant", "line": "At a line", "box": "In the box"}
ORDERS = {"random": "random", "best": "best first", "worst": "worst first"}
SEED = 0
# As many pictures as a person might page through.
MOST = 100 * gallery.PAGE

Box = tuple[float, float, float, float]


def main() -> None:
    catalog = shell.catalog()
    view = cuts.controls(catalog)
    web_images.switch(catalog)
    shell.facts(catalog)
    names = quadrant_names(view)
    cards(view, names)
    with st.container(key="desk"):
        left, right = st.columns([11, 9], gap="medium")
    box = _read_box()
    # The chart comes last: the browser draws the rest while it loads what charts need. But what
    # comes from the web may take seconds.
    if web_images.is_on():
        with left:
            chart(view, box)
    with right:
        pictures(view, names, box)
    if not web_images.is_on():
        with left:
            chart(view, box)


def pictures(view: View, names: dict[quadrants.Quadrant, str], box: Box | None) -> None:
    """The samples of whatever is looked at."""
    shown = choose(
        st.segmented_control, "Look at", SHOWN, "shown", required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    if shown == "quadrant":
        show_quadrant(view, names)
    elif shown == "line":
        show_line(view)
    else:
        show_box(view, box)


def cards(view: View, names: dict[quadrants.Quadrant, str]) -> None:
    """Count and share of each quadrant; the first is what an export keeps."""
    counts = view.counts()
    total = sum(counts.values())
    with st.container(key="quadrant_cards"):
        for column, quadrant in zip(st.columns(4), QUADRANTS, strict=True):
            column.metric(
                plain(names[quadrant]),
                wording.count(counts[quadrant]),
                wording.share(counts[quadrant], total)
                + (" kept" if quadrant == "high_high" else ""),
                delta_color="off",
                delta_arrow="off",
                border=True,
            )
    missing = len(view.catalog) - total
    if missing:
        st.caption(
            f"{wording.plural(missing, 'sample')} without one of these scores: in no quadrant."
        )


def chart(view: View, box: Box | None) -> None:
    """The chart, with the region that was dragged on it."""
    st.plotly_chart(
        quadrant_chart.figure(view, shell.is_dark(), box),
        key="chart",
        on_select=_copy_box,
        selection_mode="box",
        config={"displaylogo": False, "modeBarButtonsToRemove": ["lasso2d", "autoScale2d"]},
        alt="Density of all samples over two scores, with a threshold line across each",
    )
    beyond = cached.density(view.catalog, view.x, view.y).clipped
    edge = f" {wording.plural(beyond, 'sample')} beyond the edge count there." if beyond else ""
    st.caption(
        "Every sample is in this picture: the stronger a cell, the more samples it holds "
        f"(logarithmic).{edge} Blue is kept. Drag a box to look inside it."
    )


def show_quadrant(view: View, names: dict[quadrants.Quadrant, str]) -> None:
    with st.container(horizontal=True):
        quadrant = choose(st.selectbox, "Quadrant", names, "quadrant", label_visibility="collapsed")
        order = choose(
            st.selectbox, "Order", ORDERS, "order", label_visibility="collapsed", width=150
        )
    members = np.flatnonzero(view.mask(quadrant))
    if order == "random":
        rows = some(members)
    else:
        rows = quadrants.ranked_rows(view, members, order == "best", MOST)
    gallery.paged(
        shell.workspace(), view.catalog, rows, (view.x, view.y), "page", len(members),
        "No sample is in this quadrant. Move a line towards it.",
    )  # fmt: skip


def some(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """MOST of the rows at random, always the same ones."""
    return np.random.default_rng(SEED).choice(rows, min(MOST, len(rows)), replace=False)


def show_line(view: View) -> None:
    """The samples that a small move of a line would leave out or take in."""
    titles = {"x": view.catalog.column(view.x).title, "y": view.catalog.column(view.y).title}
    axis = choose(st.selectbox, "Line", titles, "axis", label_visibility="collapsed")
    name, at_line = (view.x, view.x_line) if axis == "x" else (view.y, view.y_line)
    # The other line holds: a sample that fails it would not change sides.
    among = view.side("y" if axis == "x" else "x", True)
    for inside in (True, False):
        st.markdown("**Just inside** – kept" if inside else "**Just outside** – dropped")
        rows = quadrants.nearest(view.catalog, name, at_line, among, inside, gallery.PAGE // 2)
        gallery.show(shell.workspace(), view.catalog, rows, (view.x, view.y))


def show_box(view: View, box: Box | None) -> None:
    if box is None:
        st.info("Drag a box on the chart to see the samples in it.", icon=":material/select:")
        return
    mask = view.box(box[:2], box[2:])
    count = int(mask.sum())
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**{wording.plural(count, 'sample')}** in the box, "
            f"{wording.share(count, len(view.catalog))} of the pool"
        )
        st.button("Clear the box", on_click=_clear_box, icon=":material/close:")
    rows = some(np.flatnonzero(mask))
    gallery.paged(shell.workspace(), view.catalog, rows, (view.x, view.y), "box_page", count)


def _copy_box() -> None:
    """A selection is lost when the figure changes: keep it, in the URL."""
    boxes = [b for b in st.session_state.chart.selection.box if b.get("xref", "x") == "x"]
    boxes = [b for b in boxes if b.get("yref", "y") == "y"]
    if boxes:
        (x0, x1), (y0, y1) = sorted(boxes[0]["x"]), sorted(boxes[0]["y"])
        st.query_params["box"] = ",".join(f"{v:.6g}" for v in (x0, x1, y0, y1))
        st.session_state["shown"] = "box"


def _clear_box() -> None:
    st.query_params.pop("box", None)
    st.session_state["shown"] = "quadrant"


def _read_box() -> Box | None:
    try:
        x0, x1, y0, y1 = map(float, st.query_params.get("box", "").split(","))
    except ValueError:
        return None
    return x0, x1, y0, y1


main()
