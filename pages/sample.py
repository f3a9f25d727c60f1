"""Sample: one pair, and why its scores are what they are."""

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
from pages.widgets.state import lookups

shell.enter("sample")

# The sample in view, for when one comes back to the page.
LAST = "last_sample"
# What each side is compared with, and what it has itself.
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
TOLD = ("sample", "source", "measure")


def main() -> None:
    catalog = shell.catalog()
    view = thresholds.controls(catalog)
    web_images.switch(catalog)
    shell.dataset_facts(catalog)
    uid = ask(catalog)
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
        picture, reason = lookups.picture(catalog, rowid, web_images.is_on())
        labels = [label.title for label in catalog.labels if row[label.name]]
        sample_cards.portrait(shell.workspace(), row, picture, reason, labels)
        with st.expander("All fields", icon=":material/list:"):
            others = [c for c in catalog.columns.values() if c.kind in TOLD]
            sample_cards.told({c.title: row[c.name] for c in others})
    with right:
        parts(catalog, view, row)
        if catalog.scores:
            standings(catalog, row)
    try:
        confused(catalog, rowid)
    except CurationError as error:
        # Without embeddings nothing is known of targets either.
        show_error(error)
        return
    targets(catalog, rowid)


def ask(catalog: Catalog) -> str:
    """The uid in view: of the address, which the field and the button write."""
    uid = str(st.query_params.get("uid", st.session_state.get(LAST, ""))).strip().lower()
    _show(uid)
    st.session_state["uid_field"] = uid
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Sample", key="uid_field", placeholder="uid: 32 hex digits", width=380, on_change=_go
        )
        st.button(
            "Pick random sample",
            icon=":material/shuffle:",
            on_click=_go_anywhere,
            args=(catalog,),
            disabled=not len(catalog),
        )
        with st.popover("Score definitions", icon=":material/help:"):
            definitions(catalog.scores)
    return uid


def definitions(columns: list[ColumnInfo]) -> None:
    """What each score says and where it comes from; once for those that say the same."""
    titles: dict[tuple[str, str], list[str]] = {}
    for info in columns:
        titles.setdefault((info.help, info.reference), []).append(info.title)
    for (text, reference), named in titles.items():
        source = f"  \n:gray[{plain(reference)}]" if reference else ""
        st.markdown(f"**{plain(', '.join(named))}**: {plain(text)}{source}")


def parts(catalog: Catalog, view: View, row: dict[str, Any]) -> None:
    """What the sample's negCLIPLoss is made of."""
    try:
        loss = explain.explain_loss(catalog, row)
    except CurationError as error:
        st.info(plain(error), icon=":material/info:")
        return
    line = {view.x: view.x_line, view.y: view.y_line}.get(LOSS)
    tiles(catalog, loss, line)
    st.plotly_chart(
        waterfall.figure(loss, line, shell.is_dark()),
        key="waterfall",
        config={"displayModeBar": False},
        alt="negCLIPLoss is CLIPScore minus the image side and the caption side",
    )
    st.caption(
        "Image side: (τ/2)·log Σ exp(S/τ) of this image over the captions of a batch. Caption "
        f"side: of this caption over the images. {plain(made(loss))}"
    )


def tiles(catalog: Catalog, loss: Loss, line: float | None) -> None:
    known = "—" if math.isnan(loss.error) else f"{loss.error:.4f}"
    told = {
        "negCLIPLoss": formatting.score(loss.score),
        "Standard error": "0 (exact)" if loss.is_exact else known,
    }
    if line is not None:
        chance = explain.flip_probability(loss, line)
        told["Flip probability"] = "—" if math.isnan(chance) else formatting.share(chance)
    helps = {
        "negCLIPLoss": plain(catalog.column(LOSS).help),
        "Standard error": plain(catalog.column(f"{LOSS}_se").help),
        "Flip probability": "Probability that other random batches move the score across "
        "the cutoff: Φ(−|score − cutoff| / standard error).",
    }
    for column, (name, value) in zip(st.columns(len(told)), told.items(), strict=True):
        column.metric(name, value, help=helps.get(name), border=True)


def made(loss: Loss) -> str:
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


def standings(catalog: Catalog, row: dict[str, Any]) -> None:
    """Where the sample stands in every score."""
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


def confused(catalog: Catalog, rowid: int) -> None:
    """What each side of the sample goes with besides its own."""
    workspace = shell.workspace()
    for side, (title, noun, its) in CONFUSED.items():
        st.subheader(title, anchor=False)
        found = lookups.confused(workspace, catalog, rowid, side)
        better = formatting.count(found.better) if found.better else "None"
        st.caption(
            f"{better} of {formatting.plural(found.compared, f'other {noun}')} "
            f"{AMONG[found.among]} {'fit' if found.better > 1 else 'fits'} {its} better than its "
            f"own {noun} (cosine {formatting.score(found.own)})."
        )
        gallery.show(
            workspace, catalog, found.rowids, (), extra={"Cosine": found.cosines}, is_row=True
        )


def targets(catalog: Catalog, rowid: int) -> None:
    """What of each target the sample's image is nearest to."""
    names = neighbors.target_names(catalog)
    if not names:
        st.subheader("Nearest target items", anchor=False)
        st.caption("No targets yet. Add one on the Targets page.")
    workspace = shell.workspace()
    for name in names:
        st.subheader(f"Nearest items of target “{plain(name)}”", anchor=False)
        try:
            found = lookups.nearest(workspace, catalog, rowid, name)
            if found.items:
                st.caption(
                    f"Target {SIDES[found.side]} with the highest |cosine|, the measure of NormSim."
                )
            else:
                st.caption(
                    "This target was given as embeddings: row numbers (from 0) with the highest "
                    "|cosine|, the measure of NormSim."
                )
            sample_cards.items(workspace, found)
        except CurationError as error:
            show_error(error)


def _show(uid: str) -> None:
    st.session_state[LAST] = uid
    if uid:
        st.query_params["uid"] = uid
    else:
        st.query_params.pop("uid", None)


def _go() -> None:
    _show(st.session_state["uid_field"])


def _go_anywhere(catalog: Catalog) -> None:
    (row,) = catalog.rows([int(np.random.default_rng().integers(len(catalog)))])
    _show(row["uid"])


main()
