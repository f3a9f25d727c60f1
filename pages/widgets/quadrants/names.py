"""Names of the quadrants."""

from __future__ import annotations

from curation.analysis.quadrants import QUADRANTS, Quadrant, View
from curation.catalog.catalog import Catalog
from curation.catalog.columns import ALL_TARGETS


def quadrant_names(view: View) -> dict[Quadrant, str]:
    """Quality and relevance for the paper's scores; the titles of other scores."""
    x, y = (_sides(view.catalog, name) for name in (view.x, view.y))
    if x == y:
        x, y = (_by_title(view.catalog, name) for name in (view.x, view.y))
    index = {"high": 0, "low": 1}
    return {q: f"{x[index[q.split('_')[0]]]} · {y[index[q.split('_')[1]]]}" for q in QUADRANTS}


def _sides(catalog: Catalog, name: str) -> tuple[str, str]:
    """The names of a score's high and low side."""
    column = catalog.column(name)
    if column.score in ("neg_clip_loss", "clip_score") and column.kind == "score":
        return "High quality", "Low quality"
    if column.score == "norm_sim":
        target = "the targets" if column.target == ALL_TARGETS else column.target
        return f"relevant to {target}", f"not relevant to {target}"
    return _by_title(catalog, name)


def _by_title(catalog: Catalog, name: str) -> tuple[str, str]:
    title = catalog.column(name).title
    return f"high {title}", f"low {title}"
