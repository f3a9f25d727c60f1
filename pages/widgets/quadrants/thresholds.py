"""The sidebar's controls of both axes: a score each, and a threshold on it.

Every control is a query parameter (``x``, ``x_by``, ``x_top`` …), so a link shows the same view,
and the pages that show these controls share one state.
"""

from __future__ import annotations

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from curation import formatting
from curation.analysis import quadrants
from curation.analysis.quadrants import AXES, AxisName, By, Cut, View
from curation.catalog.catalog import Catalog
from pages.widgets.app.markdown import plain
from pages.widgets.state.url import choose, current, keep_numbers, number

_LABELS: dict[AxisName, str] = {"x": "X axis", "y": "Y axis"}
_BY_NAMES: dict[By, str] = {
    "top": "Top % of the pool",
    "left": "Top % of remaining",
    "count": "Top N of remaining",
    "percentile": "Percentile",
    "value": "Value",
}
_BY_HELP = (
    "Remaining samples are those that the other cutoff keeps, so a share or a number of them is "
    "that of the kept quadrant."
)
# The share that the paper keeps by quality; a start for relevance too.
START = Cut("top", 30.0)
# The resolution of float32 between 0.1 and 1.
_VALUE_DIGITS = 7


def controls(catalog: Catalog) -> View:
    """Show the controls of both axes in the sidebar; returns the view that they describe."""
    numbers = [column.name for column in catalog.numbers]
    if len(numbers) < 2:
        st.error("This catalog has fewer than two numeric columns. Score the dataset first.")
        st.stop()
    x_start, y_start = starts(catalog)
    catalog.cache.preload([current("x", numbers, x_start), current("y", numbers, y_start)])
    with st.sidebar:
        x, x_cut, below_x = _axis(catalog, "x", numbers, x_start)
        y, y_cut, below_y = _axis(catalog, "y", numbers, y_start)
        if not any(column.score == "norm_sim" for column in catalog.scores):
            st.caption("No NormSim yet. Score again with `--target NAME=IMAGES`.")
    view = View(catalog, x, y, *quadrants.lines(catalog, x, y, x_cut, y_cut))
    for axis, name, line, below in zip(
        AXES, (x, y), (view.x_line, view.y_line), (below_x, below_y), strict=True
    ):
        st.session_state[f"{axis}_line"] = line
        # Among ties, a cutoff may keep more than the share that was asked for.
        kept = quadrants.restate(catalog, name, line, "top")
        below.caption(f"Cutoff {formatting.score(line)} · keeps {kept:.1f} % of the pool")
    return view


def starts(catalog: Catalog) -> tuple[str, str]:
    """The scores that the axes start with: quality on x, relevance on y."""
    x = _first(catalog, ("neg_clip_loss",), ())
    return x, _first(catalog, ("norm_sim", "norm_sim_inf"), (x,))


def pin(axis: AxisName) -> None:
    """In a callback: state a line by value if it depends on the other line, so that it stays."""
    if st.session_state.get(f"{axis}_by") in quadrants.OF_REMAINING:
        move(axis, st.session_state[f"{axis}_line"], "value")


def move(axis: AxisName, at: float, by: By) -> None:
    """In a callback: move a line; the controls follow."""
    st.session_state[f"{axis}_by"] = by
    st.session_state[f"{axis}_{by}"] = float(at)


def _first(catalog: Catalog, prefixes: tuple[str, ...], taken: tuple[str, ...]) -> str:
    """The first column that is not taken, one with the earliest of the prefixes if there is any."""
    names = [c.name for c in catalog.numbers if c.name not in taken]
    return next((n for prefix in prefixes for n in names if n.startswith(prefix)), names[0])


def _axis(
    catalog: Catalog, axis: AxisName, numbers: list[str], start: str
) -> tuple[str, Cut, DeltaGenerator]:
    """The controls of an axis: returns its score, its cut, and a container below them."""
    label = _LABELS[axis]
    with st.container(border=True, gap="small"):
        name = choose(
            st.selectbox,
            label,
            {n: catalog.column(n).title for n in numbers},
            axis,
            start,
            always=True,
            on_change=_forget_ranges,
            help=plain(catalog.column(current(axis, numbers, start)).help) or None,
        )
        _forget_other_value(catalog, axis, name)
        by = choose(
            st.selectbox,
            f"{label} threshold by",
            _BY_NAMES,
            f"{axis}_by",
            on_change=_restate_cut,
            args=(catalog, axis),
            label_visibility="collapsed",
            help=_BY_HELP,
        )
        at = _number(catalog, axis, label, name, by)
        return name, Cut(by, at), st.container()


def _number(catalog: Catalog, axis: AxisName, label: str, name: str, by: By) -> float:
    """A slider and a number field of the same threshold; returns its value."""
    digits = 1
    if by == "value":
        low, high = catalog.ranks(name).finite_range() or (0.0, 1.0)
        step = _step(high - low)
        # The slider reaches one step beyond the best sample, where nothing is kept.
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


def _restate_cut(catalog: Catalog, axis: AxisName) -> None:
    """The rule has changed: state the same line by the new rule, to 0.1 % if it is a share."""
    other: AxisName = "y" if axis == "x" else "x"
    # Only one line can depend on the other.
    if all(st.session_state[f"{a}_by"] in quadrants.OF_REMAINING for a in (axis, other)):
        st.session_state[f"{other}_by"] = "value"
        _restate(catalog, other)
    _restate(catalog, axis)


def _restate(catalog: Catalog, axis: AxisName) -> None:
    by: By = st.session_state[f"{axis}_by"]
    name, line = st.session_state[axis], st.session_state.get(f"{axis}_line")
    if line is None or np.isnan(line):
        return
    other = "y" if axis == "x" else "x"
    among = None
    if by in quadrants.OF_REMAINING:
        other_line = np.float32(st.session_state[f"{other}_line"])
        among = catalog.array(st.session_state[other]) >= other_line
    stated = quadrants.restate(catalog, name, line, by, among)
    # Values are rounded down, so that a sample on the line stays on its high side.
    scale = 10 ** (_VALUE_DIGITS if by == "value" else 1)
    at = np.floor(stated * scale) / scale if by == "value" else round(stated * scale) / scale
    st.session_state[f"{axis}_{by}"] = float(at)


def _forget_ranges() -> None:
    """The score has changed: drop the box and the zoom, which are values of the old one."""
    keep_numbers("box", None)
    keep_numbers("zoom", None)


def _forget_other_value(catalog: Catalog, axis: AxisName, name: str) -> None:
    """Drop a value stated for another score or workspace; a share is kept."""
    shown = (str(catalog.path), name)
    before = st.session_state.setdefault(f"{axis}_of", shown)
    if before != shown:
        st.session_state[f"{axis}_of"] = shown
        st.session_state.pop(f"{axis}_value", None)
        st.query_params.pop(f"{axis}_value", None)
        if st.session_state.get(f"{axis}_by") == "value":
            st.session_state[f"{axis}_by"] = "top"


def _step(spread: float) -> float:
    """A power of ten, about a two-hundredth of the range."""
    return float(10.0 ** np.floor(np.log10(spread / 100))) if spread > 0 else 0.01
