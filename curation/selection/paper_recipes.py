"""The recipes of the paper (arXiv 2405.19547) for the scores of a catalog."""

from __future__ import annotations

from dataclasses import dataclass

from curation.catalog.catalog import Catalog
from curation.selection.recipe import Recipe, ScoreStep

_QUALITY = "neg_clip_loss"
_RELEVANCE = "norm_sim_inf_"
_WITHOUT_TARGET = "norm_sim_d"

# How to get a missing score.
_NEEDS = {
    "clip_score": "needs CLIPScore: score again with --score clip_score",
    _QUALITY: "needs negCLIPLoss: score again with --score neg_clip_loss",
    _RELEVANCE: "needs NormSim: score again with --target NAME=IMAGES",
    _WITHOUT_TARGET: "needs NormSim₂-D: score again with --score norm_sim_d",
}

# Percent of the pool by negCLIPLoss, percent of the pool by NormSim∞ after that, and the origin.
_WITH_TARGET = (
    (
        30.0,
        20.0,
        "The paper's choice for OpenAI's CLIP: the best 30 % by negCLIPLoss, and of those the "
        "most relevant until 20 % of the pool remain.",
    ),
    (27.5, 17.5, "For OpenAI's CLIP, slightly stricter."),
    (
        20.0,
        10.0,
        "For OpenAI's CLIP, strict: the authors add the uid lists of other filters.",
    ),
    (17.5, 15.0, "For embeddings of DFN-P, the DFN trained on public data."),
    (20.0, 17.5, "For embeddings of DFN-P, slightly less strict."),
)


@dataclass(frozen=True)
class PaperRecipe:
    """A recipe of the paper. Its percentages are of the whole pool.

    Attributes:
        origin: a line on where the recipe comes from.
        missing: the scores that the catalog lacks and how to get them; empty if it has all.
    """

    title: str
    origin: str
    recipe: Recipe
    missing: str = ""


def target_columns(catalog: Catalog) -> dict[str, str]:
    """The columns of NormSim∞ in the catalog, with their titles."""
    return {c.name: c.title for c in catalog.scores if c.name.startswith(_RELEVANCE)}


def for_catalog(catalog: Catalog, relevance: str = "") -> list[PaperRecipe]:
    """The paper's recipes for the scores of a catalog.

    Args:
        relevance: the column of NormSim∞ to use; by default the first.
    """
    columns = target_columns(catalog)
    relevance = relevance or next(iter(columns), f"{_RELEVANCE}target")
    title = columns.get(relevance, "NormSim∞ (target)")
    target = relevance.removeprefix(_RELEVANCE)
    single = (
        _recipe(
            catalog,
            "CLIPScore 30 %",
            "The baseline of DataComp and of the paper.",
            "clip30",
            [("clip_score", 30.0)],
        ),
        _recipe(
            catalog,
            "negCLIPLoss 30 %",
            "The baseline's percentage, by negCLIPLoss.",
            "ncl30",
            [(_QUALITY, 30.0)],
        ),
    )
    with_target = (
        _recipe(
            catalog,
            f"negCLIPLoss {first:g} % ∩ {title} {second:g} %",
            origin,
            f"ncl{_in_name(first)}_{target}{_in_name(second)}",
            [(_QUALITY, first), (relevance, second)],
        )
        for first, second, origin in _WITH_TARGET
    )
    without_target = _recipe(
        catalog,
        "negCLIPLoss 30 % ∩ NormSim₂-D 20 %",
        "For an unknown target: NormSim₂-D compares samples with the pool itself.",
        "ncl30_without_target20",
        [(_QUALITY, 30.0), (_WITHOUT_TARGET, 20.0)],
    )
    return [*single, *with_target, without_target]


def _recipe(
    catalog: Catalog, title: str, origin: str, name: str, shares: list[tuple[str, float]]
) -> PaperRecipe:
    steps = tuple(ScoreStep(score, "top", percent / 100) for score, percent in shares)
    absent = [score for score, _ in shares if score not in catalog.columns]
    missing = [_NEEDS[_RELEVANCE if s.startswith(_RELEVANCE) else s] for s in absent]
    return PaperRecipe(title, origin, Recipe(name, steps), "; ".join(missing))


def _in_name(percent: float) -> str:
    """27_5: a percentage as part of a selection's name."""
    return f"{percent:g}".replace(".", "_")
