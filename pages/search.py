"""Search: the samples whose images are most like a text, an image, or one of the samples."""

from html import escape
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
from pages.widgets.app.markdown import plain, show_error
from pages.widgets.gallery import gallery, web_images
from pages.widgets.quadrants import still, thresholds
from pages.widgets.quadrants.names import quadrant_names
from pages.widgets.state import caches
from pages.widgets.state.url import choose

shell.enter("search")

BY = {"text": "Text", "picture": "Image", "sample": "Sample"}
# What the URL says of each.
SAID_BY = {"text": {"text"}, "picture": set[str](), "sample": {"like", "side"}}
SIDES: dict[Side, str] = {"image": "Image", "text": "Caption"}
MANY = {number: f"{number} nearest" for number in ("24", "96", "240")}
# As far as any model reads.
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
  /* Where they lie stays in view while the pictures scroll. */
  .st-key-search_results [data-testid="stColumn"]:last-child > [data-testid="stVerticalBlock"]
    {position: sticky; top: 4rem; height: auto; flex: none}
}
"""


def main() -> None:
    catalog = shell.catalog()
    view = thresholds.controls(catalog)
    web_images.switch(catalog)
    shell.dataset_facts(catalog)
    st.html(f"<style>{_CSS}</style>")
    try:
        asked = ask(catalog)
        if asked is not None:
            name, query, wanted = asked
            found = _nearest(
                shell.workspace(), catalog, caches.catalog_key(catalog), query.tobytes(), wanted
            )
            results(view, name, found)
    except CurationError as error:
        st.subheader("Search failed", anchor=False)
        show_error(error)


def ask(catalog: Catalog) -> tuple[str, Vector, int] | None:
    """What to look for: its name, its embedding, how many; None where nothing is asked yet."""
    spec, unknown = model(catalog)
    for way, key in (("text", "text"), ("sample", "like")):
        # A link counts, whatever this session looked for before.
        if st.query_params.get(key) not in (None, st.session_state.get(key)):
            st.session_state["by"] = way
    start = "sample" if spec is None else "text"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        by = choose(st.segmented_control, "Search by", BY, "by", start, always=True, required=True)
        side: Side = "image"
        if by == "text":
            field("Text", "text", placeholder="a drawing of a dog", disabled=spec is None)
        elif by == "sample":
            field("Sample", "like", placeholder="uid: 32 hex digits", width=380)
            st.button(
                "Pick random sample", icon=":material/shuffle:", on_click=_anything, args=(catalog,)
            )
            side = choose(st.segmented_control, "Match on", SIDES, "side", required=True)
        wanted = int(choose(st.selectbox, "Show", MANY, "many", width=150))
    for key in {"text", "like", "side"}.difference(SAID_BY[by]):
        st.query_params.pop(key, None)
    if by == "sample":
        asked = like_sample(catalog, side)
    elif spec is None:
        nothing(unknown, ":material/block:")
        return None
    else:
        asked = like_text(spec) if by == "text" else like_picture(spec)
    return None if asked is None else (*asked, wanted)


def model(catalog: Catalog) -> tuple[ModelSpec | None, str]:
    """The model to embed with; where none is known, why."""
    try:
        return search.query_model(shell.workspace(), catalog), ""
    except CurationError as error:
        return None, str(error)


def like_text(spec: ModelSpec) -> tuple[str, Vector] | None:
    text = st.session_state["text"].strip()
    if not text:
        nothing("Describe what the images should show, as a caption would.")
        return None
    return f"“{text}”", search.embed_text(_encoder(spec.name, spec.pretrained), text)


def like_picture(spec: ModelSpec) -> tuple[str, Vector] | None:
    left, right = st.columns([5, 1], vertical_alignment="center")
    kinds = sorted(extension.removeprefix(".") for extension in decode.EXTENSIONS)
    with left:
        file = st.file_uploader("Image", kinds, label_visibility="collapsed")
    if file is None:
        nothing("Upload an image. It stays on this server and is not stored.")
        return None
    data = file.getvalue()
    query = search.embed_image(_encoder(spec.name, spec.pretrained), data)
    right.image(decode.thumbnail(data, 120))
    return "the image", query


def like_sample(catalog: Catalog, side: Side) -> tuple[str, Vector] | None:
    uid = st.session_state["like"].strip().lower()
    if not uid:
        nothing("Enter a uid or pick a random sample to find similar images.")
        return None
    rowid = catalog.find(uid)
    if rowid is None:
        raise CurationError(f"This workspace has no sample {uid}.")
    (row,) = catalog.rows([rowid])
    caption = f"“{shorten(str(row['caption']), 100, placeholder=' …')}”"
    named = f"the image of {caption}" if side == "image" else caption
    return named, search.sample_embedding(shell.workspace(), catalog, rowid, side)


def nothing(told: str, icon: str = ":material/search:") -> None:
    st.subheader("Find images", anchor=False)
    st.info(plain(told), icon=icon)


def results(view: View, name: str, found: Matches) -> None:
    """The pictures, and where they lie among all samples."""
    st.subheader(plain(f"Nearest to {name}"), anchor=False)
    if not len(found):
        st.info("No sample has an image embedding.", icon=":material/search_off:")
        return
    first, last = (formatting.score(float(found.cosines[k])) for k in (0, -1))
    st.caption(
        f"{formatting.count(len(found))} nearest of {formatting.count(len(view.catalog))} "
        f"(exact search) · cosine {first} to {last}"
    )
    with st.container(key="search_results"):
        left, right = st.columns([13, 7], gap="medium")
    with left:
        gallery.show(
            shell.workspace(),
            view.catalog,
            found.rowids,
            (view.x, view.y),
            extra={"Cosine": found.cosines},
        )
    with right:
        where(view, found)


def where(view: View, found: Matches) -> None:
    """The samples found over the density of all, and their share of each quadrant."""
    st.plotly_chart(
        figure(view, found),
        key="where",
        config={"displayModeBar": False},
        alt="Search results over the density of all samples in two scores",
    )
    names, everywhere = quadrant_names(view), view.counts()
    inside = {q: int(view.mask(q)[found.rowids].sum()) for q in QUADRANTS}
    both, total = sum(inside.values()), sum(everywhere.values())
    lines = "".join(
        f"<tr><td>{escape(names[q])}</td><td>{formatting.share(inside[q], both)}</td>"
        f"<td>{formatting.share(everywhere[q], total)}</td></tr>"
        for q in QUADRANTS
    )
    st.html(
        "<table class='shares'><tr><th>Quadrant</th><th>Results</th><th>All</th></tr>"
        f"{lines}</table>"
    )
    if both < len(found):
        st.caption(f"{formatting.plural(len(found) - both, 'sample')} without these scores.")


def figure(view: View, found: Matches) -> Any:
    """The chart of the Quadrants page, small, with the samples found on top."""
    dark = shell.is_dark()
    grid = caches.grid(view.catalog, view.x, view.y)
    drawn = still.still(view, grid, dark)
    # Beyond the edge they lie on it.
    x, y = (
        np.clip(view.catalog.array(axis.score)[found.rowids], axis.start, axis.end)
        for axis in (grid.x, grid.y)
    )
    fill, line = _MARKS[dark]
    drawn.add_scatter(
        x=x,
        y=y,
        mode="markers",
        cliponaxis=False,
        marker={"size": 8, "color": fill, "line": {"width": 1, "color": line}},
        customdata=np.stack([np.arange(1, len(found) + 1), found.cosines], axis=1),
        hovertemplate="No. %{customdata[0]}, cosine %{customdata[1]:.3f}<br>"
        "%{x:.3f}, %{y:.3f}<extra></extra>",
    )
    drawn.update_layout(height=HEIGHT, dragmode=False)
    return drawn


def field(label: str, key: str, **settings: Any) -> None:
    """A text field that is in the URL as ``key``; what a link says counts before what was here."""
    text = st.query_params.get(key, st.session_state.get(key, ""))
    st.session_state[key] = text[:LONGEST]
    st.text_input(
        label,
        key=key,
        max_chars=LONGEST,
        on_change=_tell,
        args=(key,),
        persist_state="session",
        **settings,
    )
    _tell(key)


def _tell(key: str) -> None:
    if st.session_state[key].strip():
        st.query_params[key] = st.session_state[key]
    else:
        st.query_params.pop(key, None)


def _anything(catalog: Catalog) -> None:
    (row,) = catalog.rows([int(np.random.default_rng().integers(len(catalog)))])
    st.session_state["like"] = row["uid"]
    _tell("like")


@st.cache_resource(max_entries=64, show_spinner="Comparing with every image …")
def _nearest(
    _workspace: Workspace, _catalog: Catalog, key: str, query: bytes, wanted: int
) -> Matches:
    return search.nearest(_workspace, _catalog, np.frombuffer(query, np.float32), wanted)


@st.cache_resource(max_entries=2, show_spinner="Loading the model …")
def _encoder(name: str, pretrained: str | None) -> Encoder:
    # A single query is quick anywhere, and leaves the memory of a GPU to those who train.
    return encoder.load(ModelSpec(name, pretrained), "cpu")


main()
