"""Overview: what is in the dataset, how every score is spread, and what was left out."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from curation import formatting
from curation.catalog.catalog import Catalog
from curation.catalog.columns import ColumnInfo
from curation.cli import text_report
from pages.widgets.app import shell
from pages.widgets.app.markdown import code, plain
from pages.widgets.charts import distributions
from pages.widgets.gallery import gallery, web_images
from pages.widgets.state import caches
from pages.widgets.state.url import choose

shell.enter("overview")

A_ROW = 3
STRIP = 12
KEEP = 0.3


def main() -> None:
    catalog = shell.catalog()
    web_images.switch(catalog)
    shell.dataset_facts(catalog)
    facts(catalog)
    st.subheader("Scores", anchor=False)
    tiles(catalog, catalog.scores)
    if catalog.measures:
        st.subheader("Captions and images", anchor=False)
        tiles(catalog, catalog.measures)
    for label in catalog.labels:
        known_bad(catalog, label)
    st.subheader("Random samples", anchor=False)
    strip(catalog)
    st.subheader("Skipped samples", anchor=False)
    skipped(catalog)
    st.subheader("Score provenance", anchor=False)
    made(catalog)


def facts(catalog: Catalog) -> None:
    about = catalog.dataset
    whole = about.samples + about.skipped
    shown = {
        "Samples": formatting.count(about.samples),
        "Skipped": f"{formatting.count(about.skipped)} ({formatting.share(about.skipped, whole)})",
        "Scores": formatting.count(len(catalog.scores)),
        "Targets": about.targets or "none",
    }
    for column, (name, value) in zip(st.columns(len(shown)), shown.items(), strict=True):
        column.metric(name, value, border=True)
    st.caption(
        f"{code(formatting.path(about.source))}, read as {about.reader} · "
        f"model {code(about.model)} · scored {about.published.replace('T', ' ')[:16]} UTC"
    )


def tiles(catalog: Catalog, columns: Sequence[ColumnInfo]) -> None:
    """How each column is spread."""
    for start in range(0, len(columns), A_ROW):
        row = columns[start : start + A_ROW]
        for column, info in zip(st.columns(A_ROW), row, strict=False):
            with column.container(border=True, gap="small"):
                st.markdown(f"**{plain(info.title)}**", help=plain(info.help) or None)
                if info.is_number:
                    number_tile(catalog, info)
                else:
                    st.caption(plain(text_report.values(catalog, info.name)))


def number_tile(catalog: Catalog, info: ColumnInfo) -> None:
    """A histogram; the dotted line is the median."""
    of = caches.distribution(catalog, info.name)
    if not of.known:
        st.caption("Missing for every sample")
        return
    st.plotly_chart(
        distributions.figure(of, shell.is_dark()),
        key=f"distribution_{info.name}",
        config={"displayModeBar": False},
        alt=f"Histogram of {info.title}",
    )
    number = int if info.is_whole else float
    low, middle, high = (formatting.score(number(v)) for v in (of.least, of.median, of.greatest))
    missing = len(catalog) - of.known
    lost = f" · {formatting.count(missing)} missing" if missing else ""
    st.caption(f"{low} to {high}, median {middle}{lost}")


def known_bad(catalog: Catalog, label: ColumnInfo) -> None:
    """Where the source marks bad samples: how well does each score find them?"""
    results = caches.judge(catalog, label.name, KEEP)
    if not results:
        return
    st.subheader(f"How well each score finds “{plain(label.name)}”", anchor=False)
    st.caption(
        f"The source labels {formatting.share(results[0].base)} of the pool “{plain(label.name)}”. "
        "AUC: probability that an unlabeled sample scores above a labeled one (1 is perfect, "
        "0.5 is chance)."
    )
    st.dataframe(
        [
            {
                "Score": catalog.column(r.score).title,
                "AUC": r.auc,
                f"Labeled in top {100 * KEEP:g} %": 100 * r.kept,
                "Labeled in pool": 100 * r.base,
            }
            for r in sorted(results, key=lambda r: -r.auc)
        ],
        hide_index=True,
        column_config={
            "AUC": st.column_config.ProgressColumn(format="%.3f", min_value=0, max_value=1),
            f"Labeled in top {100 * KEEP:g} %": st.column_config.NumberColumn(format="%.1f %%"),
            "Labeled in pool": st.column_config.NumberColumn(format="%.1f %%"),
        },
    )


def strip(catalog: Catalog) -> None:
    seed = st.session_state.setdefault("strip_seed", 0)
    rows = np.random.default_rng(seed).choice(len(catalog), min(STRIP, len(catalog)), False)
    shown = [c.name for c in catalog.scores[:3]]
    gallery.show(shell.workspace(), catalog, rows, shown)
    if st.button("Shuffle", icon=":material/shuffle:"):
        st.session_state["strip_seed"] += 1
        st.rerun()


def skipped(catalog: Catalog) -> None:
    reasons = catalog.skipped_by_reason()
    if not reasons:
        st.success("Nothing was skipped.", icon=":material/check:")
        return
    grouped = choose(
        st.segmented_control,
        "Skipped samples",
        {"reason": "By reason", "each": "Individually"},
        "skipped",
        required=True,
        label_visibility="collapsed",
    )
    names = {
        "stage": "Stage",
        "reason": "Reason",
        "samples": "Samples",
        "example": "Example",
        "where": "Where",
    }
    rows = reasons if grouped == "reason" else catalog.skipped(limit=1000)
    st.dataframe(
        [{names[k]: v for k, v in row.items() if k in names} for row in rows], hide_index=True
    )
    if grouped == "each" and catalog.dataset.skipped > len(rows):
        st.caption(
            f"First {formatting.count(len(rows))} of {formatting.count(catalog.dataset.skipped)}"
        )


def made(catalog: Catalog) -> None:
    st.dataframe(
        [
            {
                "Column": c.name,
                "Model": c.model,
                "Parameters": ", ".join(f"{k} = {v}" for k, v in (c.parameters or {}).items()),
                "Source": c.reference,
                "Created (UTC)": c.created.replace("T", " ")[:16],
            }
            for c in [*catalog.scores, *catalog.measures]
        ],
        hide_index=True,
    )


main()
