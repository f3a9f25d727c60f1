from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from curation.catalog.catalog import Catalog
from curation.images.location import ImageRef
from curation.pipeline import ready_made
from curation.pipeline.run import Job, score_dataset
from curation.readers import Options, open_source
from curation.scores import clip_score
from curation.storage.matrices import Matrix
from curation.storage.workspace import Workspace
from tests import make
from tests.curation.scores import reference
from tests.producers.downloads import SHARD, run

Written = namedtuple("Written", "folder names image text")

SCRIPT = Path(__file__).with_name("write_embeddings.py")


def written(producers, download, source, folder, partitions):
    """What clip-retrieval makes of a download, and the embeddings by the uid of the link."""
    links = download.links
    image, text = (
        reference.unit(rows).astype(np.float16) for rows in reference.clustered(len(links), dim=32)
    )
    # img2dataset's own: the number of the shard, then of the link in it.
    keys = [f"{n // SHARD:05d}{n % SHARD:02d}" for n in range(len(links))]
    folder.mkdir()
    embeddings, out = folder / "embeddings.npz", folder / "out"
    np.savez(embeddings, key=keys, image=image, text=text)
    python = producers / "bin" / "python"
    run([str(word) for word in (python, SCRIPT, source, embeddings, out, partitions)])
    names = sorted(file.name for file in out.rglob("*.*"))
    by_uid = (
        {link.uid: row for link, row in zip(links, rows, strict=True)} for rows in (image, text)
    )
    return Written(out, names, *by_uid)


@pytest.fixture(scope="module")
def of_tars(producers, download, untouched, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip-retrieval") / "tars"
    return written(producers, download, untouched, folder, 1)


@pytest.fixture(scope="module")
def of_files(producers, download, files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip-retrieval") / "files"
    return written(producers, download, files, folder, 12)


@pytest.fixture(params=["of_tars", "of_files"])
def made(request):
    return request.getfixturevalue(request.param)


def test_parts_are_named_by_numbers_with_zeros_before_them_where_there_are_many(of_tars, of_files):
    assert of_tars.names == ["img_emb_0.npy", "metadata_0.parquet", "text_emb_0.npy"]
    assert len(of_files.names) == 36
    assert {"img_emb_00.npy", "text_emb_11.npy", "metadata_07.parquet"} < set(of_files.names)


def test_every_row_is_a_sample_beside_its_embeddings(made, download):
    reader = open_source(made.folder)
    assert reader.name == "clip_retrieval"
    by_uid = {link.uid: link for link in download.links if link.failure is None}
    seen = []
    for shard in reader.shards():
        result = reader.read(shard)
        assert not result.skipped
        sides = {side: matrix.open() for side, matrix in reader.embeddings(shard).items()}
        assert all(isinstance(rows, np.memmap) for rows in sides.values())
        for number, row in enumerate(result.samples.to_pylist()):
            link = by_uid[row["uid"]]
            assert row["caption"] == link.caption.strip()
            assert row["url"] == download.site.url(link)
            assert (sides["image"][number] == made.image[link.uid]).all()
            assert (sides["text"][number] == made.text[link.uid]).all()
            seen.append(link.uid)
    assert sorted(seen) == sorted(by_uid)


def test_images_are_found_below_the_image_root(of_files, files, download):
    reader = open_source(of_files.folder, options=Options(image_root=files))
    served = {link.uid: link.served for link in download.links[:18]}
    rows = [row for shard in reader.shards() for row in reader.read(shard).samples.to_pylist()]
    images = {r["uid"]: ImageRef.of(r).read(files) for r in rows if r["uid"] in served}
    assert images == served


def test_scores_take_no_model_and_are_those_of_the_embeddings(made, tmp_path):
    job = Job(source=made.folder, workspace=tmp_path / "w", device="cpu", scores=("clip_score",))
    summary = score_dataset(job, make.QUIET)
    catalog = Catalog(tmp_path / "w" / "catalog.duckdb")
    rows = catalog.rows(range(len(catalog)))
    assert len(rows) == summary.samples == 60
    image, text = (np.stack([side[row["uid"]] for row in rows]) for side in (made.image, made.text))
    scores = np.array([row["clip_score"] for row in rows])
    np.testing.assert_allclose(scores, clip_score(image, text), atol=2e-6)
    folder = Workspace.open(tmp_path / "w").embeddings(catalog.dataset.model)
    assert isinstance(ready_made.location(folder, 0, "image"), Matrix)
    assert not list(folder.path.glob("*.npy"))
