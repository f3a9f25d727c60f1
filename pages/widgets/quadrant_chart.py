"""The quadrant chart: density of all samples, both threshold lines, histograms at the margins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from curation import quadrants, wording
from curation.quadrants import Density, Quadrant, View
from pages.widgets import cached
from pages.widgets.names import quadrant_names

if TYPE_CHECKING:
    import plotly.graph_objects as go

HEIGHT = 620

# Light to dark on a light page, dark to light on a dark one: more samples stand out more.
_SCALES = {
    False: {"kept": ("#B9DCF2", "#004C7F"), "rest": ("#E3E5E8", "#5D636C")},
    True: {"kept": ("#0F3F5F", "#8FD0FF"), "rest": ("#2A313B", "#AEB6C2")},
}
_BARS = {False: ("#0072B2", "#B4BAC2"), True: ("#4FA8E0", "#4B5563")}
_INK = {False: "#1B2330", True: "#E6EAF0"}
_PAPER = {False: "rgba(255,255,255,0.7)", True: "rgba(18,22,29,0.7)"}


def figure(view: View, dark: bool, box: tuple[float, float, float, float] | None) -> go.Figure:
    """The chart of a view; ``box`` is (x0, x1, y0, y1) of the region that was dragged."""
    import plotly.graph_objects as go

    catalog = view.catalog
    grid = cached.density(catalog, view.x, view.y)
    fig = go.Figure()
    _add_density(fig, view, grid, dark)
    _add_margin(fig, view.x, view.x_line, grid.x_edges, view, dark, "x")
    _add_margin(fig, view.y, view.y_line, grid.y_edges, view, dark, "y")
    ink = _INK[dark]
    for at, axis in ((view.x_line, "x"), (view.y_line, "y")):
        if np.isfinite(at):
            _add_line(fig, at, axis, ink)
    _add_counts(fig, view, grid, dark)
    if box is not None:
        fig.add_shape(
            type="rect", x0=box[0], x1=box[1], y0=box[2], y1=box[3],
            line={"color": ink, "width": 1.5, "dash": "dot"}, fillcolor="rgba(0,0,0,0)",
        )  # fmt: skip
    titles = [catalog.column(name).title for name in (view.x, view.y)]
    axis_style = {"showgrid": False, "zeroline": False, "linecolor": ink, "ticks": "outside"}
    fig.update_layout(
        height=HEIGHT,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        dragmode="select",
        showlegend=False,
        bargap=0,
        xaxis={**axis_style, "title": titles[0], "domain": [0, 0.87],
               "range": [grid.x_edges[0], grid.x_edges[-1]]},
        yaxis={**axis_style, "title": titles[1], "domain": [0, 0.87],
               "range": [grid.y_edges[0], grid.y_edges[-1]]},
        xaxis2={"domain": [0.885, 1], "visible": False, "fixedrange": True},
        yaxis2={"domain": [0.885, 1], "visible": False, "fixedrange": True},
        # The same figure apart from its lines keeps the zoom that a person chose.
        uirevision=f"{catalog.path}{view.x}{view.y}",
        newselection={"line": {"color": ink, "width": 1.5, "dash": "dot"}},
    )  # fmt: skip
    return fig


def _add_density(fig: go.Figure, view: View, grid: Density, dark: bool) -> None:
    x, y = _middles(grid.x_edges), _middles(grid.y_edges)
    with np.errstate(divide="ignore"):
        shade = np.log10(grid.cells.astype(np.float32))
    shade[~np.isfinite(shade)] = np.nan
    top = float(np.nanmax(shade)) if np.isfinite(shade).any() else 0.0
    kept = (y[:, None] >= view.y_line) & (x[None, :] >= view.x_line)
    for part, inside in (("rest", False), ("kept", True)):
        fig.add_heatmap(
            x=x.astype(np.float32),
            y=y.astype(np.float32),
            z=np.where(kept == inside, shade, np.nan).astype(np.float32),
            customdata=grid.cells.astype(np.int32),
            zmin=min(0.0, top - 1e-6),
            zmax=max(top, 0.3),
            colorscale=[[0, _SCALES[dark][part][0]], [1, _SCALES[dark][part][1]]],
            showscale=False,
            hovertemplate="%{x:.3f}, %{y:.3f}<br>%{customdata:,} samples<extra></extra>",
            hoverongaps=False,
        )


def _add_margin(
    fig: go.Figure,
    name: str,
    at: float,
    bounds: NDArray[np.float64],
    view: View,
    dark: bool,
    axis: str,
) -> None:
    heights = quadrants.histogram(view.catalog, name, bounds)
    middles = _middles(bounds)
    keep, drop = _BARS[dark]
    colours = np.where(middles >= at, keep, drop)
    bar: dict[str, Any] = {
        "marker": {"color": colours.tolist(), "line": {"width": 0}},
        "hovertemplate": "%{customdata:,} samples<extra></extra>",
        "customdata": heights.astype(np.int32),
    }
    across, up = middles.astype(np.float32), heights.astype(np.int32)
    width = float(bounds[1] - bounds[0])
    if axis == "x":
        fig.add_bar(x=across, y=up, xaxis="x", yaxis="y2", width=width, **bar)
    else:
        fig.add_bar(x=up, y=across, xaxis="x2", yaxis="y", orientation="h", width=width, **bar)


def _add_line(fig: go.Figure, at: float, axis: str, ink: str) -> None:
    ends = {"x0": at, "x1": at, "y0": 0, "y1": 1, "xref": "x", "yref": "paper"}
    if axis == "y":
        ends = {"x0": 0, "x1": 1, "y0": at, "y1": at, "xref": "paper", "yref": "y"}
    fig.add_shape(type="line", line={"color": ink, "width": 1.5}, **ends)


def _add_counts(fig: go.Figure, view: View, grid: Density, dark: bool) -> None:
    """Each quadrant's name and share in the corner that is its own."""
    counts = view.counts()
    total = sum(counts.values())
    for quadrant, name in quadrant_names(view).items():
        right, up = (side == "high" for side in quadrant.split("_"))
        fig.add_annotation(
            x=0.865 if right else 0.005,
            y=0.865 if up else 0.005,
            xref="paper",
            yref="paper",
            xanchor="right" if right else "left",
            yanchor="top" if up else "bottom",
            align="right" if right else "left",
            text=_label(quadrant, name, counts, total),
            showarrow=False,
            font={"size": 12, "color": _INK[dark]},
            bgcolor=_PAPER[dark],
            borderpad=2,
        )


def _label(quadrant: Quadrant, name: str, counts: dict[Quadrant, int], total: int) -> str:
    return f"{name}  <b>{wording.share(counts[quadrant], total)}</b>"


def _middles(bounds: NDArray[np.float64]) -> NDArray[np.float64]:
    return (bounds[:-1] + bounds[1:]) / 2
