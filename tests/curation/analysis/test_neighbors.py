import shutil
from dataclasses import replace

import numpy as np
import pytest

from curation import uids
from curation.analysis import embedding_store, neighbors
from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.pipeline.run import score_dataset
from curation.pipeline.targets import TargetSource
from curation.scores.shared.normalize import unit
from curation.storage.workspace import Workspace
from tests import make


@pytest.fixture(scope="module")
def world(scored):
    return scored, Catalog.of(scored)


def _all(world, side):
    return embedding_store.load(*world, side, range(len(world[1])))


@pytest.mark.parametrize("side", ["image", "text"])
def test_a_sample_is_confused_with_what_is_nearest_and_not_its_own(world, side):
    left = _all(world, side)
    right = _all(world, "text" if side == "image" else "image")
    for rowid in (0, 5, 35):
        cosines = right @ left[rowid]
        found = neighbors.most_confused(*world, rowid, side)
        others = np.delete(np.argsort(-cosines), np.argsort(-cosines).tolist().index(rowid))
        assert found.rowids == others[:6].tolist()
        np.testing.assert_allclose(found.cosines, cosines[others[:6]], atol=1e-6)
        assert found.own == pytest.approx(cosines[rowid], abs=1e-6)
        assert found.better == np.count_nonzero(cosines > cosines[rowid] + 1e-6)
        assert (found.compared, found.among) == (35, "dataset")


def test_of_a_large_dataset_the_first_pool_of_the_score_is_compared(world, monkeypatch):
    monkeypatch.setattr(neighbors, "MOST", 1)
    pool = np.argsort(uids.draw_keys(world[1].uids.words, 0, 0))[:16]
    outside = next(row for row in range(36) if row not in pool)
    for rowid, others in ((outside, 16), (int(pool[0]), 15)):
        found = neighbors.most_confused(*world, rowid, "image")
        assert (found.compared, found.among) == (others, "pool")
        cosines = _all(world, "text") @ _all(world, "image")[rowid]
        wanted = sorted(set(pool.tolist()) - {rowid}, key=lambda row: -cosines[row])
        assert found.rowids == wanted[:6]


def test_batches_of_a_partition_are_not_kept_so_another_pool_is_compared(
    job, scored_copy, monkeypatch
):
    monkeypatch.setattr(neighbors, "MOST", 1)
    parameters = {"batch_size": 9, "batches": 2, "negatives": "partition"}
    score_dataset(replace(job, workspace=scored_copy.path, parameters=parameters), make.QUIET)
    found = neighbors.most_confused(scored_copy, Catalog.of(scored_copy), 0, "text")
    assert found.among == "substitute"
    assert found.compared in (8, 9)


def test_the_same_caption_twice_does_not_fit_better_than_itself(job, tmp_path):
    table = make.pairs(tmp_path / "source", [{"caption": "the same"} for _ in range(8)])
    changed = replace(job, source=table, workspace=tmp_path / "w", targets=(), parameters={})
    score_dataset(changed, make.QUIET)
    workspace = Workspace.open(tmp_path / "w")
    found = neighbors.most_confused(workspace, Catalog.of(workspace), 3, "image")
    assert found.better == 0
    assert found.cosines[0] == pytest.approx(found.own, abs=1e-6)


def test_the_nearest_of_a_target_is_what_norm_sim_says(world, target_folders):
    workspace, catalog = world
    assert neighbors.target_names(catalog) == ["dots", "lines"]
    for target in target_folders:
        for row in catalog.rows([0, 11]):
            found = neighbors.nearest_items(workspace, catalog, row["row_id"], target)
            assert found.side == "image"
            assert len(found.rows) == len(found.items) == 5
            assert found.rows[0] == row[f"norm_sim_inf_{target}_nearest"]
            score = row[f"norm_sim_inf_{target}"]
            assert abs(found.cosines[0]) == pytest.approx(score, abs=1e-3)
            assert [int(item["image_file"][0]) for item in found.items] == found.rows


def test_a_targets_pictures_are_kept_with_it(scored_copy):
    found = neighbors.nearest_items(scored_copy, Catalog.of(scored_copy), 0, "dots")
    pictures = neighbors.item_thumbnails(scored_copy, found)
    assert all(picture is not None for picture in pictures)
    kept = scored_copy.target("dots").path / "thumbnails"
    assert len(list(kept.rglob("*.jpg"))) == 5
    assert not scored_copy.thumbnails.exists()


def test_a_target_of_embeddings_has_places_only(job, scored_copy, tmp_path):
    rows = np.random.default_rng(0).standard_normal((9, 64)).astype(np.float32)
    rows[4] = 0
    np.save(tmp_path / "ready.npy", rows)
    target = TargetSource("ready", tmp_path / "ready.npy")
    score_dataset(
        replace(
            job, workspace=scored_copy.path, targets=(target,), scores=("norm_sim",), parameters={}
        ),
        make.QUIET,
    )
    found = neighbors.nearest_items(scored_copy, Catalog.of(scored_copy), 2, "ready")
    assert len(found.rows) == 6
    assert 4 not in found.rows
    assert found.items == []
    assert neighbors.item_thumbnails(scored_copy, found) == []


def test_a_target_of_captions_is_compared_by_them(job, scored_copy, tmp_path):
    (tmp_path / "words.txt").write_text("a dog\na cat\na cow\n")
    score_dataset(
        replace(
            job,
            workspace=scored_copy.path,
            scores=("norm_sim",),
            targets=(TargetSource("words", tmp_path / "words.txt"),),
            parameters={"target_side": ("text",)},
        ),
        make.QUIET,
    )
    found = neighbors.nearest_items(scored_copy, Catalog.of(scored_copy), 2, "words")
    assert found.side == "text"
    assert {item["caption"] for item in found.items} == {"a dog", "a cat", "a cow"}


def test_embeddings_that_are_gone_are_said_to_be(scored_copy):
    catalog = Catalog.of(scored_copy)
    shutil.rmtree(scored_copy.target("dots").path / "embeddings")
    with pytest.raises(CurationError, match="dots has no embeddings"):
        neighbors.nearest_items(scored_copy, catalog, 0, "dots")
    shutil.rmtree(scored_copy.embeddings(catalog.dataset.model).path)
    with pytest.raises(CurationError, match="cannot be read"):
        neighbors.most_confused(scored_copy, catalog, 0, "image")


def test_a_sample_without_embeddings_is_said_to_have_none(scored_copy):
    catalog = Catalog.of(scored_copy)
    file = scored_copy.embeddings(catalog.dataset.model).file(0, "image.npy")
    rows = np.load(file)
    rows[catalog.rows([3])[0]["row_id"]] = np.nan
    np.save(file, rows)
    with pytest.raises(CurationError, match="no usable embeddings"):
        neighbors.most_confused(scored_copy, catalog, 3, "text")
    with pytest.raises(CurationError, match="no usable embedding"):
        neighbors.nearest_items(scored_copy, catalog, 3, "dots")
    # To others it is no neighbour.
    assert neighbors.most_confused(scored_copy, catalog, 0, "text").compared == 34


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_cosines_are_those_of_rows_brought_to_unit_length(dtype):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((5000, 32)).astype(dtype)
    if dtype == np.float32:
        rows[:4] *= np.array([[1e-30], [1e25], [1e-3], [1e4]], dtype=np.float32)
    rows[10], rows[11], rows[12, 3] = 0, np.nan, np.inf
    (left,), _ = unit(rng.standard_normal((1, 32)))
    scaled, bad = unit(rows)
    expected = np.where(bad, np.nan, scaled @ left)
    np.testing.assert_allclose(neighbors._cosines(rows, left), expected, atol=1e-6)
