"""Search: the samples whose images are most similar to a text, an image, or a sample."""

from dataclasses import dataclass
from textwrap import shorten
from typing import Any

import numpy as np
import streamlit as st

from curation import formatting
from curation.analysis import search
from curation.analysis.embedding_store import Side
from curation.analysis.quadrants import QUADRANTS, View
from curation.analysis.search import Matches, Vector
from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.images import decode
from curation.models import encoder
from curation.models.encoder import Encoder, ModelSpec
from curation.storage.workspace import Workspace
from pages.widgets.app import shell
from pages.widgets.app.html import element, style
from pages.widgets.app.markdown import plain, show_error
from pages.widgets.gallery import gallery, web_images
from pages.widgets.quadrants import thresholds
from pages.widgets.quadrants.density_figure import density_figure
from pages.widgets.quadrants.names import quadrant_names
from pages.widgets.state import caches
from pages.widgets.state.url import choose
from pages.widgets.state.url_text_field import text_field

shell.enter("search")

BY = {"text": "Text", "picture": "Image", "sample": "Sample"}
# The query parameters of each.
PARAMETERS = {"text": {"text"}, "picture": set[str](), "sample": {"like", "side"}}
SIDES: dict[Side, str] = {"image": "Image", "text": "Caption"}
MANY = {number: f"{number} nearest" for number in ("24", "96", "240")}
# Characters; no model reads more.
LONGEST = 400
HEIGHT = 360
_MARKS = {False: ("#D55E00", "#FFFFFF"), True: ("#FFB454", "#12161D")}
_CSS = """
.st-key-by button, .st-key-side button {min-height: 2.5rem}
.shares {width: 100%; border-collapse: collapse; font-size: 14px;
  font-variant-numeric: tabular-nums}
.shares th {font-weight: 400; opacity: .72; text-align: right}
.shares th:first-child, .shares td:first-child {text-align: left}
.shares td {text-align: right; white-space: nowrap}
.shares td:first-child {white-space: normal}
.shares tr {border-bottom: 1px solid rgba(128, 138, 152, .28)}
.shares th, .shares td {padding: 6px 0 6px 12px}
.shares th:first-child, .shares td:first-child {padding-left: 2px}
@media (min-width: 1280px) {
  /* The chart stays in view while the gallery scrolls. */
  .st-key-search_results [data-testid="stColumn"]:last-child > [data-testid="stVerticalBlock"]
    {position: sticky; top: 4rem; height: auto; flex: none}
}
"""


@dataclass(frozen=True)
class Query:
    """What to search for.

    Attributes:
        title: what the heading calls it.
        vector: its embedding, a unit vector of shape (d,).
        count: how many samples to find.
    """

    title: str
    vector: Vector
    count: int


def main() -> None:
    catalog = shell.catalog()
    view = thresholds.controls(catalog)
    web_images.switch(catalog)
    shell.dataset_facts(catalog)
    st.html(style(_CSS))
    try:
        request = read_query(catalog)
        if request is not None:
            matches = _nearest(shell.workspace(), catalog, request.vector, request.count)
            show_results(view, request.title, matches)
    except CurationError as error:
        st.subheader("Search failed", anchor=False)
        show_error(error)


def read_query(catalog: Catalog) -> Query | None:
    """Show the fields of the search; None where they are not filled in.

    Raises:
        CurationError: the model or the sample cannot be read.
    """
    spec, unknown = model(catalog)
    for way, key in (("text", "text"), ("sample", "like")):
        # A link comes before the last search of this session.
        if st.query_params.get(key) not in (None, st.session_state.get(key)):
            st.session_state["by"] = way
    start = "sample" if spec is None else "text"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        by = choose(st.segmented_control, "Search by", BY, "by", start, always=True, required=True)
        side: Side = "image"
        if by == "text":
            text_field(
                "Text",
                "text",
                key="text",
                max_chars=LONGEST,
                placeholder="a drawing of a dog",
                disabled=spec is None,
            )
        elif by == "sample":
            text_field(
                "Sample",
                "like",
                key="like",
                max_chars=LONGEST,
                placeholder="uid: 32 hex digits",
                width=380,
            )
            st.button(
                "Pick random sample",
                icon=":material/shuffle:",
                on_click=_pick_random,
                args=(catalog,),
            )
            side = choose(st.segmented_control, "Match on", SIDES, "side", required=True)
        count = int(choose(st.selectbox, "Show", MANY, "many", width=150))
    for key in {"text", "like", "side"}.difference(PARAMETERS[by]):
        st.query_params.pop(key, None)
    if by == "sample":
        return sample_query(catalog, side, count)
    if spec is None:
        show_hint(unknown, ":material/block:")
        return None
    return text_query(spec, count) if by == "text" else image_query(spec, count)


def model(catalog: Catalog) -> tuple[ModelSpec | None, str]:
    """The model to embed with, or None and why none is known."""
    try:
        return search.query_model(shell.workspace(), catalog), ""
    except CurationError as error:
        return None, str(error)


def text_query(spec: ModelSpec, count: int) -> Query | None:
    text = st.session_state["text"].strip()
    if not text:
        show_hint("Describe what the images should show, as a caption would.")
        return None
    vector = search.embed_text(_encoder(spec.name, spec.pretrained), text)
    return Query(f"“{text}”", vector, count)


def image_query(spec: ModelSpec, count: int) -> Query | None:
    left, right = st.columns([5, 1], vertical_alignment="center")
    kinds = sorted(extension.removeprefix(".") for extension in decode.EXTENSIONS)
    with left:
        file = st.file_uploader("Image", kinds, label_visibility="collapsed")
    if file is None:
        show_hint("Upload an image. It stays on this server and is not stored.")
        return None
    data = file.getvalue()
    vector = search.embed_image(_encoder(spec.name, spec.pretrained), data)
    right.image(decode.thumbnail(data, 120))
    return Query("the image", vector, count)


def sample_query(catalog: Catalog, side: Side, count: int) -> Query | None:
    uid = st.session_state["like"].strip().lower()
    if not uid:
        show_hint("Enter a uid or pick a random sample to find similar images.")
        return None
    rowid = catalog.find(uid)
    if rowid is None:
        raise CurationError(f"This workspace has no sample {uid}.")
    (row,) = catalog.rows([rowid])
    caption = f"“{shorten(str(row['caption']), 100, placeholder=' …')}”"
    title = f"the image of {caption}" if side == "image" else caption
    return Query(title, search.sample_embedding(shell.workspace(), catalog, rowid, side), count)


def show_hint(text: str, icon: str = ":material/search:") -> None:
    st.subheader("Find images", anchor=False)
    st.info(plain(text), icon=icon)


def show_results(view: View, title: str, matches: Matches) -> None:
    """Show the matches, and their positions among all samples."""
    st.subheader(plain(f"Nearest to {title}"), anchor=False)
    if not len(matches):
        st.info("No sample has an image embedding.", icon=":material/search_off:")
        return
    first, last = (formatting.score(float(matches.cosines[k])) for k in (0, -1))
    st.caption(
        f"{formatting.count(len(matches))} nearest of {formatting.count(len(view.catalog))} "
        f"(exact search) · cosine {first} to {last}"
    )
    with st.container(key="search_results"):
        left, right = st.columns([13, 7], gap="medium")
    with left:
        gallery.show(
            shell.workspace(),
            view.catalog,
            matches.rowids,
            (view.x, view.y),
            extra={"Cosine": matches.cosines},
        )
    with right:
        show_positions(view, matches)


def show_positions(view: View, matches: Matches) -> None:
    """Show the matches over the density of all, and their share of each quadrant."""
    st.plotly_chart(
        figure(view, matches),
        key="where",
        config={"displayModeBar": False},
        alt="Search results over the density of all samples in two scores",
    )
    names, everywhere = quadrant_names(view), view.counts()
    inside = {q: int(view.mask(q)[matches.rowids].sum()) for q in QUADRANTS}
    both, total = sum(inside.values()), sum(everywhere.values())
    lines = [
        element(
            "tr",
            element("td", names[q]),
            element("td", formatting.share(inside[q], both)),
            element("td", formatting.share(everywhere[q], total)),
        )
        for q in QUADRANTS
    ]
    head = element("tr", *(element("th", title) for title in ("Quadrant", "Results", "All")))
    st.html(element("table", head, *lines, class_="shares"))
    if both < len(matches):
        st.caption(f"{formatting.plural(len(matches) - both, 'sample')} without these scores.")


def figure(view: View, matches: Matches) -> Any:
    """The chart of the Quadrants page, small, with the matches on top."""
    dark = shell.is_dark()
    grid = caches.grid(view.catalog, view.x, view.y)
    drawn = density_figure(view, grid, dark)
    # Samples beyond an end of an axis are drawn on it.
    x, y = (
        np.clip(view.catalog.array(axis.score)[matches.rowids], axis.start, axis.end)
        for axis in (grid.x, grid.y)
    )
    fill, line = _MARKS[dark]
    drawn.add_scatter(
        x=x,
        y=y,
        mode="markers",
        cliponaxis=False,
        marker={"size": 8, "color": fill, "line": {"width": 1, "color": line}},
        customdata=np.stack([np.arange(1, len(matches) + 1), matches.cosines], axis=1),
        hovertemplate="No. %{customdata[0]}, cosine %{customdata[1]:.3f}<br>"
        "%{x:.3f}, %{y:.3f}<extra></extra>",
    )
    drawn.update_layout(height=HEIGHT, dragmode=False)
    return drawn


def _pick_random(catalog: Catalog) -> None:
    (row,) = catalog.rows([int(np.random.default_rng().integers(len(catalog)))])
    st.session_state["like"] = st.query_params["like"] = row["uid"]


@st.cache_resource(
    max_entries=64,
    show_spinner="Comparing with every image …",
    hash_funcs={Catalog: caches.catalog_key},
)
def _nearest(_workspace: Workspace, catalog: Catalog, vector: Vector, count: int) -> Matches:
    return search.nearest(_workspace, catalog, vector, count)


@st.cache_resource(max_entries=2, show_spinner="Loading the model …")
def _encoder(name: str, pretrained: str | None) -> Encoder:
    # One query is fast on a CPU, and GPU memory stays free.
    return encoder.load(ModelSpec(name, pretrained), "cpu")


main()
