"""Compare: what two selections share, and where two scores disagree."""

from collections.abc import Sequence

import streamlit as st

from curation import formatting
from curation.analysis import compare
from curation.analysis.compare import Members, Part, Sets
from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.selection.select import select
from pages.widgets.app import shell
from pages.widgets.app.markdown import plain, show_error
from pages.widgets.app.metrics import tile
from pages.widgets.charts import compare_charts
from pages.widgets.gallery import gallery, web_images
from pages.widgets.quadrants import thresholds
from pages.widgets.state import caches
from pages.widgets.state.url import choose, current
from pages.widgets.targets import rank_change

shell.enter("compare")

KINDS = {"selections": "Selections", "scores": "Scores"}
PART_NAMES: dict[Part, str] = {"only_a": "Only A", "only_b": "Only B", "both": "Both"}
SORTS = {"random": "Random", "best": "Best first", "worst": "Worst first"}
EMPTY = {
    "only_a": "No sample is only in A: B contains all of A.",
    "only_b": "No sample is only in B: A contains all of B.",
    "both": "A and B share no samples.",
}
NOTHING_SAVED = (
    "No saved selections yet. Save one on the Export page, or import a uid list: "
    "`clip-curation import-uids WORKSPACE NAME FILE`."
)
TOO_FEW = (
    "Comparing scores needs two numeric columns. Add scores with "
    "`clip-curation score SOURCE --workspace WORKSPACE`."
)
BINS = 40
# Samples in a gallery at most.
MOST = 100 * gallery.PAGE


def main() -> None:
    catalog = shell.catalog()
    kind = choose(
        st.segmented_control,
        "Compare",
        KINDS,
        "compare",
        required=True,
        label_visibility="collapsed",
    )
    if kind == "selections":
        selections(catalog)
    else:
        scores(catalog)
    shell.dataset_facts(catalog)


def selections(catalog: Catalog) -> None:
    """Show how much two selections share, and the samples of each part."""
    origins = selection_titles()
    if not any(":" in origin for origin in origins):
        st.info(NOTHING_SAVED, icon=":material/bookmark:")
    left, right = st.columns(2, gap="medium")
    names = list(origins)
    with left:
        a = choose(st.selectbox, "Selection A", origins, "a", names[0], always=True)
    with right:
        b = choose(st.selectbox, "Selection B", origins, "b", names[1], always=True)
    try:
        kept = kept_quadrant(catalog) if "quadrant" in (a, b) else None
        first, second = (members(catalog, origin, kept) for origin in (a, b))
    except CurationError as error:
        show_error(error)
        return
    web_images.switch(catalog)
    sets = Sets(first.mask, second.mask)
    set_cards(sets)
    st.html(compare_charts.bar(sets, origins[a], origins[b], shell.is_dark()))
    for letter, selection in (("A", first), ("B", second)):
        if selection.absent:
            absent = formatting.plural(selection.absent, "uid")
            st.caption(f"{absent} of {letter} not in this dataset (not counted).")
    with st.container(key="desk"):
        left, right = st.columns([9, 11], gap="medium")
    with left:
        score = pick_score(catalog, "score", "Score", ("neg_clip_loss", "clip_score"))
    # The gallery comes first, so that the browser draws it while it loads the chart.
    with right:
        show_part(catalog, sets, score)
    with left:
        show_spread(catalog, sets, score)


def selection_titles() -> dict[str, str]:
    """What can be A or B: titles by what the URL says."""
    saved, all_names = shell.decisions().selection_names(), shell.decisions().names()
    return {
        **{f"saved:{name}": name for name in saved},
        **{f"list:{name}": f"{name} (uid list)" for name in all_names if name not in saved},
        "quadrant": "Kept quadrant",
        "pool": "Whole pool",
    }


def kept_quadrant(catalog: Catalog) -> Members:
    """The samples above both cutoffs of the Quadrants page, which are in the sidebar."""
    recipe = thresholds.controls(catalog).recipe("high_high", "kept")
    return Members(select(recipe, catalog).mask)


def members(catalog: Catalog, origin: str, kept: Members | None) -> Members:
    """The samples of a selection.

    Args:
        origin: a key of ``selection_titles``.
        kept: the samples of the kept quadrant, where it is one of the two.

    Raises:
        CurationError: the selection cannot be evaluated.
    """
    kind, _, name = origin.partition(":")
    if kind == "pool":
        return compare.whole_pool(catalog)
    if kind == "quadrant" and kept is not None:
        return kept
    # A change of this file may change the selection of this name.
    changed = shell.workspace().curation.stat().st_mtime_ns
    return _named(catalog, name, changed)


def set_cards(sets: Sets) -> None:
    both = sets.counts["both"]
    cards = {
        "Only A": (
            sets.counts["only_a"],
            f"{formatting.share(sets.counts['only_a'], sets.in_a)} of A",
        ),
        "Both": (
            both,
            f"{formatting.share(both, sets.in_a)} of A · {formatting.share(both, sets.in_b)} of B",
        ),
        "Only B": (
            sets.counts["only_b"],
            f"{formatting.share(sets.counts['only_b'], sets.in_b)} of B",
        ),
    }
    with st.container(key="part_cards"):
        columns = st.columns(4)
    for column, (name, (count, note)) in zip(columns, cards.items(), strict=False):
        tile(column, name, formatting.count(count), note)
    tile(
        columns[3],
        "Jaccard",
        formatting.score(sets.jaccard),
        f"overlap coefficient {formatting.score(sets.overlap)}",
        help="Shared samples, as a share of A ∪ B. Overlap coefficient: of the smaller set.",
    )


def show_part(catalog: Catalog, sets: Sets, score: str) -> None:
    """Show the samples of one part."""
    with st.container(horizontal=True, vertical_alignment="top"):
        start: Part = next((part for part in PART_NAMES if sets.counts[part]), "only_a")
        part = choose(
            st.segmented_control, "Samples", PART_NAMES, "part", start, always=True, required=True
        )
        sort = choose(st.selectbox, "Order", SORTS, "sort", width=150)
    mask = sets.mask(part)
    rows = (
        gallery.random_rows(mask, MOST)
        if sort == "random"
        else compare.sorted_rows(catalog, score, mask, sort == "best", MOST)
    )
    shown = list(dict.fromkeys([score, *(c.name for c in catalog.scores)]))[:2]
    gallery.paged(
        shell.workspace(), catalog, rows, shown, f"page_{part}", sets.counts[part], EMPTY[part]
    )


def show_spread(catalog: Catalog, sets: Sets, score: str) -> None:
    """Show the histogram of a score in each part."""
    spread = compare.score_histograms(catalog, sets, score, BINS)
    st.plotly_chart(
        compare_charts.histograms(spread, catalog.column(score).title, shell.is_dark()),
        key="spread",
        config={"displaylogo": False, "displayModeBar": False},
        alt="Distribution of a score in the samples of only A, of both and of only B",
    )
    missing = sum(spread.missing.values())
    omitted = f" {formatting.plural(missing, 'sample')} without it omitted." if missing else ""
    st.caption(f"Each line is normalized to its part.{omitted}")


def scores(catalog: Catalog) -> None:
    """Show how alike two scores rank, and the samples on which they disagree most."""
    if len(catalog.numbers) < 2:
        st.info(TOO_FEW, icon=":material/scoreboard:")
        return
    left, right = st.columns(2, gap="medium")
    with left:
        a = pick_score(catalog, "score_a", "Score A", ("clip_score",))
    with right:
        b = pick_score(catalog, "score_b", "Score B", ("neg_clip_loss",), taken=a)
    web_images.switch(catalog)
    rank_change.show(catalog, a, b, MOST)


def pick_score(
    catalog: Catalog, key: str, label: str, preferred: Sequence[str], taken: str = ""
) -> str:
    """A numeric column; begins with a preferred one, else with the first that is not taken."""
    names = [column.name for column in catalog.numbers]
    free = [name for name in names if name != taken]
    start = next((name for name in preferred if name in free), free[0])
    return choose(
        st.selectbox,
        label,
        {n: catalog.column(n).title for n in names},
        key,
        start,
        always=True,
        help=plain(catalog.column(current(key, names, start)).help) or None,
    )


@st.cache_resource(
    max_entries=8,
    show_spinner="Looking up the selection …",
    hash_funcs={Catalog: caches.catalog_key},
)
def _named(catalog: Catalog, name: str, changed: int) -> Members:
    return compare.load_members(catalog, shell.decisions(), name)


main()
