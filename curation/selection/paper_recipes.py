"""The paper's recipes (arXiv 2405.19547) over the scores that a catalog has."""

from __future__ import annotations

from dataclasses import dataclass

from curation.catalog.catalog import Catalog
from curation.selection.recipe import Recipe, ScoreStep

_QUALITY = "neg_clip_loss"
_RELEVANCE = "norm_sim_inf_"
_WITHOUT_TARGET = "norm_sim_d"

# How to come by a score that is missing.
_NEEDS = {
    "clip_score": "needs CLIPScore: score again with --score clip_score",
    _QUALITY: "needs negCLIPLoss: score again with --score neg_clip_loss",
    _RELEVANCE: "needs NormSim: score again with --target NAME=IMAGES",
    _WITHOUT_TARGET: "needs NormSim₂-D: score again with --score norm_sim_d",
}

# Percent of the pool by negCLIPLoss, then by NormSim, and where that comes from.
_BOTH = (
    (
        30.0,
        20.0,
        "The paper's choice for OpenAI's CLIP: of the best 30 % the most relevant, until "
        "20 % of the pool is left.",
    ),
    (27.5, 17.5, "OpenAI's CLIP, a little stricter."),
    (20.0, 10.0, "OpenAI's CLIP, strict: the authors join it with other filters' lists (union)."),
    (17.5, 15.0, "With the embeddings of DFN-P, the DFN trained on public data."),
    (20.0, 17.5, "With those of DFN-P, a little wider."),
)


@dataclass(frozen=True)
class PaperRecipe:
    """A recipe of the paper; every share is of the whole pool.

    Attributes:
        origin: where it comes from, in a line.
        missing: what the catalog lacks for it and how to get it; empty where it can be used.
    """

    title: str
    origin: str
    recipe: Recipe
    missing: str = ""


def targets(catalog: Catalog) -> dict[str, str]:
    """The columns of NormSim∞ that a recipe can name, and their titles."""
    return {c.name: c.title for c in catalog.scores if c.name.startswith(_RELEVANCE)}


def offered(catalog: Catalog, relevance: str = "") -> list[PaperRecipe]:
    """The paper's recipes; those toward a target take this column of NormSim∞, or the first."""
    known = targets(catalog)
    near = relevance or next(iter(known), f"{_RELEVANCE}target")
    named = known.get(near, "NormSim∞ (target)")
    target = near.removeprefix(_RELEVANCE)
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
            "The baseline's share with negCLIPLoss instead.",
            "ncl30",
            [(_QUALITY, 30.0)],
        ),
    )
    both = (
        _recipe(
            catalog,
            f"negCLIPLoss {first:g} % ∩ {named} {second:g} %",
            origin,
            f"ncl{_short(first)}_{target}{_short(second)}",
            [(_QUALITY, first), (near, second)],
        )
        for first, second, origin in _BOTH
    )
    without = _recipe(
        catalog,
        "negCLIPLoss 30 % ∩ NormSim₂-D 20 %",
        "Where no target is known: NormSim₂-D measures against the pool itself.",
        "ncl30_without_target20",
        [(_QUALITY, 30.0), (_WITHOUT_TARGET, 20.0)],
    )
    return [*single, *both, without]


def _recipe(
    catalog: Catalog, title: str, origin: str, name: str, shares: list[tuple[str, float]]
) -> PaperRecipe:
    steps = tuple(ScoreStep(score, "top", percent / 100) for score, percent in shares)
    absent = [score for score, _ in shares if score not in catalog.columns]
    missing = [_NEEDS[_RELEVANCE if s.startswith(_RELEVANCE) else s] for s in absent]
    return PaperRecipe(title, origin, Recipe(name, steps), "; ".join(missing))


def _short(percent: float) -> str:
    """27_5: as it can be in a name."""
    return f"{percent:g}".replace(".", "_")
