"""The quadrant chart: density of all samples, marginal histograms, a threshold line on each axis.

The chart is a component whose script draws everything and counts without the server while a line is
dragged. Plotly is not on this page: it takes a browser over a second to load, and 80 times as long
as a canvas to follow a dragged line.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from curation.analysis import grid, quadrants
from curation.analysis.grid import Axis, Grid
from curation.analysis.quadrants import AXES, QUADRANTS, AxisName, View
from curation.catalog.catalog import Catalog
from pages.widgets.app import shell
from pages.widgets.quadrants.names import quadrant_names

KEY = "quadrant_chart"
_STATE = f"{KEY}_state"
_ANSWERED = f"{KEY}_answered"
_SESSION = f"{KEY}_session"
_LARGEST = float(np.finfo(np.float32).max)

_HERE = Path(__file__)
# Read as one script, in this order.
_SCRIPTS = ("shared", "counts", "axes", "density", "lines", "pointer", "tiles", "chart")
_component = st.components.v2.component(
    "curation_quadrant_chart",
    css=_HERE.with_suffix(".css").read_text(encoding="utf-8"),
    js="\n".join(_HERE.with_name(f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS),
    isolate_styles=False,
)

Range = tuple[float, float, float, float]
"""A rectangle: x from and to, y from and to."""


@dataclass(frozen=True)
class Color:
    """Colors the picture's cells by something other than their number of samples.

    Attributes:
        title: what the legend calls it.
        means: (rows, columns) of the picture, float32; NaN in cells without samples.
        share: whether the means are shares of samples, in [0, 1].
    """

    title: str
    means: NDArray[np.float32]
    share: bool = False


@dataclass(frozen=True)
class MovedLines:
    """Where lines were let go, as their axes are read.

    Attributes:
        positions: the line or lines that were moved.
        percentile: whether positions are percentiles, else values of the scores. The page's scale
            may have changed since.
    """

    positions: Mapping[AxisName, float]
    percentile: bool


@dataclass(frozen=True)
class DraggedRange:
    """A part of the plot that was dragged; ``percentile`` as in ``MovedLines``."""

    range: Range
    percentile: bool


def show(
    view: View,
    over: Grid,
    color: Color | None,
    box: Range | None,
    on_move: Callable[[], None],
    on_box: Callable[[], None],
    on_zoom: Callable[[], None],
) -> None:
    """Show the chart.

    Args:
        box: the selected box, in values of the scores.
        on_move: callback; ``moved_lines`` says what was moved.
        on_box: callback; ``dragged_box`` is the box.
        on_zoom: callback; ``dragged_zoom`` is the part to zoom into, None for everything.
    """
    with st.container(key=KEY, gap=None):
        # Two messages, as the grid is large: Streamlit sends only those that have changed.
        # Each is in a list: Streamlit would search a dict for tables, and import pandas to do so.
        _component(key=f"{KEY}_grid", data=[_grid_message(view.catalog, over, color)])
        _component(
            key=_STATE,
            data=[_state_message(view, over, box)],
            on_moved_change=on_move,
            on_box_change=on_box,
            on_zoom_change=on_zoom,
        )


def moved_lines() -> MovedLines | None:
    """In the callback ``on_move``: the lines that were moved."""
    message = st.session_state[_STATE]["moved"]
    if not message:
        return None
    st.session_state[_ANSWERED] = message["sent"]
    positions = {axis: float(message[axis]) for axis in AXES if axis in message}
    return MovedLines(positions, message["percentile"])


def dragged_box() -> DraggedRange | None:
    """In the callback ``on_box``: the box that was dragged."""
    return _dragged("box")


def dragged_zoom() -> DraggedRange | None:
    """In the callback ``on_zoom``: the part to zoom into; None for everything."""
    return _dragged("zoom")


def _dragged(name: str) -> DraggedRange | None:
    message = st.session_state[_STATE][name]
    if not message or message["range"] == "all":
        return None
    x0, x1, y0, y1 = map(float, message["range"])
    return DraggedRange((x0, x1, y0, y1), message["percentile"])


def _grid_message(catalog: Catalog, over: Grid, color: Color | None) -> dict[str, Any]:
    return {
        "key": KEY,
        "name": _name(catalog, over),
        "dark": shell.is_dark(),
        "axes": {
            name: {
                "title": catalog.column(axis.score).title,
                "start": axis.start,
                "step": axis.step,
                "bins": axis.bins,
                "percentile": axis.scale == "percentile",
            }
            for name, axis in (("x", over.x), ("y", over.y))
        },
        "cells": base64.b64encode(over.cells.astype("<u4").tobytes()).decode(),
        "coarse": over.coarse,
        "color": None if color is None else _color_message(color),
    }


def _state_message(view: View, over: Grid, box: Range | None) -> dict[str, Any]:
    """Lines, counts and box; counts.js explains edges and strips."""
    catalog = view.catalog
    counts, names = view.counts(), quadrant_names(view)
    axes: dict[AxisName, Axis] = {"x": over.x, "y": over.y}
    lines: dict[AxisName, float] = {"x": view.x_line, "y": view.y_line}
    on_edge = {n: bool(np.any(axes[n].edges == np.float32(lines[n]))) for n in AXES}
    strips = {
        n: []
        if np.isnan(lines[n]) or on_edge[n]
        else grid.strip_above_line(catalog, over, n, lines[n]).tolist()
        for n in AXES
    }
    return {
        "key": KEY,
        "grid": _name(catalog, over),
        "lines": {n: _axis_position(axes[n], catalog, lines[n]) for n in AXES},
        "nextEdges": {n: int(np.searchsorted(axes[n].edges, np.float32(lines[n]))) for n in AXES},
        "onEdge": on_edge,
        "strips": strips,
        "counts": [counts[q] for q in QUADRANTS],
        "session": st.session_state.setdefault(_SESSION, uuid4().hex),
        "answered": st.session_state.get(_ANSWERED, 0),
        "names": [names[q] for q in QUADRANTS],
        "box": None if box is None else _axis_positions(over, catalog, box),
    }


def _color_message(color: Color) -> dict[str, Any]:
    """The means in 255 levels; level 0 is no mean."""
    known = color.means[np.isfinite(color.means)]
    low, high = (0.0, 1.0) if color.share else (0.0, 0.0)
    if not color.share and len(known):
        # Quantiles, so that a few extreme cells do not use up the color scale.
        low, high = (float(v) for v in np.quantile(known, (0.01, 0.99)))
    scaled = np.clip((color.means - low) / max(high - low, 1e-12), 0, 1) * 254 + 1
    levels = np.where(np.isnan(scaled), 0, scaled).astype(np.uint8)
    return {
        "title": color.title,
        "low": low,
        "high": high,
        "share": color.share,
        "levels": base64.b64encode(levels.tobytes()).decode(),
    }


def _name(catalog: Catalog, over: Grid) -> str:
    """A name that no other grid has."""
    axes = (f"{a.score} {a.scale} {a.start} {a.end} {a.step}" for a in (over.x, over.y))
    return " ".join((str(catalog.path), str(catalog.dataset.published), *axes))


def _axis_position(axis: Axis, catalog: Catalog, value: float) -> float | None:
    """Where the axis shows a value, as JSON: None for NaN, a large number for an infinity."""
    if np.isnan(value):
        return None
    if axis.scale == "value":
        return float(np.clip(value, -_LARGEST, _LARGEST))
    return quadrants.restate(catalog, axis.score, value, "percentile")


def _axis_positions(over: Grid, catalog: Catalog, box: Range) -> Sequence[float | None]:
    axes = zip((over.x, over.x, over.y, over.y), box, strict=True)
    return [_axis_position(axis, catalog, value) for axis, value in axes]
