from dataclasses import replace

import numpy as np
import pytest

from curation.analysis import embedding_store
from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.pipeline.run import score_dataset
from curation.scores import clip_score
from curation.storage.workspace import Workspace
from tests import make

ROWS = 23


@pytest.fixture(scope="module")
def world(job, tmp_path_factory):
    """Shards of 7 rows: one has a repeated uid, one a truncated image, one only repeated uids."""
    folder = tmp_path_factory.mktemp("embedded")
    rows = [{} for _ in range(ROWS)]
    rows[4] = {"uid": make.uid(2)}
    rows[9] = {"file_name": "broken.jpg"}
    rows[14:21] = [{"uid": make.uid(n)} for n in (0, 1, 2, 3, 5, 6, 0)]
    table = make.pairs(folder / "source", rows)
    make.truncated_jpeg(folder / "source" / "broken.jpg")
    options = replace(job.options, shard_size=7)
    changed = replace(
        job,
        source=table,
        workspace=folder / "w",
        options=options,
        targets=(),
        scores=("clip_score",),
        parameters={},
    )
    score_dataset(changed, make.QUIET)
    workspace = Workspace.open(folder / "w")
    return workspace, Catalog.of(workspace)


def test_every_sample_has_its_own_embeddings(world):
    workspace, catalog = world
    assert len(catalog) == ROWS - 9
    rowids = np.arange(len(catalog))
    image, text = (
        embedding_store.load(workspace, catalog, side, rowids) for side in ("image", "text")
    )
    np.testing.assert_allclose(clip_score(image, text), catalog.array("clip_score"), atol=1e-6)


def test_rows_come_in_the_order_they_are_asked_for(world):
    workspace, catalog = world
    whole = embedding_store.load(workspace, catalog, "image", range(len(catalog)))
    some = [13, 0, 5, 5]
    np.testing.assert_array_equal(
        embedding_store.load(workspace, catalog, "image", some), whole[some]
    )


def test_rows_that_the_catalog_lacks_have_the_rowid_minus_one(world):
    workspace, catalog = world
    parts = list(embedding_store.iter_shards(workspace, catalog, "image"))
    assert [len(part.rows) for part in parts] == [7, 7, 7, 2]
    assert [part.rowids.tolist() for part in parts][:1] == [[0, 1, 2, 3, -1, 4, 5]]
    assert parts[2].rowids.tolist() == [-1] * 7
    every = np.concatenate([part.rowids for part in parts])
    assert every[every >= 0].tolist() == list(range(len(catalog)))


def test_embeddings_that_changed_after_publishing_are_refused(world):
    workspace, catalog = world
    file = workspace.embeddings(catalog.dataset.model).file(1, "image.npy")
    whole = file.read_bytes()
    try:
        np.save(file, np.load(file)[:-1])
        with pytest.raises(CurationError, match="has changed since the catalog was published"):
            list(embedding_store.iter_shards(workspace, catalog, "image"))
    finally:
        file.write_bytes(whole)


def test_a_model_that_has_no_embeddings_is_named(world):
    with pytest.raises(CurationError, match="other"):
        list(embedding_store.iter_shards(*world, "image", model="other"))
