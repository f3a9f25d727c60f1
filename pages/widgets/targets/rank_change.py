"""How ranks change from one score to another: metrics, density, and the samples that move most."""

from __future__ import annotations

import streamlit as st

from curation import formatting
from curation.analysis import compare
from curation.analysis.compare import RankComparison
from curation.catalog.catalog import Catalog
from pages.widgets.app import shell
from pages.widgets.app.markdown import plain
from pages.widgets.app.metrics import tile
from pages.widgets.charts import compare_charts
from pages.widgets.gallery import gallery
from pages.widgets.state import caches
from pages.widgets.state.url import choose

MOVES = {"up": "Most promoted", "down": "Most demoted"}


def show(catalog: Catalog, a: str, b: str, most: int, prefix: str = "") -> None:
    """Show how ranks change from score a to score b.

    Args:
        most: at most how many samples the gallery has.
        prefix: of the query parameters and keys, which differ from page to page.
    """
    compared = _ranks(catalog, a, b)
    if not compared.count:
        st.info("No sample has both scores: choose another pair.")
        return
    _tiles(compared)
    missing = len(catalog) - compared.count
    if missing:
        st.caption(f"{formatting.plural(missing, 'sample')} without both scores (not ranked).")
    titles = {key: catalog.column(name).title for key, name in (("a", a), ("b", b))}
    with st.container(key="desk"):
        left, right = st.columns([11, 9], gap="medium")
    # The gallery comes first, so that the browser draws it while it loads the chart.
    with right:
        _moved(catalog, a, b, compared, titles, most, prefix)
    with left:
        st.plotly_chart(
            compare_charts.ranks(compared, titles, shell.is_dark()),
            key=f"{prefix}ranks",
            config={"displaylogo": False, "displayModeBar": False},
            alt="Density of all samples over their percentiles by both scores",
        )
        st.caption("Dotted line: both scores rank alike. Color: samples per cell (log).")


def _tiles(compared: RankComparison) -> None:
    columns = st.columns(1 + len(compared.shared))
    tile(
        columns[0],
        "Spearman correlation",
        formatting.score(compared.spearman),
        formatting.plural(compared.count, "sample"),
        help="Rank correlation: 1 if both scores rank alike, 0 if they are unrelated.",
    )
    for column, (percent, share) in zip(columns[1:], compared.shared.items(), strict=True):
        tile(
            column,
            f"Overlap of top {percent} %",
            formatting.share(share),
            f"{percent} % by chance",
            help=f"Share of the top {percent} % by one score that is also in the other's.",
        )


def _moved(
    catalog: Catalog,
    a: str,
    b: str,
    compared: RankComparison,
    titles: dict[str, str],
    most: int,
    prefix: str,
) -> None:
    """Show the samples on which the two scores disagree most."""
    move = choose(
        st.segmented_control,
        "Samples",
        MOVES,
        f"{prefix}moved",
        required=True,
        label_visibility="collapsed",
    )
    low, high = (titles["a"], titles["b"]) if move == "up" else (titles["b"], titles["a"])
    st.caption(
        f"Ranked higher by {plain(high)} than by {plain(low)}, largest percentile shift first"
    )
    gallery.paged(
        shell.workspace(),
        catalog,
        compared.moved(move == "up", most),
        (a, b),
        f"{prefix}page_{move}",
        compared.moves[0 if move == "up" else 1],
        "No sample moves this way: both scores rank alike.",
    )


@st.cache_resource(
    max_entries=4, show_spinner="Ranking …", hash_funcs={Catalog: caches.catalog_key}
)
def _ranks(catalog: Catalog, a: str, b: str) -> RankComparison:
    return compare.compare_ranks(catalog, a, b)
