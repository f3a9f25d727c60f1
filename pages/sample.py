"""Sample: one image-caption pair, and what explains its scores."""

import math
from typing import Any

import numpy as np
import streamlit as st

from curation import formatting
from curation.analysis import explain, neighbors
from curation.analysis.embedding_store import Side
from curation.analysis.explain import LOSS, Loss
from curation.analysis.quadrants import View
from curation.catalog.catalog import Catalog
from curation.catalog.columns import ColumnInfo
from curation.errors import CurationError
from curation.uids import is_uid
from pages.widgets.app import shell
from pages.widgets.app.markdown import plain, show_error
from pages.widgets.charts import waterfall
from pages.widgets.gallery import gallery, sample_cards, web_images
from pages.widgets.quadrants import thresholds
from pages.widgets.state import caches

shell.enter("sample")

# The uid of the last sample, to return to.
LAST = "last_sample"
# Of each side: the heading, what it is compared with, and what it is itself.
CONFUSED: dict[Side, tuple[str, str, str]] = {
    "image": ("Captions that fit this image better or nearly as well", "caption", "this image"),
    "text": ("Images that fit this caption better or nearly as well", "image", "this caption"),
}
SIDES = {"image": "images", "text": "captions"}
AMONG = {
    "dataset": "in the dataset",
    "pool": "in the first reference pool of negCLIPLoss (the dataset is too large to search here)",
    "substitute": "in a random pool of one batch (the dataset is too large to search here)",
}
NO_UID = "A uid is 32 hex digits (0–9, a–f)."
# Kinds of columns listed under "All fields".
FIELDS = ("sample", "source", "measure")


def main() -> None:
    catalog = shell.catalog()
    view = thresholds.controls(catalog)
    web_images.switch(catalog)
    shell.dataset_facts(catalog)
    uid = pick_uid(catalog)
    if not uid:
        st.subheader("Explain a sample", anchor=False)
        st.info(
            "Enter a uid or pick a random sample to see its scores, its confusions and the nearest "
            "target items.",
            icon=":material/image_search:",
        )
        return
    rowid = catalog.find(uid) if is_uid(uid) else None
    if rowid is None:
        st.subheader("Sample not found", anchor=False)
        unknown = f"This workspace has no sample `{uid}`." if is_uid(uid) else NO_UID
        st.error(unknown, icon=":material/search_off:")
        return
    (row,) = catalog.rows([rowid])
    left, right = st.columns([2, 3], gap="medium")
    with left:
        picture, reason = caches.picture(catalog, rowid, web_images.is_on())
        labels = [label.title for label in catalog.labels if row[label.name]]
        sample_cards.portrait(shell.workspace(), row, picture, reason, labels)
        with st.expander("All fields", icon=":material/list:"):
            others = [c for c in catalog.columns.values() if c.kind in FIELDS]
            sample_cards.fields({c.title: row[c.name] for c in others})
    with right:
        show_loss(catalog, view, row)
        if catalog.scores:
            show_standings(catalog, row)
    try:
        show_confused(catalog, rowid)
    except CurationError as error:
        # Without embeddings there are no nearest target items either.
        show_error(error)
        return
    show_target_items(catalog, rowid)


def pick_uid(catalog: Catalog) -> str:
    """The uid in the URL, which the field and the button write."""
    uid = str(st.query_params.get("uid", st.session_state.get(LAST, ""))).strip().lower()
    _write_uid(uid)
    st.session_state["uid_field"] = uid
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Sample",
            key="uid_field",
            placeholder="uid: 32 hex digits",
            width=380,
            on_change=_uid_entered,
        )
        st.button(
            "Pick random sample",
            icon=":material/shuffle:",
            on_click=_pick_random,
            args=(catalog,),
            disabled=not len(catalog),
        )
        with st.popover("Score definitions", icon=":material/help:"):
            definitions(catalog.scores)
    return uid


def definitions(columns: list[ColumnInfo]) -> None:
    """Show what each score means and its source, once for scores with the same text."""
    titles: dict[tuple[str, str], list[str]] = {}
    for info in columns:
        titles.setdefault((info.help, info.reference), []).append(info.title)
    for (text, reference), named in titles.items():
        source = f"  \n:gray[{plain(reference)}]" if reference else ""
        st.markdown(f"**{plain(', '.join(named))}**: {plain(text)}{source}")


def show_loss(catalog: Catalog, view: View, row: dict[str, Any]) -> None:
    """Show the parts of the sample's negCLIPLoss."""
    try:
        loss = explain.explain_loss(catalog, row)
    except CurationError as error:
        st.info(plain(error), icon=":material/info:")
        return
    cutoff = {view.x: view.x_line, view.y: view.y_line}.get(LOSS)
    loss_tiles(catalog, loss, cutoff)
    st.plotly_chart(
        waterfall.figure(loss, cutoff, shell.is_dark()),
        key="waterfall",
        config={"displayModeBar": False},
        alt="negCLIPLoss is CLIPScore minus the image side and the caption side",
    )
    st.caption(
        "Image side: (τ/2)·log Σ exp(S/τ) of this image over the captions of a batch. Caption "
        f"side: of this caption over the images. {plain(describe_batches(loss))}"
    )


def loss_tiles(catalog: Catalog, loss: Loss, cutoff: float | None) -> None:
    """Show the score, its standard error, and the flip probability where it has a cutoff."""
    error = "—" if math.isnan(loss.error) else f"{loss.error:.4f}"
    tiles = {
        "negCLIPLoss": formatting.score(loss.score),
        "Standard error": "0 (exact)" if loss.is_exact else error,
    }
    if cutoff is not None:
        chance = explain.flip_probability(loss, cutoff)
        tiles["Flip probability"] = "—" if math.isnan(chance) else formatting.share(chance)
    helps = {
        "negCLIPLoss": plain(catalog.column(LOSS).help),
        "Standard error": plain(catalog.column(f"{LOSS}_se").help),
        "Flip probability": "Probability that other random batches move the score across "
        "the cutoff: Φ(−|score − cutoff| / standard error).",
    }
    for column, (name, value) in zip(st.columns(len(tiles)), tiles.items(), strict=True):
        column.metric(name, value, help=helps.get(name), border=True)


def describe_batches(loss: Loss) -> str:
    """How the batches of the score were drawn."""
    size, batches = loss.parameters["batch_size"], loss.parameters["batches"]
    tau = f"τ = {loss.parameters['temperature']:.4g}."
    if loss.is_exact:
        return f"Computed against the whole dataset at once (no sampling error); {tau}"
    if loss.parameters["negatives"] == "partition":
        partitions = formatting.plural(batches, "random partition")
        return (
            f"Mean over {partitions} of the dataset into batches of about "
            f"{formatting.count(size)}; {tau}"
        )
    pools = formatting.plural(batches, "random pool")
    return f"Mean over {pools} of {formatting.count(size)} pairs; {tau}"


def show_standings(catalog: Catalog, row: dict[str, Any]) -> None:
    """Show the sample's value and percentile in every score."""
    st.dataframe(
        [
            {
                "Score": s.column.title,
                "Value": formatting.score(s.value),
                "Percentile": s.percentile,
            }
            for s in explain.standings(catalog, row)
        ],
        hide_index=True,
        column_config={
            "Percentile": st.column_config.ProgressColumn(
                format="%.1f",
                min_value=0,
                max_value=100,
                help="Percentage of scored samples with a lower score.",
            ),
        },
    )


def show_confused(catalog: Catalog, rowid: int) -> None:
    """Show what fits each side of the sample better, or nearly as well, as its own."""
    workspace = shell.workspace()
    for side, (title, noun, its) in CONFUSED.items():
        st.subheader(title, anchor=False)
        matches = caches.confused(workspace, catalog, rowid, side)
        better = formatting.count(matches.better) if matches.better else "None"
        st.caption(
            f"{better} of {formatting.plural(matches.compared, f'other {noun}')} "
            f"{AMONG[matches.among]} {'fit' if matches.better > 1 else 'fits'} {its} better "
            f"than its own {noun} (cosine {formatting.score(matches.own)})."
        )
        gallery.show(
            workspace, catalog, matches.rowids, (), extra={"Cosine": matches.cosines}, is_row=True
        )


def show_target_items(catalog: Catalog, rowid: int) -> None:
    """Show the items of each target that are nearest to the sample's image."""
    names = neighbors.target_names(catalog)
    if not names:
        st.subheader("Nearest target items", anchor=False)
        st.caption("No targets yet. Add one on the Targets page.")
    workspace = shell.workspace()
    for name in names:
        st.subheader(f"Nearest items of target “{plain(name)}”", anchor=False)
        try:
            nearest = caches.nearest(workspace, catalog, rowid, name)
            if nearest.items:
                st.caption(
                    f"Target {SIDES[nearest.side]} with the highest |cosine|, as in NormSim."
                )
            else:
                st.caption(
                    "This target was given as embeddings: row numbers (from 0) with the highest "
                    "|cosine|, as in NormSim."
                )
            sample_cards.target_items(workspace, nearest)
        except CurationError as error:
            show_error(error)


def _write_uid(uid: str) -> None:
    st.session_state[LAST] = uid
    if uid:
        st.query_params["uid"] = uid
    else:
        st.query_params.pop("uid", None)


def _uid_entered() -> None:
    _write_uid(st.session_state["uid_field"])


def _pick_random(catalog: Catalog) -> None:
    (row,) = catalog.rows([int(np.random.default_rng().integers(len(catalog)))])
    _write_uid(row["uid"])


main()
