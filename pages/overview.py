"""Overview: the dataset, the distribution of every score, and what was skipped."""

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

COLUMNS = 3
# Random samples that are shown.
SAMPLES = 12
# The share of the pool that the paper keeps.
KEEP = 0.3


def main() -> None:
    catalog = shell.catalog()
    web_images.switch(catalog)
    shell.dataset_facts(catalog)
    show_dataset(catalog)
    st.subheader("Scores", anchor=False)
    show_columns(catalog, catalog.scores)
    if catalog.measures:
        st.subheader("Captions and images", anchor=False)
        show_columns(catalog, catalog.measures)
    for label in catalog.labels:
        show_auc(catalog, label)
    st.subheader("Random samples", anchor=False)
    show_random_samples(catalog)
    st.subheader("Skipped samples", anchor=False)
    show_skipped(catalog)
    st.subheader("Score provenance", anchor=False)
    show_provenance(catalog)


def show_dataset(catalog: Catalog) -> None:
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


def show_columns(catalog: Catalog, columns: Sequence[ColumnInfo]) -> None:
    """Show the distribution of each column."""
    for start in range(0, len(columns), COLUMNS):
        row = columns[start : start + COLUMNS]
        for column, info in zip(st.columns(COLUMNS), row, strict=False):
            with column.container(border=True, gap="small"):
                st.markdown(f"**{plain(info.title)}**", help=plain(info.help) or None)
                if info.is_number:
                    show_histogram(catalog, info)
                else:
                    st.caption(plain(text_report.values(catalog, info.name)))


def show_histogram(catalog: Catalog, info: ColumnInfo) -> None:
    """Show the histogram of a column with its range and median."""
    distribution = caches.distribution(catalog, info.name)
    if not distribution.known:
        st.caption("Missing for every sample")
        return
    st.plotly_chart(
        distributions.figure(distribution, shell.is_dark()),
        key=f"distribution_{info.name}",
        config={"displayModeBar": False},
        alt=f"Histogram of {info.title}",
    )
    number = int if info.is_whole else float
    low, median, high = (
        formatting.score(number(value))
        for value in (distribution.least, distribution.median, distribution.greatest)
    )
    missing = len(catalog) - distribution.known
    note = f" · {formatting.count(missing)} missing" if missing else ""
    st.caption(f"{low} to {high}, median {median}{note}")


def show_auc(catalog: Catalog, label: ColumnInfo) -> None:
    """Show how well each score separates the samples that the source labels as bad."""
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


def show_random_samples(catalog: Catalog) -> None:
    seed = st.session_state.setdefault("strip_seed", 0)
    rows = np.random.default_rng(seed).choice(len(catalog), min(SAMPLES, len(catalog)), False)
    shown = [c.name for c in catalog.scores[:3]]
    gallery.show(shell.workspace(), catalog, rows, shown)
    if st.button("Shuffle", icon=":material/shuffle:"):
        st.session_state["strip_seed"] += 1
        st.rerun()


def show_skipped(catalog: Catalog) -> None:
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


def show_provenance(catalog: Catalog) -> None:
    st.dataframe(
        [
            {
                "Column": c.name,
                "Model": c.model,
                "Parameters": formatting.settings(c.parameters),
                "Source": c.reference,
                "Created (UTC)": c.created.replace("T", " ")[:16],
            }
            for c in [*catalog.scores, *catalog.measures]
        ],
        hide_index=True,
    )


main()
