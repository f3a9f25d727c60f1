"""The quadrant chart: density of all samples, a line across each score, histograms at the margins.

Plotly answers the pointer and lets a box be dragged. What is seen is a component's without HTML of
its own: its script paints picture, axes and lines below and above Plotly's layers, so that it is
all there before Plotly is, and a line and the counts follow the pointer without the server.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from curation.analysis import grid, quadrants
from curation.analysis.grid import Axis, Grid
from curation.analysis.quadrants import QUADRANTS, View
from curation.catalog.catalog import Catalog
from pages.widgets.app import shell
from pages.widgets.quadrants.names import quadrant_names

if TYPE_CHECKING:
    import plotly.graph_objects as go

HEIGHT = 640
KEY = "quadrant_chart"
# Pixels around the plot, and the part of the rest that is not the margins' histograms: the script
# knows them too, and paints before Plotly is there.
FRAME = {"left": 66, "right": 10, "top": 10, "bottom": 92, "domain": 0.87, "height": HEIGHT}
_HEARD = f"{KEY}_heard"
_LOADED = f"{KEY}_loaded"
_SESSION = f"{KEY}_session"
_FAR = float(np.finfo(np.float32).max)
# Seconds that a browser takes to load and paint what was sent before, once a session.
_PAINT = 0.8
INK = {False: "#1B2330", True: "#E6EAF0"}
_QUIET = "#8A94A3"

_HERE = Path(__file__)
# In the order in which they are read: one script.
_SCRIPTS = ("sums", "frame", "paint", "lines", "chart")
_component = st.components.v2.component(
    "curation_quadrant_chart",
    css=_HERE.with_suffix(".css").read_text(encoding="utf-8"),
    js="\n".join(_HERE.with_name(f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS),
    isolate_styles=False,
)

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Color:
    """What the picture's cells are colored by, other than how many samples they hold.

    Attributes:
        means: (rows, columns) of the grid's picture, NaN where no sample is.
        share: they are shares of samples, in [0, 1].
    """

    title: str
    means: NDArray[np.float32]
    share: bool = False


def picture(
    view: View,
    over: Grid,
    color: Color | None,
    box: Box | None,
    on_move: Callable[[], None],
    on_zoom: Callable[[], None],
) -> DeltaGenerator:
    """All that is seen of the chart; returns where ``pointer`` goes.

    Args:
        box: (x0, x1, y0, y1) in values of the scores.
        on_move, on_zoom: callbacks; they ask ``told``.
    """
    place = st.container(key=KEY, gap=None)
    with place:
        # In two parts: what has not changed is not sent again, and the grid is large.
        # In a list: in a dict Streamlit looks for tables, and imports pandas for it.
        _component(key=f"{KEY}_grid", data=[_grid(view.catalog, over, color)])
        _component(
            key=f"{KEY}_lines",
            data=[_lines(view, over, _on_axes(over, view.catalog, box))],
            on_moved_change=on_move,
            on_zoom_change=on_zoom,
        )
    return place


def pointer(
    place: DeltaGenerator, catalog: Catalog, over: Grid, box: Box | None, on_box: Callable[[], None]
) -> None:
    """Plotly's part: zoom, boxes, and what a cell holds.

    ``on_box`` finds what was dragged in the session's state as ``chart``.
    """
    if not st.session_state.get(_LOADED):
        # Loading Plotly's 5 MB keeps a browser busy for a second: all else is painted before.
        time.sleep(_PAINT)
        st.session_state[_LOADED] = True
    place.plotly_chart(
        _figure(over, _full_name(catalog, over), str(box), shell.is_dark()),
        key="chart",
        on_select=on_box,
        selection_mode="box",
        config={
            "displaylogo": False,
            "showTips": False,
            "modeBarButtonsToRemove": [
                "lasso2d",
                "autoScale2d",
                "resetScale2d",
                "toImage",
                "zoomIn2d",
                "zoomOut2d",
            ],
        },
        alt="Density of all samples over two scores, with a threshold line across each",
    )


def told(name: Literal["moved", "zoom"]) -> Any:
    """What the chart says, in a callback, as people read its axes.

    ``moved``: {"x": …, "y": …}, one of them or both, where a line was let go, and whether those are
    "percentile"s. ``zoom``: what is to be shown, [x from, x to, y from, y to], or "all".
    """
    said = st.session_state[f"{KEY}_lines"][name]
    if name == "moved" and said:
        st.session_state[_HEARD] = said["sent"]
    return said


def middles(axis: Axis, coarse: int) -> tuple[float, float]:
    """The middle of the picture's first cell along an axis, and how far it is to the next."""
    return axis.start + axis.step * coarse / 2, axis.step * coarse


def _grid(catalog: Catalog, over: Grid, color: Color | None) -> dict[str, Any]:
    return {
        "key": KEY,
        "name": _full_name(catalog, over),
        "dark": shell.is_dark(),
        "axes": {
            name: {
                "title": catalog.column(a.score).title,
                "start": a.start,
                "step": a.step,
                "bins": a.bins,
                "percentile": a.scale == "percentile",
            }
            for name, a in (("x", over.x), ("y", over.y))
        },
        "cells": _packed(over.cells),
        "coarse": over.coarse,
        "color": None if color is None else _levels(color),
    }


def _lines(view: View, over: Grid, box: Sequence[float | None] | None) -> dict[str, Any]:
    counts, names = view.counts(), quadrant_names(view)
    lines = {"x": view.x_line, "y": view.y_line}
    ends: dict[Literal["x", "y"], Axis] = {"x": over.x, "y": over.y}
    on_edge = {n: bool(np.any(a.edges == np.float32(lines[n]))) for n, a in ends.items()}
    return {
        "key": KEY,
        "grid": _full_name(view.catalog, over),
        "frame": FRAME,
        "lines": {n: _on_axis(ends[n], view.catalog, at) for n, at in lines.items()},
        "rows": {n: int(np.searchsorted(ends[n].edges, np.float32(lines[n]))) for n in ends},
        "edge": on_edge,
        "parts": {
            n: []
            if np.isnan(at) or on_edge[n]
            else grid.cut_row(view.catalog, over, n, at).tolist()
            for n, at in lines.items()
        },
        "counts": [counts[q] for q in QUADRANTS],
        "session": st.session_state.setdefault(_SESSION, uuid4().hex),
        "heard": st.session_state.get(_HEARD, 0),
        "names": [names[q] for q in QUADRANTS],
        "box": box,
    }


def _levels(color: Color) -> dict[str, Any]:
    """The means in 255 steps; 0 is none."""
    known = color.means[np.isfinite(color.means)]
    low, high = (0.0, 1.0) if color.share else (0.0, 0.0)
    if not color.share and len(known):
        # A few odd cells do not take the colors from the rest.
        low, high = (float(v) for v in np.quantile(known, (0.01, 0.99)))
    steps = np.clip((color.means - low) / max(high - low, 1e-12), 0, 1) * 254 + 1
    levels = np.where(np.isnan(steps), 0, steps).astype(np.uint8)
    return {
        "title": color.title,
        "low": low,
        "high": high,
        "share": color.share,
        "levels": base64.b64encode(levels.tobytes()).decode(),
    }


@st.cache_resource(max_entries=32, show_spinner=False)
def _figure(_over: Grid, name: str, box: str, dark: bool) -> go.Figure:
    """What Plotly has: ranges, and cells that are not seen but say what they hold.

    Nothing of it moves with a line, so that it is made once a grid.
    """
    over = _over
    import plotly.graph_objects as go

    fig = go.Figure()
    cells = over.picture
    (x, x_step), (y, y_step) = (middles(a, over.coarse) for a in (over.x, over.y))
    fig.add_heatmap(
        x0=x,
        dx=x_step,
        y0=y,
        dy=y_step,
        z=np.where(cells > 0, cells, np.nan).astype(np.float32),
        opacity=0,
        showscale=False,
        hoverongaps=False,
        hovertemplate="%{x:.3~f}, %{y:.3~f}<br>%{z:,.0f} samples<extra></extra>",
    )
    clear = "rgba(0,0,0,0)"
    fig.update_layout(
        height=HEIGHT,
        margin={
            "l": FRAME["left"],
            "r": FRAME["right"],
            "t": FRAME["top"],
            "b": FRAME["bottom"],
            "pad": 0,
            "autoexpand": False,
        },
        paper_bgcolor=clear,
        plot_bgcolor=clear,
        dragmode="select",
        showlegend=False,
        xaxis=_unseen(over.x),
        yaxis=_unseen(over.y),
        modebar={"uirevision": "one", "bgcolor": clear, "color": _QUIET, "activecolor": INK[dark]},
        # Another grid has other ranges, as the script sees by its name; a box that was cleared is
        # forgotten by Plotly too.
        uirevision=_name(over),
        meta=name,
        selectionrevision=box,
        selections=[],
        newselection={"line": {"color": INK[dark], "width": 1.5, "dash": "dot"}},
        activeselection={"fillcolor": clear, "opacity": 1},
    )
    return fig


def _unseen(axis: Axis) -> dict[str, Any]:
    """An axis that is there for the pointer; it is drawn by the component."""
    return {
        "range": [axis.start, axis.end],
        "domain": [0, FRAME["domain"]],
        "automargin": False,
        "showgrid": False,
        "zeroline": False,
        "showline": False,
        "showticklabels": False,
        "ticks": "",
    }


def _full_name(catalog: Catalog, over: Grid) -> str:
    return f"{catalog.path} {catalog.dataset.published} {_name(over)}"


def _name(over: Grid) -> str:
    """Another one for another grid of a catalog."""
    return " ".join(f"{a.score} {a.scale} {a.start} {a.end} {a.step}" for a in (over.x, over.y))


def _on_axis(axis: Axis, catalog: Catalog, value: float) -> float | None:
    """Where a value is read on the axis; JSON has no infinity, so that such lies far beyond."""
    if np.isnan(value):
        return None
    if axis.scale == "value":
        return float(np.clip(value, -_FAR, _FAR))
    return quadrants.restate(catalog, axis.score, value, "percentile")


def _on_axes(over: Grid, catalog: Catalog, box: Box | None) -> list[float | None] | None:
    if box is None:
        return None
    ends = zip((over.x, over.x, over.y, over.y), box, strict=True)
    return [_on_axis(axis, catalog, value) for axis, value in ends]


def _packed(cells: NDArray[np.int64]) -> str:
    return base64.b64encode(cells.astype("<u4").tobytes()).decode()
