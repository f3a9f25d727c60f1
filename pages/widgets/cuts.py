"""The two axes and their thresholds: the controls in the sidebar, kept in the URL.

Every control is a query parameter (``x``, ``x_by``, ``x_top`` …), so a link shows the same view,
and the pages that render these controls share one state.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import streamlit as st

from curation import quadrants, wording
from curation.catalog import Catalog
from curation.quadrants import By, Cut, View
from pages.widgets.url import choose, current, number

Axis = Literal["x", "y"]

_BY_NAMES: dict[By, str] = {"top": "Top %", "percentile": "Percentile", "value": "Value"}
# The paper's cut by quality, and the same share by relevance to begin with.
_START = 30.0
# About as fine as float32 is between 0.1 and 1.
_VALUE_DIGITS = 7


def controls(catalog: Catalog) -> View:
    """Both axes with their thresholds, in the sidebar; returns what they say."""
    numbers = [column.name for column in catalog.numbers]
    if len(numbers) < 2:
        st.error("This catalog has fewer than two numeric columns: score it first.")
        st.stop()
    x_start = _first(catalog, ("neg_clip_loss",), ())
    y_start = _first(catalog, ("norm_sim", "norm_sim_inf"), (x_start,))
    with st.sidebar:
        x, x_line = _axis(catalog, "x", "Across", numbers, x_start)
        y, y_line = _axis(catalog, "y", "Up", numbers, y_start)
        if not any(column.score == "norm_sim" for column in catalog.scores):
            st.caption("No NormSim yet: score again with `--target NAME=IMAGES`.")
    return View(catalog, x, y, x_line, y_line)


def _first(catalog: Catalog, wanted: tuple[str, ...], besides: tuple[str, ...]) -> str:
    """The first column whose name begins as wanted, else the first that is not taken."""
    names = [c.name for c in catalog.numbers if c.name not in besides]
    return next((n for prefix in wanted for n in names if n.startswith(prefix)), names[0])


def _axis(
    catalog: Catalog, axis: Axis, label: str, numbers: list[str], start: str
) -> tuple[str, float]:
    with st.container(border=True, gap="small"):
        name = choose(
            st.selectbox,
            label,
            {n: catalog.column(n).title for n in numbers},
            axis,
            start,
            always=True,
            on_change=_forget_box,
            help=catalog.column(current(axis, numbers, start)).help or None,
        )
        _forget_value_of_another(catalog, axis, name)
        by = choose(
            st.segmented_control,
            "Threshold by",
            _BY_NAMES,
            f"{axis}_by",
            required=True,
            on_change=_keep_line,
            args=(catalog, axis, name),
            label_visibility="collapsed",
            width="stretch",
        )
        at = _number(catalog, axis, label, name, by)
        at_line = quadrants.line(catalog, name, Cut(by, at))
        st.session_state[f"{axis}_line"] = at_line
        # With ties, a share that was asked for and the share that is kept may differ.
        kept = quadrants.restate(catalog, name, at_line, "top")
        st.caption(f"line at {wording.score(at_line)}, keeps {kept:.1f} %")
    return name, at_line


def _number(catalog: Catalog, axis: Axis, label: str, name: str, by: By) -> float:
    """A slider and a number field for the same threshold; either moves the other."""
    ranked = catalog.ranked(name)
    if by == "value":
        finite = ranked[np.isfinite(ranked)]
        low, high = (float(finite[0]), float(finite[-1])) if len(finite) else (0.0, 1.0)
        step = _step(high - low)
        low, high = np.floor(low / step) * step, np.ceil(high / step) * step
        start = quadrants.line(catalog, name, Cut("top", _START))
        digits = max(0, round(-np.log10(step)))
    else:
        low, high, step, digits = 0.0, 100.0, 0.1, 1
        start = _START if by == "top" else 100 - _START
    key = f"{axis}_{by}"
    slider = f"{key}_slider"
    now = st.session_state.get(key, start)
    st.session_state[slider] = float(np.clip(now, low, high))
    st.slider(
        "Threshold",
        float(low),
        float(high),
        step=step,
        format=f"%.{digits}f",
        key=slider,
        on_change=_follow,
        args=(slider, key),
        label_visibility="collapsed",
    )
    return number(
        f"{label} threshold", key, float(start), float(low), float(high),
        _VALUE_DIGITS if by == "value" else digits, step=step, label_visibility="collapsed",
    )  # fmt: skip


def _follow(source: str, target: str) -> None:
    st.session_state[target] = st.session_state[source]


def _keep_line(catalog: Catalog, axis: Axis, name: str) -> None:
    """Another way to state the threshold: the line stays, as near as a share of 0.1 % can."""
    by: By = st.session_state[f"{axis}_by"]
    at_line = st.session_state.get(f"{axis}_line")
    if at_line is not None and not np.isnan(at_line):
        stated = quadrants.restate(catalog, name, at_line, by)
        # Rounded down, so that the sample on the line stays on its high side.
        scale = 10 ** (_VALUE_DIGITS if by == "value" else 1)
        at = np.floor(stated * scale) / scale if by == "value" else round(stated * scale) / scale
        st.session_state[f"{axis}_{by}"] = float(at)


def _forget_box() -> None:
    """Another score: the box that was dragged means nothing now."""
    st.query_params.pop("box", None)


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
