"""The samples of whatever is looked at: a quadrant, both sides of a line, a box."""

from __future__ import annotations

import math

import numpy as np
import streamlit as st

from curation import formatting
from curation.analysis import quadrants, sampling
from curation.analysis.quadrants import Cut, Quadrant, View
from pages.widgets.app import shell
from pages.widgets.app.markdown import plain
from pages.widgets.gallery import gallery
from pages.widgets.quadrants.chart import Box
from pages.widgets.state.url import choose, keep_numbers, numbers

SHOWN = {
    "quadrant": "A quadrant",
    "line": "At a line",
    "uncertain": "Uncertain",
    "box": "In the box",
}
ORDERS = {"random": "random", "best": "best first", "worst": "worst first"}
# As many pictures as a person might page through.
MOST = 100 * gallery.PAGE
_ENDS = ("from", "to")


def show(view: View, names: dict[Quadrant, str], box: Box | None) -> None:
    """What to look at, and its samples."""
    shown = choose(
        st.segmented_control,
        "Look at",
        SHOWN,
        "shown",
        required=True,
        label_visibility="collapsed",
    )
    if shown == "quadrant":
        _quadrant(view, names)
    elif shown == "line":
        _line(view)
    elif shown == "uncertain":
        _uncertain(view)
    else:
        _box(view, box)


def read_box() -> Box | None:
    """The box in the URL: x0, x1, y0, y1, in values of the scores."""
    found = numbers("box", 4)
    if found is None:
        return None
    (x0, x1), (y0, y1) = sorted(found[:2]), sorted(found[2:])
    return x0, x1, y0, y1


def write_box(x0: float, x1: float, y0: float, y1: float) -> None:
    """Keep a box in the URL, and look into it."""
    keep_numbers("box", (x0, x1, y0, y1))
    st.session_state["shown"] = "box"


def _quadrant(view: View, names: dict[Quadrant, str]) -> None:
    with st.container(horizontal=True):
        quadrant = choose(st.selectbox, "Quadrant", names, "quadrant", label_visibility="collapsed")
        order = _order()
    if order == "random":
        rows = sampling.random_rows(view, quadrant, MOST, _seed())
    else:
        rows = sampling.best_rows(
            view, sampling.quadrant_rows(view, quadrant), order == "best", MOST
        )
    gallery.paged(
        shell.workspace(),
        view.catalog,
        rows,
        (view.x, view.y),
        "page",
        view.counts()[quadrant],
        "No sample is in this quadrant. Move a line towards it.",
    )


def _order() -> str:
    """Random, best or worst first; random ones by a seed, so that a link shows the same."""
    order = choose(st.selectbox, "Order", ORDERS, "order", label_visibility="collapsed", width=130)
    if order == "random":
        st.button("Others", on_click=_reseed, icon=":material/casino:", help="Another random few")
    return order


def _seed() -> int:
    text = st.query_params.get("seed", "0")
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _reseed() -> None:
    st.query_params["seed"] = str(_seed() + 1)


def _titles(view: View) -> dict[str, str]:
    return {"x": view.catalog.column(view.x).title, "y": view.catalog.column(view.y).title}


def _line(view: View) -> None:
    """The samples that a small move of a line would leave out or take in."""
    axis = choose(st.selectbox, "Line", _titles(view), "axis", label_visibility="collapsed")
    name, at_line = (view.x, view.x_line) if axis == "x" else (view.y, view.y_line)
    # The other line holds: a sample that fails it would not change sides.
    among = view.side("y" if axis == "x" else "x", True)
    for inside in (True, False):
        st.markdown("**Just inside** – kept" if inside else "**Just outside** – dropped")
        rows = sampling.rows_near_cutoff(
            view.catalog, name, at_line, among, inside, gallery.PAGE // 2
        )
        gallery.show(shell.workspace(), view.catalog, rows, (view.x, view.y))


def _uncertain(view: View) -> None:
    """The samples that other random batches would most likely put on a line's other side."""
    known = {a: t for a, t in _titles(view).items() if _has_error(view, a)}
    if not known:
        exact = any(
            sampling.standard_errors(view.catalog, name) is not None for name in (view.x, view.y)
        )
        st.info(
            "Nothing is uncertain here: each batch of negCLIPLoss was the whole dataset, so that "
            "no other could be drawn."
            if exact
            else "Neither of these scores was measured with an error; negCLIPLoss is.",
            icon=":material/error_outline:",
        )
        return
    axis = choose(st.selectbox, "Line", known, "unsure", label_visibility="collapsed")
    rows, distance = sampling.uncertain_rows(view, "x" if axis == "x" else "y", MOST)
    st.caption(
        "The chance to end on the line's other side if other random batches were drawn: "
        "Φ(−|score − line| / standard error). The other line holds."
    )
    chance = np.array([math.erfc(d / math.sqrt(2)) / 2 for d in distance], dtype=np.float32)
    gallery.paged(
        shell.workspace(),
        view.catalog,
        rows,
        (view.x, view.y),
        "unsure_page",
        len(rows),
        "No sample near this line has an error.",
        extra={"Chance to flip": chance},
    )


def _has_error(view: View, axis: str) -> bool:
    spread = sampling.standard_errors(view.catalog, view.x if axis == "x" else view.y)
    return spread is not None and bool(np.any(spread > 0))


def _box(view: View, box: Box | None) -> None:
    if box is None:
        st.info("Drag a box on the chart to see the samples in it.", icon=":material/select:")
        st.button("Box around the middle", on_click=_middle, args=(view,))
        return
    mask = view.box(box[:2], box[2:])
    count = int(mask.sum())
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**{formatting.plural(count, 'sample')}** in the box, "
            f"{formatting.share(count, len(view.catalog))} of the pool"
        )
        order = _order()
        st.button("Clear the box", on_click=_clear_box, icon=":material/close:")
    with st.expander("Its edges", icon=":material/straighten:"):
        _edges(view, box)
    members = np.flatnonzero(mask)
    if order == "random":
        rows = np.random.default_rng(_seed()).choice(members, min(MOST, count), replace=False)
    else:
        rows = sampling.best_rows(view, members, order == "best", MOST)
    gallery.paged(shell.workspace(), view.catalog, rows, (view.x, view.y), "box_page", count)


def _edges(view: View, box: Box) -> None:
    """The box's edges as numbers, for the keyboard."""
    fields = [(axis, end) for axis in ("x", "y") for end in _ENDS]
    for (axis, end), column, value in zip(fields, st.columns(4), box, strict=True):
        key = f"box_{axis}_{end}"
        st.session_state[key] = value
        column.number_input(
            plain(f"{_titles(view)[axis]} {end}"),
            key=key,
            format="%.4f",
            step=0.01,
            on_change=_rewrite_box,
        )


def _rewrite_box() -> None:
    x0, x1, y0, y1 = (st.session_state[f"box_{axis}_{end}"] for axis in ("x", "y") for end in _ENDS)
    write_box(min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1))


def _middle(view: View) -> None:
    ends = [
        quadrants.line(view.catalog, name, Cut("percentile", at))
        for name in (view.x, view.y)
        for at in (25, 75)
    ]
    write_box(*ends)


def _clear_box() -> None:
    keep_numbers("box", None)
    st.session_state["shown"] = "quadrant"
