"""A waterfall of one sample's negCLIPLoss: CLIPScore minus its image side and caption side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from curation import formatting
from curation.analysis.explain import Loss

if TYPE_CHECKING:
    import plotly.graph_objects as go

HEIGHT = 230
_NAMES = ("CLIPScore", "− image side", "− caption side", "= negCLIPLoss")

# Blue raises the score and orange lowers it; the signs say the same.
_GAIN = {False: "#0072B2", True: "#4FA8E0"}
_LOSS = {False: "#D55E00", True: "#F08A3C"}
_TOTAL = {False: "#5D636C", True: "#AEB6C2"}
_INK = {False: "#1B2330", True: "#E6EAF0"}
_GRID = {False: "rgba(27,35,48,.22)", True: "rgba(230,234,240,.28)"}


def figure(loss: Loss, line: float | None, dark: bool) -> go.Figure:
    """The bars of a sample, and the cutoff where negCLIPLoss is an axis.

    Args:
        line: the cutoff of negCLIPLoss, if it has one.
    """
    import plotly.graph_objects as go

    ink = _INK[dark]
    steps = [loss.clip_score, -loss.image_side, -loss.text_side, loss.score]
    # Each value is next to its name: next to its bar it would overlap the cutoff or another bar.
    names = [
        f"{name}  <b>{formatting.score(step)}</b>" for name, step in zip(_NAMES, steps, strict=True)
    ]
    if not (loss.is_exact or np.isnan(loss.error)):
        names[-1] += f" ± {formatting.score(loss.error)}"
    fig = go.Figure()
    fig.add_waterfall(
        orientation="h",
        y=names,
        x=steps,
        measure=["relative", "relative", "relative", "total"],
        increasing={"marker": {"color": _GAIN[dark]}},
        decreasing={"marker": {"color": _LOSS[dark]}},
        totals={"marker": {"color": _TOTAL[dark]}},
        connector={"line": {"color": _GRID[dark], "width": 1}},
        hoverinfo="skip",
    )
    ends = [0.0, loss.clip_score, loss.clip_score - loss.image_side, loss.score]
    if line is not None and np.isfinite(line):
        ends.append(line)
        fig.add_vline(x=line, line={"color": ink, "width": 1.5, "dash": "dot"})
        fig.add_annotation(
            x=line,
            y=1,
            yref="paper",
            yanchor="bottom",
            showarrow=False,
            text=f"cutoff {formatting.score(line)}",
            font={"color": ink, "size": 12},
        )
    spread = max(ends) - min(ends)
    fig.update_layout(
        height=HEIGHT,
        margin={"l": 8, "r": 8, "t": 24, "b": 8},
        showlegend=False,
        waterfallgap=0.35,
        xaxis={
            "range": [min(ends) - 0.06 * spread, max(ends) + 0.06 * spread],
            "showgrid": False,
            "fixedrange": True,
            "nticks": 6,
            "zeroline": True,
            "zerolinecolor": _GRID[dark],
        },
        yaxis={
            "autorange": "reversed",
            "fixedrange": True,
            "showgrid": False,
            "tickfont": {"size": 13, "color": ink},
            "automargin": True,
        },
    )
    return fig
