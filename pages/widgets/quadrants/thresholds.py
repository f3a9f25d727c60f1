"""The two axes and their thresholds: the controls in the sidebar, kept in the URL.

Every control is a query parameter (``x``, ``x_by``, ``x_top`` …), so a link shows the same view,
and the pages that render these controls share one state.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from curation import formatting
from curation.analysis import quadrants
from curation.analysis.quadrants import By, Cut, View
from curation.catalog.catalog import Catalog
from pages.widgets.app.markdown import plain
from pages.widgets.state.url import choose, current, keep_numbers, number

Axis = Literal["x", "y"]

_BY_NAMES: dict[By, str] = {
    "top": "Top % of the pool",
    "left": "Top % of what is left",
    "count": "Count of what is left",
    "percentile": "Percentile",
    "value": "Value",
}
_BY_HELP = (
    "What is left is what the other line keeps: with it, a share or a count is that of the kept "
    "quadrant."
)
# The paper's cut by quality, and the same share by relevance to begin with.
START = Cut("top", 30.0)
# About as fine as float32 is between 0.1 and 1.
_VALUE_DIGITS = 7


def controls(catalog: Catalog) -> View:
    """Both axes with their thresholds, in the sidebar; returns what they say."""
    numbers = [column.name for column in catalog.numbers]
    if len(numbers) < 2:
        st.error("This catalog has fewer than two numeric columns: score it first.")
        st.stop()
    x_start, y_start = starts(catalog)
    catalog.cache.preload([current("x", numbers, x_start), current("y", numbers, y_start)])
    with st.sidebar:
        x, x_cut, below_x = _axis(catalog, "x", "Across", numbers, x_start)
        y, y_cut, below_y = _axis(catalog, "y", "Up", numbers, y_start)
        if not any(column.score == "norm_sim" for column in catalog.scores):
            st.caption("No NormSim yet: score again with `--target NAME=IMAGES`.")
    view = View(catalog, x, y, *quadrants.lines(catalog, x, y, x_cut, y_cut))
    for axis, name, at_line, box in (
        ("x", x, view.x_line, below_x),
        ("y", y, view.y_line, below_y),
    ):
        st.session_state[f"{axis}_line"] = at_line
        # With ties, a share that was asked for and the share that is kept may differ.
        kept = quadrants.restate(catalog, name, at_line, "top")
        box.caption(f"line at {formatting.score(at_line)}, keeps {kept:.1f} % of the pool")
    return view


def starts(catalog: Catalog) -> tuple[str, str]:
    """What the axes begin with: quality across, relevance up."""
    x = _first(catalog, ("neg_clip_loss",), ())
    return x, _first(catalog, ("norm_sim", "norm_sim_inf"), (x,))


def pin(axis: Axis) -> None:
    """In a callback: a line that is stated by what the other one leaves stays where it is."""
    if st.session_state.get(f"{axis}_by") in quadrants.OF_THE_LEFT:
        move(axis, st.session_state[f"{axis}_line"], "value")


def move(axis: Axis, at: float, by: By) -> None:
    """Put a line elsewhere, in a callback; the controls follow."""
    st.session_state[f"{axis}_by"] = by
    st.session_state[f"{axis}_{by}"] = float(at)


def _first(catalog: Catalog, wanted: tuple[str, ...], besides: tuple[str, ...]) -> str:
    """The first column whose name begins as wanted, else the first that is not taken."""
    names = [c.name for c in catalog.numbers if c.name not in besides]
    return next((n for prefix in wanted for n in names if n.startswith(prefix)), names[0])


def _axis(
    catalog: Catalog, axis: Axis, label: str, numbers: list[str], start: str
) -> tuple[str, Cut, DeltaGenerator]:
    """A score, its threshold as stated, and where to say what came of it."""
    with st.container(border=True, gap="small"):
        name = choose(
            st.selectbox,
            label,
            {n: catalog.column(n).title for n in numbers},
            axis,
            start,
            always=True,
            on_change=_forget_box,
            help=plain(catalog.column(current(axis, numbers, start)).help) or None,
        )
        _forget_value_of_another(catalog, axis, name)
        by = choose(
            st.selectbox,
            f"{label} threshold by",
            _BY_NAMES,
            f"{axis}_by",
            on_change=_keep_line,
            args=(catalog, axis),
            label_visibility="collapsed",
            help=_BY_HELP,
        )
        at = _number(catalog, axis, label, name, by)
        return name, Cut(by, at), st.container()


def _number(catalog: Catalog, axis: Axis, label: str, name: str, by: By) -> float:
    """A slider and a number field for the same threshold; either moves the other."""
    digits = 1
    if by == "value":
        low, high = catalog.ranks(name).finite_range() or (0.0, 1.0)
        step = _step(high - low)
        # A step beyond the best keeps nothing.
        low, high = np.floor(low / step) * step, (np.floor(high / step) + 1) * step
        start = quadrants.line(catalog, name, START)
        digits = max(0, round(-np.log10(step)))
    elif by == "count":
        low, high, step, digits = 0.0, float(len(catalog)), 1.0, 0
        start = round(len(catalog) * START.at / 100)
    else:
        low, high, step = 0.0, 100.0, 0.1
        start = 100 - START.at if by == "percentile" else START.at
    key = f"{axis}_{by}"
    slider = f"{key}_slider"
    now = st.session_state.get(key, start)
    st.session_state[slider] = float(np.clip(now, low, high))
    st.slider(
        f"{label} threshold, slider",
        float(low),
        float(high),
        step=float(10 ** np.floor(np.log10(max(high / 1000, 1)))) if by == "count" else step,
        format=f"%.{digits}f",
        key=slider,
        on_change=_follow,
        args=(slider, key),
        label_visibility="collapsed",
    )
    return number(
        f"{label} threshold",
        key,
        float(start),
        float(low),
        float(high),
        _VALUE_DIGITS if by == "value" else digits,
        step=float(step),
        label_visibility="collapsed",
    )


def _follow(source: str, target: str) -> None:
    st.session_state[target] = st.session_state[source]


def _keep_line(catalog: Catalog, axis: Axis) -> None:
    """Another way to state the threshold: the line stays, as near as a share of 0.1 % can."""
    other: Axis = "y" if axis == "x" else "x"
    # Each cannot be of what the other leaves.
    if all(st.session_state[f"{a}_by"] in quadrants.OF_THE_LEFT for a in (axis, other)):
        st.session_state[f"{other}_by"] = "value"
        _restate(catalog, other)
    _restate(catalog, axis)


def _restate(catalog: Catalog, axis: Axis) -> None:
    by: By = st.session_state[f"{axis}_by"]
    name, at_line = st.session_state[axis], st.session_state.get(f"{axis}_line")
    if at_line is None or np.isnan(at_line):
        return
    other = "y" if axis == "x" else "x"
    among = None
    if by in quadrants.OF_THE_LEFT:
        other_line = np.float32(st.session_state[f"{other}_line"])
        among = catalog.array(st.session_state[other]) >= other_line
    stated = quadrants.restate(catalog, name, at_line, by, among)
    # Rounded down, so that the sample on the line stays on its high side.
    scale = 10 ** (_VALUE_DIGITS if by == "value" else 1)
    at = np.floor(stated * scale) / scale if by == "value" else round(stated * scale) / scale
    st.session_state[f"{axis}_{by}"] = float(at)


def _forget_box() -> None:
    """Another score: the box and the zoom that were dragged mean nothing now."""
    keep_numbers("box", None)
    keep_numbers("zoom", None)


def _forget_value_of_another(catalog: Catalog, axis: Axis, name: str) -> None:
    """Another score or workspace: a value of the old one means nothing, a share still does."""
    shown = (str(catalog.path), name)
    before = st.session_state.setdefault(f"{axis}_of", shown)
    if before != shown:
        st.session_state[f"{axis}_of"] = shown
        st.session_state.pop(f"{axis}_value", None)
        st.query_params.pop(f"{axis}_value", None)
        if st.session_state.get(f"{axis}_by") == "value":
            st.session_state[f"{axis}_by"] = "top"


def _step(spread: float) -> float:
    """A round step, about a two-hundredth of the range."""
    return float(10.0 ** np.floor(np.log10(spread / 100))) if spread > 0 else 0.01
