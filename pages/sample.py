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
    "image": ("Captions that its image is confused with", "caption", "this image"),
    "text": ("Images that its caption is confused with", "image", "this caption"),
}
SIDES = {"image": "images", "text": "captions"}
AMONG = {
    "dataset": "of the dataset",
    "pool": "of the first pool that negCLIPLoss was computed with: the dataset is too large to "
    "compare with while you wait",
    "substitute": "of a pool drawn for this, as large as a batch of negCLIPLoss: the dataset is "
    "too large to compare with while you wait, and the score's own batches are not kept",
}
NO_UID = "A uid is 32 digits, each 0 to 9 or a to f."
TOLD = ("sample", "source", "measure")


def main() -> None:
    catalog = shell.catalog()
    view = thresholds.controls(catalog)
    web_images.switch(catalog)
    shell.dataset_facts(catalog)
    uid = ask(catalog)
    if not uid:
        st.subheader("One sample, explained", anchor=False)
        st.info(
            "Enter a sample's uid above, or take one at random: you will see what its scores are "
            "made of, what it is confused with, and what of each target it is near.",
            icon=":material/image_search:",
        )
        return
    rowid = catalog.find(uid) if is_uid(uid) else None
    if rowid is None:
        st.subheader("No such sample", anchor=False)
        unknown = f"This workspace has no sample `{uid}`." if is_uid(uid) else NO_UID
        st.error(unknown, icon=":material/search_off:")
        return
    (row,) = catalog.rows([rowid])
    left, right = st.columns([2, 3], gap="medium")
    with left:
        picture, reason = lookups.picture(catalog, rowid, web_images.is_on())
        labels = [label.title for label in catalog.labels if row[label.name]]
        sample_cards.portrait(shell.workspace(), row, picture, reason, labels)
        with st.expander("Everything else known of it", icon=":material/list:"):
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
            "Random sample",
            icon=":material/casino:",
            on_click=_go_anywhere,
            args=(catalog,),
            disabled=not len(catalog),
        )
        with st.popover("What the numbers mean", icon=":material/help:"):
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
        alt="CLIPScore less the image side and the caption side is negCLIPLoss",
    )
    st.caption(
        "Image side: what this image would score with other captions, (τ/2)·log Σ exp(S/τ); "
        f"caption side: this caption with other images. {plain(made(loss))}"
    )


def tiles(catalog: Catalog, loss: Loss, line: float | None) -> None:
    known = "—" if math.isnan(loss.error) else f"{loss.error:.4f}"
    told = {
        "negCLIPLoss": formatting.score(loss.score),
        "Standard error": "0, exact" if loss.is_exact else known,
    }
    if line is not None:
        chance = explain.flip_probability(loss, line)
        told["Chance to flip"] = "—" if math.isnan(chance) else formatting.share(chance)
    helps = {
        "negCLIPLoss": plain(catalog.column(LOSS).help),
        "Standard error": plain(catalog.column(f"{LOSS}_se").help),
        "Chance to flip": "That other random batches put it on the other side of the line of the "
        "Quadrants page: Φ(−|score − line| / standard error).",
    }
    for column, (name, value) in zip(st.columns(len(told)), told.items(), strict=True):
        column.metric(name, value, help=helps.get(name), border=True)


def made(loss: Loss) -> str:
    """How the batches of the score were drawn."""
    size, batches = loss.parameters["batch_size"], loss.parameters["batches"]
    tau = f"τ = {loss.parameters['temperature']:.4g}."
    if loss.is_exact:
        return f"Measured against the whole dataset at once, so no other draw can move it; {tau}"
    if loss.parameters["negatives"] == "partition":
        partitions = formatting.plural(batches, "random partition")
        return (
            f"Means over {partitions} of the dataset in batches of about "
            f"{formatting.count(size)}; {tau}"
        )
    pools = formatting.plural(batches, "random pool")
    return f"Means over {pools} of {formatting.count(size)} pairs; {tau}"


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
                help="How many percent of the scored samples score lower.",
            ),
        },
    )


def confused(catalog: Catalog, rowid: int) -> None:
    """What each side of the sample goes with besides its own."""
    workspace = shell.workspace()
    for side, (title, noun, its) in CONFUSED.items():
        st.subheader(title, anchor=False)
        found = lookups.confused(workspace, catalog, rowid, side)
        better = formatting.count(found.better) if found.better else "none"
        st.caption(
            f"Of the {formatting.plural(found.compared, f'other {noun}')} {AMONG[found.among]}, "
            f"{better} {'fit' if found.better > 1 else 'fits'} {its} better than its own, whose "
            f"cosine is {formatting.score(found.own)}."
        )
        gallery.show(
            workspace, catalog, found.rowids, (), extra={"Cosine": found.cosines}, is_row=True
        )


def targets(catalog: Catalog, rowid: int) -> None:
    """What of each target the sample's image is nearest to."""
    names = neighbors.target_names(catalog)
    if not names:
        st.subheader("Nearest of a target", anchor=False)
        st.caption("No target yet: score again with `--target NAME=IMAGES`.")
    workspace = shell.workspace()
    for name in names:
        st.subheader(f"Nearest of target “{plain(name)}”", anchor=False)
        try:
            found = lookups.nearest(workspace, catalog, rowid, name)
            if found.items:
                st.caption(f"Of its {SIDES[found.side]}, by |cosine|, as NormSim counts them.")
            else:
                st.caption(
                    "It was given as embeddings, without pictures or captions: these are its rows, "
                    "counted from 0, by |cosine|, as NormSim counts them."
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
