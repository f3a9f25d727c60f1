"""What quadrants are called."""

from __future__ import annotations

from curation.analysis.quadrants import QUADRANTS, Quadrant, View
from curation.catalog.catalog import Catalog
from curation.catalog.columns import ALL_TARGETS


def quadrant_names(view: View) -> dict[Quadrant, str]:
    """The paper's words for negCLIPLoss and NormSim; the scores' own titles for any other two."""
    x, y = (_kinds(view.catalog, name) for name in (view.x, view.y))
    if x == y:
        x, y = (_by_title(view.catalog, name) for name in (view.x, view.y))
    sides = {"high": 0, "low": 1}
    return {q: f"{x[sides[q.split('_')[0]]]} · {y[sides[q.split('_')[1]]]}" for q in QUADRANTS}


def _kinds(catalog: Catalog, name: str) -> tuple[str, str]:
    column = catalog.column(name)
    if column.score in ("neg_clip_loss", "clip_score") and column.kind == "score":
        return "High quality", "Low quality"
    if column.score == "norm_sim":
        target = "the targets" if column.target == ALL_TARGETS else column.target
        return f"like {target}", f"unlike {target}"
    return _by_title(catalog, name)


def _by_title(catalog: Catalog, name: str) -> tuple[str, str]:
    title = catalog.column(name).title
    return f"high {title}", f"low {title}"
