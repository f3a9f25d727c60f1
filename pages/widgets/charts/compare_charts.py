"""The charts of the Compare page: set sizes, score histograms, rank against rank."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from curation import formatting
from curation.analysis.compare import PARTS, SELECTED, Part, RankComparison, ScoreHistograms, Sets
from pages.widgets.app.html import Html, element, join, style

if TYPE_CHECKING:
    import plotly.graph_objects as go

NAMES: dict[Part, str] = {
    "only_a": "Only A",
    "both": "Both",
    "only_b": "Only B",
    "neither": "Neither",
}
HEIGHT = 420
SQUARE = 600

# Blue and vermilion differ under every color blindness; "both" has the color of the text.
_COLORS = {
    False: {"only_a": "#0072B2", "both": "#3D4654", "only_b": "#C25100", "neither": "#E3E7EC"},
    True: {"only_a": "#4FA8E0", "both": "#C3CAD4", "only_b": "#F0904D", "neither": "#2A313B"},
}
_INK = {False: "#1B2330", True: "#E6EAF0"}
_PAPER = {False: "#FFFFFF", True: "#12161D"}
_PLATE = {False: "rgba(255,255,255,0.8)", True: "rgba(18,22,29,0.8)"}
_SCALE = {False: ("#D3E8F6", "#004C7F"), True: ("#123550", "#9AD5FF")}
# A narrower part has no room for its name (share of the bar).
_NAMED_WIDTH = 0.09

_CSS = """
.parts {font-size: 13px; line-height: 1.3; font-variant-numeric: tabular-nums;
  margin: 2px 0 10px}
.parts .bar {display: flex; height: 34px; border-radius: 6px; overflow: hidden}
.parts .bar div {display: flex; align-items: center; justify-content: center; overflow: hidden;
  white-space: nowrap; font-weight: 600; font-size: 12px; box-sizing: border-box}
.parts .rule {height: 5px; border: 0 solid; box-sizing: border-box}
.parts .name {white-space: nowrap; overflow: hidden; text-overflow: ellipsis; opacity: .85}
"""


def bar(sets: Sets, a: str, b: str, dark: bool) -> Html:
    """The whole pool as one bar of HTML: its parts, with A above and B below.

    Args:
        a, b: what the two selections are called.
    """
    total = max(len(sets.a), 1)
    colors = _COLORS[dark]
    cells = []
    for part in PARTS:
        count = sets.counts[part]
        if not count:
            continue
        share = formatting.share(count, total)
        ink = _INK[dark] if part == "neither" else _PAPER[dark]
        cells.append(
            element(
                "div",
                f"{NAMES[part]} {share}" if count / total >= _NAMED_WIDTH else None,
                title=f"{NAMES[part]}: {formatting.plural(count, 'sample')}, {share} of the pool",
                style=f"flex: {count / total:.6f} 0 0; background: {colors[part]}; color: {ink}",
            )
        )
    # The tiles of the parts have the same colors.
    edges = "".join(
        f".st-key-part_cards [data-testid=stColumn]:nth-child({n}) [data-testid=stMetric]"
        f"{{border-left: 4px solid {colors[part]}}}"
        for n, part in enumerate(SELECTED, 1)
    )
    name_a, rule_a = _extent("A", a, 0, sets.in_a, total, colors["only_a"])
    name_b, rule_b = _extent("B", b, sets.counts["only_a"], sets.in_b, total, colors["only_b"])
    return join(
        style(_CSS + edges),
        element(
            "div",
            name_a,
            rule_a("2px 2px 0"),
            element("div", *cells, class_="bar"),
            rule_b("0 2px 2px"),
            name_b,
            class_="parts",
        ),
    )


def _extent(
    letter: str, name: str, start: int, count: int, total: int, color: str
) -> tuple[Html, Callable[[str], Html]]:
    """The name of a selection, and a function from border widths to a rule along its samples."""
    left, width = 100 * start / total, 100 * count / total
    # The name goes to the side that has room.
    side = f"text-align: right; padding-right: {max(100 - left - width, 0):.3f}%"
    if left <= 50:
        side = f"padding-left: {left:.3f}%"
    samples = f"{formatting.plural(count, 'sample')}, {formatting.share(count, total)} of the pool"
    label = element("div", element("b", letter), f" {name} · {samples}", class_="name", style=side)

    def rule(borders: str) -> Html:
        return element(
            "div",
            class_="rule",
            style=f"margin: 3px 0 3px {left:.3f}%; width: {width:.3f}%; "
            f"border-width: {borders}; border-color: {color}",
        )

    return label, rule


def histograms(spread: ScoreHistograms, title: str, dark: bool) -> go.Figure:
    """The histogram of a score in each part, normalized to the part."""
    import plotly.graph_objects as go

    width = spread.edges[1] - spread.edges[0]
    middles = (spread.edges[:-1] + spread.edges[1:]) / 2
    across = np.concatenate([[middles[0] - width], middles, [middles[-1] + width]])
    # Empty bins at either end are cut off.
    used = np.flatnonzero(sum(spread.counts.values()))
    ends = [across[used[0]], across[used[-1] + 2]] if len(used) else [across[0], across[-1]]
    fig = go.Figure()
    for part in SELECTED:
        counts = np.concatenate([[0], spread.counts[part], [0]])
        total = counts.sum()
        if not total:
            continue
        fig.add_scatter(
            x=across.astype(np.float32),
            y=(100 * counts / total).astype(np.float32),
            customdata=counts.astype(np.int32),
            name=NAMES[part],
            mode="lines",
            line={"shape": "hvh", "width": 2, "color": _COLORS[dark][part]},
            hovertemplate="%{y:.1f} %, %{customdata:,} samples",
        )
    fig.update_layout(
        height=HEIGHT,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        hovermode="x unified",
        showlegend=True,
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.01, "yanchor": "bottom"},
        xaxis={
            "showgrid": False,
            "zeroline": False,
            "linecolor": _INK[dark],
            "ticks": "outside",
            "title": title,
            "hoverformat": ".3f",
            "range": ends,
        },
        yaxis={
            "title": "Share of each part",
            "ticksuffix": " %",
            "rangemode": "tozero",
            "zeroline": False,
            "fixedrange": True,
        },
    )
    return fig


def ranks(compared: RankComparison, titles: Mapping[str, str], dark: bool) -> go.Figure:
    """How many samples have which percentile by A and by B."""
    import plotly.graph_objects as go

    bins = 20 if compared.count < 5000 else 50 if compared.count < 100_000 else 100
    cells = compared.density(bins)
    with np.errstate(divide="ignore"):
        shade = np.log10(cells.astype(np.float32))
    shade[~np.isfinite(shade)] = np.nan
    top = float(np.nanmax(shade))
    step = 100 / bins
    middles = (step * (np.arange(bins) + 0.5)).astype(np.float32)
    ranges = np.array([f"{step * n:g}–{step * (n + 1):g}" for n in range(bins)])
    hover = np.empty((bins, bins, 3), dtype=object)
    hover[..., 0], hover[..., 1], hover[..., 2] = ranges[None, :], ranges[:, None], cells
    ink = _INK[dark]
    fig = go.Figure()
    fig.add_heatmap(
        x=middles,
        y=middles,
        z=shade,
        customdata=hover,
        zmin=min(0.0, top - 1e-6),
        zmax=max(top, 0.3),
        colorscale=[[0, _SCALE[dark][0]], [1, _SCALE[dark][1]]],
        showscale=False,
        hovertemplate=f"{titles['a']} %{{customdata[0]}}<br>{titles['b']} %{{customdata[1]}}<br>"
        "%{customdata[2]:,} samples<extra></extra>",
        hoverongaps=False,
    )
    fig.add_shape(
        type="line", x0=0, y0=0, x1=100, y1=100, line={"color": ink, "width": 1.5, "dash": "dot"}
    )
    words = ("Promoted", "Demoted")
    for n, (x, y, x_side, y_side) in enumerate(
        ((1, 99, "left", "top"), (99, 1, "right", "bottom"))
    ):
        fig.add_annotation(
            x=x,
            y=y,
            xanchor=x_side,
            yanchor=y_side,
            align=x_side,
            text=f"{words[n]}  <b>{formatting.share(compared.moves[n], compared.count)}</b>",
            showarrow=False,
            font={"size": 12, "color": ink},
            bgcolor=_PLATE[dark],
            borderpad=2,
        )
    axis = {
        "showgrid": False,
        "zeroline": False,
        "linecolor": ink,
        "ticks": "outside",
        "range": [0, 100],
        "dtick": 20,
    }
    fig.update_layout(
        height=SQUARE,
        # The last tick label extends half its width to the right.
        margin={"l": 8, "r": 20, "t": 8, "b": 8},
        showlegend=False,
        xaxis={**axis, "title": f"Percentile by {titles['a']}"},
        yaxis={**axis, "title": f"Percentile by {titles['b']}"},
    )
    return fig
