import numpy as np
import pytest

from curation.analysis import embedding_store, search
from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.models.encoder import ModelSpec, load
from curation.storage.workspace import read_toml, write_toml
from tests import make

ROWS, SHARD, DIM = 47, 11, 24
MODEL = "none"
EVERY = ROWS + 10


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Shards of 11 rows; two samples repeat a uid and are not in the catalog."""
    rows = [{} for _ in range(ROWS)]
    rows[4] = rows[30] = {"uid": make.uid(2)}
    made = make.workspace(tmp_path_factory.mktemp("search"), rows, SHARD)
    return made, Catalog.of(made)


@pytest.fixture
def embeddings(world):
    """Random embeddings of lengths between 0.9 and 1.1."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(ROWS, DIM))
    rows *= rng.uniform(0.9, 1.1, (ROWS, 1)) / np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float16)


@pytest.fixture(params=[(1, 1), (4, 8), (2048, 32768)], ids=str)
def sizes(request, monkeypatch):
    """Rows per chunk and per piece."""
    for name, size in zip(("CHUNK", "PIECE"), request.param, strict=True):
        monkeypatch.setattr(search, name, size)


def nearest(world, rows, query, wanted=EVERY):
    """The matches if the images have these embeddings."""
    workspace, catalog = world
    folder = workspace.embeddings(MODEL)
    folder.path.mkdir(parents=True, exist_ok=True)
    for shard, start in enumerate(range(0, ROWS, SHARD)):
        np.save(folder.file(shard, "image.npy"), rows[start : start + SHARD])
    return search.nearest(workspace, catalog, query, wanted)


def reference(rows, query, wanted=EVERY):
    """The rowids and cosines by the plain formula, in float64."""
    wide = np.delete(rows.astype(np.float64), [4, 30], axis=0)
    with np.errstate(all="ignore"):
        cosines = wide @ query / np.linalg.norm(wide, axis=1) / np.linalg.norm(query)
    cosines = cosines.astype(np.float32)
    known = np.flatnonzero(np.isfinite(cosines))
    rowids = known[np.lexsort((known, -cosines[known]))][:wanted]
    return rowids, cosines[rowids]


def assert_same(matches, expected):
    np.testing.assert_array_equal(matches.rowids, expected[0])
    np.testing.assert_allclose(matches.cosines, expected[1], rtol=0, atol=1e-7)
    assert (matches.rowids.dtype, matches.cosines.dtype) == (np.int64, np.float32)


@pytest.mark.parametrize("wanted", [1, 5, ROWS - 2, EVERY])
def test_the_nearest_are_those_of_the_plain_formula(world, embeddings, sizes, wanted):
    query = 7 * np.random.default_rng(1).normal(size=DIM)
    assert_same(nearest(world, embeddings, query, wanted), reference(embeddings, query, wanted))


@pytest.mark.parametrize("dtype", ["float32", "float64", ">f4"])
def test_embeddings_of_any_kind_of_float_are_searched(world, embeddings, sizes, dtype):
    query = np.random.default_rng(1).normal(size=DIM)
    rows = embeddings.astype(dtype)
    assert_same(nearest(world, rows, query), reference(rows, query))


def test_samples_without_an_embedding_never_match(world, embeddings, sizes):
    embeddings[[0, 21, 46]] = np.nan
    embeddings[12] = 0
    embeddings[13, 5] = np.inf
    query = np.random.default_rng(1).normal(size=DIM)
    matches = nearest(world, embeddings, query)
    assert len(matches) == ROWS - 2 - 5
    assert_same(matches, reference(embeddings, query))


def test_without_any_embedding_nothing_matches(world, embeddings, sizes):
    assert not len(nearest(world, np.full_like(embeddings, np.nan), np.ones(DIM)))


@pytest.mark.parametrize("wanted", [1, 4, EVERY])
def test_ties_are_in_the_order_of_the_catalog(world, embeddings, sizes, wanted):
    embeddings[10:] = embeddings[9]
    matches = nearest(world, embeddings, embeddings[9].astype(np.float32), wanted)
    assert_same(matches, reference(embeddings, embeddings[9].astype(np.float64), wanted))
    assert matches.rowids[:4].tolist() == [8, 9, 10, 11][:wanted]


def test_a_query_that_has_no_direction_or_another_length_is_refused(world, embeddings):
    for query in (np.zeros(DIM), np.full(DIM, np.nan)):
        with pytest.raises(CurationError, match="zero or not finite"):
            nearest(world, embeddings, query)
    with pytest.raises(CurationError, match="of different models"):
        nearest(world, embeddings, np.ones(DIM + 1))


def test_a_search_does_not_change_the_number_of_torch_threads(world, embeddings):
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        nearest(world, embeddings, np.ones(DIM))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("side", ["image", "text"])
def test_a_sample_is_searched_for_by_its_image_or_caption(scored, side):
    catalog = Catalog.of(scored)
    query = search.sample_embedding(scored, catalog, 5, side)
    np.testing.assert_array_equal(query, embedding_store.load(scored, catalog, side, [5])[0])
    matches = search.nearest(scored, catalog, query, 3)
    assert len(matches) == 3
    if side == "image":
        assert matches.rowids[0] == 5
        assert matches.cosines[0] == pytest.approx(1, abs=1e-6)


def test_a_sample_without_an_embedding_says_so(world, embeddings):
    embeddings[0] = np.nan
    nearest(world, embeddings, np.ones(DIM))
    with pytest.raises(CurationError, match="no embedding of its image"):
        search.sample_embedding(*world, 0, "image")


def test_text_and_image_are_embedded_as_the_dataset_was(scored, tiny, source):
    catalog = Catalog.of(scored)
    row = catalog.rows([7])[0]
    data = (source / row["image_file"]).read_bytes()
    for query, side in (
        (search.embed_text(tiny, row["caption"]), "text"),
        (search.embed_image(tiny, data), "image"),
    ):
        (stored,) = embedding_store.load(scored, catalog, side, [7])
        np.testing.assert_allclose(query, stored, atol=1e-3)
    with pytest.raises(CurationError, match="not an image"):
        search.embed_image(tiny, b"no image")


def test_the_model_is_loaded_again_from_what_is_recorded(
    scored, model_folder, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    spec = search.query_model(scored, Catalog.of(scored))
    assert spec == ModelSpec(str(model_folder.resolve()))
    assert load(spec, "cpu").dim == 64


def test_ready_made_embeddings_have_no_model(scored_copy):
    file = scored_copy.embeddings("tiny").path / "model.toml"
    write_toml(file, read_toml(file) | {"precision": "ready-made"})
    with pytest.raises(CurationError, match="came ready-made"):
        search.query_model(scored_copy, Catalog.of(scored_copy))
