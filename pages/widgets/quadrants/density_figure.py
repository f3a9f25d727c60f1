"""The density and the threshold lines as a Plotly figure, for other pages to draw on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from curation.analysis.grid import Axis, Grid
from curation.analysis.quadrants import View

if TYPE_CHECKING:
    import plotly.graph_objects as go

_GRAYS = {False: ("#E3E5E8", "#5D636C"), True: ("#2A313B", "#AEB6C2")}
_INK = {False: "#1B2330", True: "#E6EAF0"}


def density_figure(view: View, over: Grid, dark: bool) -> go.Figure:
    """A heatmap of all samples, gray on a logarithmic scale, with a line at each threshold."""
    import plotly.graph_objects as go

    fig = go.Figure()
    cells = over.picture
    (x, x_step), (y, y_step) = (_centers(a, over.coarse) for a in (over.x, over.y))
    fig.add_heatmap(
        x0=x,
        dx=x_step,
        y0=y,
        dy=y_step,
        z=np.log10(np.where(cells > 0, cells, np.nan)).astype(np.float32),
        zmin=0,
        colorscale=[[0, _GRAYS[dark][0]], [1, _GRAYS[dark][1]]],
        showscale=False,
        hoverinfo="skip",
    )
    ink = {"color": _INK[dark], "width": 1.5}
    for add, at in ((fig.add_vline, view.x_line), (fig.add_hline, view.y_line)):
        if np.isfinite(at):
            add(at, line=ink)
    clear = "rgba(0,0,0,0)"
    style = {"showgrid": False, "zeroline": False, "linecolor": _INK[dark], "ticks": "outside"}
    titles = [view.catalog.column(a.score).title for a in (over.x, over.y)]
    fig.update_layout(
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        paper_bgcolor=clear,
        plot_bgcolor=clear,
        showlegend=False,
        xaxis={**style, "title": titles[0], "range": [over.x.start, over.x.end]},
        yaxis={**style, "title": titles[1], "range": [over.y.start, over.y.end]},
    )
    return fig


def _centers(axis: Axis, coarse: int) -> tuple[float, float]:
    """The center of the first picture cell along an axis, and the distance to the next."""
    return axis.start + axis.step * coarse / 2, axis.step * coarse
