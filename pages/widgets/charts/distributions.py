"""A small histogram of one score."""

from __future__ import annotations

import plotly.graph_objects as go

from curation.analysis.distribution import Distribution

HEIGHT = 170


def figure(distribution: Distribution, dark: bool) -> go.Figure:
    """All known values of a numeric column, with a line at the median."""
    bounds = distribution.edges
    middles = (bounds[:-1] + bounds[1:]) / 2
    fig = go.Figure()
    fig.add_bar(
        x=middles.astype("float32"),
        y=distribution.heights.astype("int32"),
        width=float(bounds[1] - bounds[0]),
        marker={"color": "#4FA8E0" if dark else "#0072B2", "line": {"width": 0}},
        hovertemplate="%{x:.3f}: %{y:,} samples<extra></extra>",
    )
    if distribution.known:
        fig.add_vline(
            x=distribution.median,
            line={"color": "#E6EAF0" if dark else "#1B2330", "width": 1, "dash": "dot"},
        )
    fig.update_layout(
        height=HEIGHT,
        margin={"l": 0, "r": 0, "t": 4, "b": 20},
        bargap=0,
        showlegend=False,
        xaxis={"showgrid": False, "zeroline": False, "fixedrange": True, "nticks": 6},
        yaxis={"visible": False, "fixedrange": True},
    )
    return fig
