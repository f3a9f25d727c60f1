"""How the ranks of all samples change from one score to another: tiles, density, pictures."""

from __future__ import annotations

import streamlit as st

from curation import compare, wording
from curation.catalog import Catalog
from curation.compare import Ranks
from pages.widgets import compare_charts, gallery, shell
from pages.widgets.plain import plain
from pages.widgets.url import choose

MOVES = {"up": "Most promoted", "down": "Most demoted"}
# As many pictures as a person might page through.
MOST = 20 * gallery.PAGE


def show(catalog: Catalog, a: str, b: str, titles: dict[str, str], page: str) -> None:
    """What changes from score a to score b.

    Args:
        titles: what a and b are called, under those keys.
        page: what keeps this page's URL and state apart from others'.
    """
    compared = _ranks(catalog, _key(catalog), a, b)
    if not compared.count:
        st.info("No sample has both of these scores: choose another one.")
        return
    _tiles(compared)
    missing = len(catalog) - compared.count
    if missing:
        st.caption(f"{wording.plural(missing, 'sample')} without one of these scores: not ranked.")
    with st.container(key="desk"):
        left, right = st.columns([11, 9], gap="medium")
    # Pictures first: the browser draws them while it loads the chart.
    with right:
        _moved(catalog, a, b, compared, titles, page)
    with left:
        st.plotly_chart(
            compare_charts.ranks(compared, titles, shell.is_dark()),
            key=f"{page}_ranks",
            config={"displaylogo": False, "displayModeBar": False},
            alt="Density of all samples over their percentiles by both scores",
        )
        st.caption(
            "A percentile is the share of samples that one is above. On the dotted line both rank "
            "alike; the stronger a cell, the more samples it holds (logarithmic)."
        )


def _tiles(compared: Ranks) -> None:
    columns = st.columns(1 + len(compared.shared))
    settings = {"delta_color": "off", "delta_arrow": "off", "border": True}
    columns[0].metric(
        "Spearman correlation", wording.score(compared.spearman),
        wording.plural(compared.count, "sample"), **settings,
        help="Of the ranks: 1 where both rank alike, 0 where neither tells of the other.",
    )  # fmt: skip
    for column, (percent, share) in zip(columns[1:], compared.shared.items(), strict=True):
        column.metric(
            f"Shared by the top {percent} %", wording.share(share), f"{percent} % by chance",
            **settings,
            help=f"Of the best {percent} % by one: the share also among those by the other.",
        )  # fmt: skip


def _moved(
    catalog: Catalog, a: str, b: str, compared: Ranks, titles: dict[str, str], page: str
) -> None:
    move = choose(
        st.segmented_control, "Samples", MOVES, f"{page}_moved", required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    low, high = (titles["a"], titles["b"]) if move == "up" else (titles["b"], titles["a"])
    st.caption(
        f"Higher by {plain(high)} than by {plain(low)}, the largest shift of percentile first."
    )
    gallery.paged(
        shell.workspace(), catalog, compared.moved(move == "up", MOST), (a, b),
        f"{page}_page_{move}", compared.moves[0 if move == "up" else 1],
        "No sample moves this way: both rank alike.",
    )  # fmt: skip


def _key(catalog: Catalog) -> str:
    # A catalog that replaced another is another object; both have the path.
    return f"{catalog.path} {id(catalog)} {catalog.dataset.published}"


@st.cache_resource(max_entries=4, show_spinner="Ranking …")
def _ranks(_catalog: Catalog, key: str, a: str, b: str) -> Ranks:
    return compare.ranks(_catalog, a, b)
