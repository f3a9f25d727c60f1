"""The samples beside the chart: of a quadrant, near a cutoff, borderline, or in a box."""

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
from pages.widgets.quadrants.chart import Range
from pages.widgets.state.url import choose, keep_numbers, numbers

SHOWN = {
    "quadrant": "Quadrant",
    "line": "Near cutoff",
    "uncertain": "Borderline",
    "box": "Box selection",
}
ORDERS = {"random": "Random", "best": "Best first", "worst": "Worst first"}
# More than anybody pages through.
MOST = 100 * gallery.PAGE
_ENDS = ("from", "to")


def show(view: View, names: dict[Quadrant, str], box: Range | None) -> None:
    """A choice of samples, and the gallery of those chosen."""
    shown = choose(
        st.segmented_control,
        "Samples",
        SHOWN,
        "shown",
        required=True,
        label_visibility="collapsed",
    )
    if shown == "quadrant":
        _quadrant(view, names)
    elif shown == "line":
        _near_cutoff(view)
    elif shown == "uncertain":
        _borderline(view)
    else:
        _box(view, box)


def read_box() -> Range | None:
    """The box in the URL: x0, x1, y0, y1, in values of the scores."""
    ends = numbers("box", 4)
    if ends is None:
        return None
    (x0, x1), (y0, y1) = sorted(ends[:2]), sorted(ends[2:])
    return x0, x1, y0, y1


def write_box(x0: float, x1: float, y0: float, y1: float) -> None:
    """Put a box into the URL, and choose its samples."""
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
        "No samples in this quadrant. Move a line to make it larger.",
    )


def _order() -> str:
    """The order of the gallery; the URL keeps the seed of a random one, so that links agree."""
    order = choose(st.selectbox, "Order", ORDERS, "order", label_visibility="collapsed", width=130)
    if order == "random":
        st.button(
            "Shuffle", on_click=_shuffle, icon=":material/casino:", help="Other random samples"
        )
    return order


def _seed() -> int:
    text = st.query_params.get("seed", "0")
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _shuffle() -> None:
    st.query_params["seed"] = str(_seed() + 1)


def _titles(view: View) -> dict[str, str]:
    return {"x": view.catalog.column(view.x).title, "y": view.catalog.column(view.y).title}


def _near_cutoff(view: View) -> None:
    """The samples that change sides first when a line moves."""
    axis = choose(st.selectbox, "Cutoff", _titles(view), "axis", label_visibility="collapsed")
    name, at_line = (view.x, view.x_line) if axis == "x" else (view.y, view.y_line)
    # A sample on the low side of the other line stays dropped wherever this line is.
    among = view.side("y" if axis == "x" else "x", True)
    for inside in (True, False):
        st.markdown("**Just inside** – kept" if inside else "**Just outside** – dropped")
        rows = sampling.rows_near_cutoff(
            view.catalog, name, at_line, among, inside, gallery.PAGE // 2
        )
        gallery.show(shell.workspace(), view.catalog, rows, (view.x, view.y))


def _borderline(view: View) -> None:
    """The samples that other random batches would most likely put on the other side of a line."""
    known = {a: t for a, t in _titles(view).items() if _has_error(view, a)}
    if not known:
        exact = any(
            sampling.standard_errors(view.catalog, name) is not None for name in (view.x, view.y)
        )
        st.info(
            "No borderline samples: each batch of negCLIPLoss was the whole dataset, so its scores "
            "have no sampling error."
            if exact
            else "No borderline samples: neither score has a standard error. negCLIPLoss has one.",
            icon=":material/error_outline:",
        )
        return
    axis = choose(st.selectbox, "Cutoff", known, "unsure", label_visibility="collapsed")
    rows, distance = sampling.uncertain_rows(view, "x" if axis == "x" else "y", MOST)
    st.caption(
        "Flip probability: that the score would be on the other side of the cutoff with other "
        "random batches, Φ(−|score − cutoff| / standard error). Only samples that the other cutoff "
        "keeps."
    )
    probability = np.array([math.erfc(d / math.sqrt(2)) / 2 for d in distance], dtype=np.float32)
    gallery.paged(
        shell.workspace(),
        view.catalog,
        rows,
        (view.x, view.y),
        "unsure_page",
        len(rows),
        "No sample near this cutoff has a standard error.",
        extra={"Flip probability": probability},
    )


def _has_error(view: View, axis: str) -> bool:
    spread = sampling.standard_errors(view.catalog, view.x if axis == "x" else view.y)
    return spread is not None and bool(np.any(spread > 0))


def _box(view: View, box: Range | None) -> None:
    if box is None:
        st.info("Drag a box in the chart to see its samples.", icon=":material/select:")
        st.button("Select middle half", on_click=_select_middle, args=(view,))
        return
    mask = view.box(box[:2], box[2:])
    count = int(mask.sum())
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**{formatting.plural(count, 'sample')}** in the box, "
            f"{formatting.share(count, len(view.catalog))} of the pool"
        )
        order = _order()
        st.button("Clear box", on_click=_clear_box, icon=":material/close:")
    with st.expander("Box bounds", icon=":material/straighten:"):
        _bounds(view, box)
    members = np.flatnonzero(mask)
    if order == "random":
        rows = np.random.default_rng(_seed()).choice(members, min(MOST, count), replace=False)
    else:
        rows = sampling.best_rows(view, members, order == "best", MOST)
    gallery.paged(shell.workspace(), view.catalog, rows, (view.x, view.y), "box_page", count)


def _bounds(view: View, box: Range) -> None:
    """The bounds of the box as number fields."""
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


def _select_middle(view: View) -> None:
    ends = [
        quadrants.line(view.catalog, name, Cut("percentile", at))
        for name in (view.x, view.y)
        for at in (25, 75)
    ]
    write_box(*ends)


def _clear_box() -> None:
    keep_numbers("box", None)
    st.session_state["shown"] = "quadrant"
