import math
from dataclasses import replace

import numpy as np
import pytest

from curation import uids
from curation.analysis import embedding_store, explain
from curation.analysis.explain import Loss
from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.pipeline.run import score_dataset
from curation.storage.workspace import Workspace
from tests import make
from tests.curation.scores import reference

CLOSE = 1e-4


@pytest.fixture(scope="module")
def whole(job, tmp_path_factory):
    """The same dataset, each batch of which is all of it."""
    folder = tmp_path_factory.mktemp("whole") / "w"
    score_dataset(
        replace(job, workspace=folder, targets=(), scores=("neg_clip_loss",), parameters={}),
        make.QUIET,
    )
    return Workspace.open(folder)


def _taken_apart(workspace):
    catalog = Catalog.of(workspace)
    return catalog, [
        explain.explain_loss(catalog, row) for row in catalog.rows(range(len(catalog)))
    ]


def _reference(workspace, catalog, parameters):
    """S_ii, the image sides and the text sides of every sample, in float64."""
    tau, size, draws = (parameters[n] for n in ("temperature", "batch_size", "batches"))
    every = np.arange(len(catalog))
    image, text = (
        reference.unit(embedding_store.load(workspace, catalog, side, every))
        for side in ("image", "text")
    )
    if size >= len(every):
        pools = [every]
    else:
        positions = [divmod(draw, len(every) // size) for draw in range(draws)]
        pools = [
            np.argsort(uids.draw_keys(catalog.uids.words, parameters["seed"], permutation))[
                stretch * size :
            ][:size]
            for permutation, stretch in positions
        ]
    sides = np.zeros((2, len(every)))
    for pool in pools:
        for i in every:
            members = np.union1d(pool, [i])
            for side, (left, right) in enumerate(((image, text), (text, image))):
                cosines = right[members] @ left[i] / tau
                sides[side, i] += tau / 2 * reference.log_sum_exp(cosines, 0) / len(pools)
    return np.einsum("ij,ij->i", image, text), *sides


@pytest.mark.parametrize("world", ["scored", "whole"])
def test_the_sides_are_those_of_the_formula_and_add_up_to_the_score(world, request):
    workspace = request.getfixturevalue(world)
    catalog, losses = _taken_apart(workspace)
    expected = _reference(workspace, catalog, losses[0].parameters)
    for name, values in zip(("clip_score", "image_side", "text_side"), expected, strict=True):
        np.testing.assert_allclose([getattr(one, name) for one in losses], values, atol=CLOSE)
    sums = [one.clip_score - one.image_side - one.text_side for one in losses]
    np.testing.assert_allclose(sums, catalog.array("neg_clip_loss"), atol=CLOSE)
    assert {one.is_exact for one in losses} == {world == "whole"}


def test_of_a_partition_the_sides_add_up_too(job, scored_copy):
    parameters = {"batch_size": 9, "batches": 4, "negatives": "partition"}
    score_dataset(replace(job, workspace=scored_copy.path, parameters=parameters), make.QUIET)
    workspace = Workspace.open(scored_copy.path)
    catalog, losses = _taken_apart(workspace)
    assert losses[0].parameters["negatives"] == "partition"
    rowids = range(len(catalog))
    own = np.einsum(
        "ij,ij->i",
        *(embedding_store.load(workspace, catalog, side, rowids) for side in ("image", "text")),
    )
    np.testing.assert_allclose([one.clip_score for one in losses], own, atol=CLOSE)


def test_a_catalog_without_it_says_so(tmp_path):
    _, catalog = make.catalog(tmp_path, {"mine": [0.1, 0.2]})
    (row,) = catalog.rows([0])
    with pytest.raises(CurationError, match="no negCLIPLoss to explain"):
        explain.explain_loss(catalog, row)


def test_a_sample_without_it_says_so(scored):
    catalog = Catalog.of(scored)
    (row,) = catalog.rows([0])
    with pytest.raises(CurationError, match="not usable"):
        explain.explain_loss(catalog, row | {"neg_clip_loss": None})


@pytest.mark.parametrize(
    ("error", "line", "chance"),
    [
        (0.1, -0.3, 0.5),
        (0.1, -0.3 + 0.196, 0.025),
        (0.1, -0.3 - 0.196, 0.025),
        (0.1, 9, 0),
        (0.0, -0.3, 0),
        (math.nan, -0.2, math.nan),
        (0.1, math.nan, math.nan),
    ],
)
def test_the_chance_to_flip_is_that_of_a_normal_deviate(error, line, chance):
    loss = Loss(0.2, 0.25, 0.25, -0.3, error, {})
    assert explain.flip_probability(loss, line) == pytest.approx(chance, abs=1e-4, nan_ok=True)


def test_a_percentile_is_the_share_that_scores_lower(scored):
    catalog = Catalog.of(scored)
    (row,) = catalog.rows([7])
    standings = {s.column.name: s for s in explain.standings(catalog, row)}
    assert list(standings) == [c.name for c in catalog.scores]
    for name, standing in standings.items():
        values = catalog.array(name)
        assert standing.percentile == pytest.approx(100 * np.mean(values < values[7]))


def test_a_score_that_is_missing_has_no_percentile(tmp_path):
    _, catalog = make.catalog(tmp_path, {"mine": [0.1, None, 0.3]})
    (row,) = catalog.rows([1])
    (standing,) = explain.standings(catalog, row)
    assert standing.value is None
    assert standing.percentile is None
