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
        confused = neighbors.most_confused(*world, rowid, side)
        others = np.delete(np.argsort(-cosines), np.argsort(-cosines).tolist().index(rowid))
        assert confused.rowids == others[:6].tolist()
        np.testing.assert_allclose(confused.cosines, cosines[others[:6]], atol=1e-6)
        assert confused.own == pytest.approx(cosines[rowid], abs=1e-6)
        assert confused.better == np.count_nonzero(cosines > cosines[rowid] + 1e-6)
        assert (confused.compared, confused.among) == (35, "dataset")


def test_a_large_dataset_is_compared_with_the_first_pool_of_the_score(world, monkeypatch):
    monkeypatch.setattr(neighbors, "MOST", 1)
    pool = np.argsort(uids.draw_keys(world[1].uids.words, 0, 0))[:16]
    outside = next(row for row in range(36) if row not in pool)
    for rowid, others in ((outside, 16), (int(pool[0]), 15)):
        confused = neighbors.most_confused(*world, rowid, "image")
        assert (confused.compared, confused.among) == (others, "pool")
        cosines = _all(world, "text") @ _all(world, "image")[rowid]
        wanted = sorted(set(pool.tolist()) - {rowid}, key=lambda row: -cosines[row])
        assert confused.rowids == wanted[:6]


def test_with_a_partition_of_negatives_a_substitute_pool_is_compared(job, scored_copy, monkeypatch):
    monkeypatch.setattr(neighbors, "MOST", 1)
    parameters = {"batch_size": 9, "batches": 2, "negatives": "partition"}
    score_dataset(replace(job, workspace=scored_copy.path, parameters=parameters), make.QUIET)
    confused = neighbors.most_confused(scored_copy, Catalog.of(scored_copy), 0, "text")
    assert confused.among == "substitute"
    assert confused.compared in (8, 9)


def test_the_same_caption_twice_does_not_fit_better_than_itself(job, tmp_path):
    table = make.pairs(tmp_path / "source", [{"caption": "the same"} for _ in range(8)])
    changed = replace(job, source=table, workspace=tmp_path / "w", targets=(), parameters={})
    score_dataset(changed, make.QUIET)
    workspace = Workspace.open(tmp_path / "w")
    confused = neighbors.most_confused(workspace, Catalog.of(workspace), 3, "image")
    assert confused.better == 0
    assert confused.cosines[0] == pytest.approx(confused.own, abs=1e-6)


def test_the_nearest_item_of_a_target_is_that_of_norm_sim(world, target_folders):
    workspace, catalog = world
    assert neighbors.target_names(catalog) == ["dots", "lines"]
    for target in target_folders:
        for row in catalog.rows([0, 11]):
            nearest = neighbors.nearest_items(workspace, catalog, row["row_id"], target)
            assert nearest.side == "image"
            assert len(nearest.rows) == len(nearest.items) == 5
            assert nearest.rows[0] == row[f"norm_sim_inf_{target}_nearest"]
            score = row[f"norm_sim_inf_{target}"]
            assert abs(nearest.cosines[0]) == pytest.approx(score, abs=1e-3)
            assert [int(item["image_file"][0]) for item in nearest.items] == nearest.rows


def test_thumbnails_of_a_target_are_cached_in_its_folder(scored_copy):
    nearest = neighbors.nearest_items(scored_copy, Catalog.of(scored_copy), 0, "dots")
    pictures = neighbors.item_thumbnails(scored_copy, nearest)
    assert all(picture is not None for picture in pictures)
    kept = scored_copy.target("dots").path / "thumbnails"
    assert len(list(kept.rglob("*.jpg"))) == 5
    assert not scored_copy.thumbnails.exists()


def test_a_target_of_embeddings_has_row_numbers_only(job, scored_copy, tmp_path):
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
    nearest = neighbors.nearest_items(scored_copy, Catalog.of(scored_copy), 2, "ready")
    assert len(nearest.rows) == 6
    assert 4 not in nearest.rows
    assert nearest.items == []
    assert neighbors.item_thumbnails(scored_copy, nearest) == []


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
    nearest = neighbors.nearest_items(scored_copy, Catalog.of(scored_copy), 2, "words")
    assert nearest.side == "text"
    assert {item["caption"] for item in nearest.items} == {"a dog", "a cat", "a cow"}


def test_missing_embeddings_raise_an_error_that_says_so(scored_copy):
    catalog = Catalog.of(scored_copy)
    shutil.rmtree(scored_copy.target("dots").path / "embeddings")
    with pytest.raises(CurationError, match="dots has no embeddings"):
        neighbors.nearest_items(scored_copy, catalog, 0, "dots")
    shutil.rmtree(scored_copy.embeddings(catalog.dataset.model).path)
    with pytest.raises(CurationError, match="cannot be read"):
        neighbors.most_confused(scored_copy, catalog, 0, "image")


def test_a_sample_without_embeddings_raises_an_error_that_says_so(scored_copy):
    catalog = Catalog.of(scored_copy)
    file = scored_copy.embeddings(catalog.dataset.model).file(0, "image.npy")
    rows = np.load(file)
    rows[catalog.rows([3])[0]["row_id"]] = np.nan
    np.save(file, rows)
    with pytest.raises(CurationError, match="no usable embeddings"):
        neighbors.most_confused(scored_copy, catalog, 3, "text")
    with pytest.raises(CurationError, match="no usable embedding"):
        neighbors.nearest_items(scored_copy, catalog, 3, "dots")
    # Other samples are not compared with it.
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
