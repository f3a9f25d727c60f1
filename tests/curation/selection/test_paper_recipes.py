from dataclasses import replace

import pytest

from curation.catalog.catalog import Catalog
from curation.pipeline.run import score_dataset
from curation.selection import paper_recipes
from curation.selection.select import select
from curation.storage.workspace import Workspace, check_name
from tests import make


@pytest.fixture
def pool(scored):
    """36 samples with CLIPScore, negCLIPLoss, and NormSim toward dots and lines."""
    return Catalog.of(scored)


def test_every_recipe_leaves_its_shares_of_the_whole_pool(pool):
    offers = paper_recipes.for_catalog(pool, "norm_sim_inf_lines")
    assert {o.title: select(o.recipe, pool).remaining for o in offers if not o.missing} == {
        "CLIPScore 30 %": (11,),
        "negCLIPLoss 30 %": (11,),
        "negCLIPLoss 30 % ∩ NormSim∞ (lines) 20 %": (11, 7),
        "negCLIPLoss 27.5 % ∩ NormSim∞ (lines) 17.5 %": (10, 6),
        "negCLIPLoss 20 % ∩ NormSim∞ (lines) 10 %": (7, 4),
        "negCLIPLoss 17.5 % ∩ NormSim∞ (lines) 15 %": (6, 5),
        "negCLIPLoss 20 % ∩ NormSim∞ (lines) 17.5 %": (7, 6),
    }


def test_each_can_be_saved_under_its_name(pool):
    names = [offer.recipe.name for offer in paper_recipes.for_catalog(pool)]
    assert [check_name(name, "selection") for name in names] == names
    assert len(set(names)) == len(names)


def test_without_a_choice_it_is_the_first_target(pool):
    assert list(paper_recipes.target_columns(pool)) == [
        "norm_sim_inf_dots",
        "norm_sim_inf_lines",
        "norm_sim_inf_all",
    ]
    assert paper_recipes.for_catalog(pool)[2].recipe.steps[1].score == "norm_sim_inf_dots"


def test_without_a_target_the_pool_itself_will_do(job, tmp_path):
    scores = ("neg_clip_loss", "norm_sim_d")
    alone = replace(job, workspace=tmp_path / "w", targets=(), scores=scores)
    score_dataset(alone, make.QUIET)
    pool = Catalog.of(Workspace.open(tmp_path / "w"))
    missing = {offer.title: offer.missing for offer in paper_recipes.for_catalog(pool)}
    assert missing["CLIPScore 30 %"] == "needs CLIPScore: score again with --score clip_score"
    assert missing["negCLIPLoss 30 %"] == ""
    assert "--target NAME=IMAGES" in missing["negCLIPLoss 30 % ∩ NormSim∞ (target) 20 %"]
    assert missing["negCLIPLoss 30 % ∩ NormSim₂-D 20 %"] == ""
    assert select(paper_recipes.for_catalog(pool)[-1].recipe, pool).remaining == (11, 7)


def test_everything_that_is_missing_is_listed(tmp_path):
    _, pool = make.catalog(tmp_path, {"own": [0.1, 0.2]})
    near, without = paper_recipes.for_catalog(pool)[2], paper_recipes.for_catalog(pool)[-1]
    assert near.missing.startswith("needs negCLIPLoss: ") and "needs NormSim: " in near.missing
    assert without.missing.endswith("score again with --score norm_sim_d")
