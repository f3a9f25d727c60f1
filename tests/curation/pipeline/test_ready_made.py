"""Embeddings that a source brings: checked, used where they are, and described."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.errors import CurationError
from curation.executors.local import LocalExecutor
from curation.pipeline import ready_made
from curation.progress import Progress
from curation.readers.base import SourceShard
from curation.storage.matrices import Matrix
from curation.storage.workspace import Receipt, Workspace, read_toml
from tests import make

ROWS, WIDTH = 6, 4


class Source:
    """Shards of embeddings, as a reader that brings them."""

    features = "l14"

    def __init__(self, folder):
        self.folder = folder
        self.members = ("image", "text")
        self.save = np.savez

    def write(self, shard, image, text):
        names = dict(zip(self.members, (image, text), strict=True))
        self.save(self.folder / f"{shard}.npz", **names)

    def embeddings(self, shard):
        file = self.folder / f"{shard.index}.npz"
        return dict(zip(("image", "text"), (Matrix(file, n) for n in self.members), strict=True))

    def shard(self, index):
        return SourceShard(index, self.folder / f"{index}.parquet", 0, ROWS, f"shard {index}")


@pytest.fixture
def source(tmp_path):
    return Source(tmp_path)


@pytest.fixture
def workspace(tmp_path):
    """Two shards that have been read."""
    made = Workspace(tmp_path / "w")
    made.samples.path.mkdir(parents=True)
    for shard in range(2):
        uids = [make.uid(10 * shard + n) for n in range(ROWS)]
        pq.write_table(pa.table({"uid": uids}), made.samples.file(shard, "parquet"))
        made.samples.finish(shard, Receipt(f"read {shard}", ROWS))
    return made


def unit(width=WIDTH, rows=ROWS):
    return np.eye(rows, width, dtype=np.float32) + np.eye(rows, width, -width, dtype=np.float32)


def adopt(workspace, source, progress=make.QUIET):
    shards = [source.shard(index) for index in range(2)]
    return ready_made.adopt(workspace, source, shards, LocalExecutor(), progress)


def adopt_one(workspace, source):
    return ready_made.adopt_shard(workspace, source, source.shard(0))


def test_embeddings_that_can_be_mapped_are_used_where_they_are(workspace, source):
    source.write(0, unit(), 2 * unit())
    adopt_one(workspace, source)
    folder = workspace.embeddings("l14")
    location = ready_made.location(folder, 0, "text")
    assert location == Matrix(source.folder / "0.npz", "text")
    np.testing.assert_array_equal(ready_made.open_rows(location), 2 * unit())
    assert not list(folder.path.glob("*.npy"))


def test_compressed_embeddings_are_unpacked_until_they_can_be_mapped(workspace, source):
    source.save = np.savez_compressed
    source.write(0, unit(), 2 * unit())
    adopt_one(workspace, source)
    folder = workspace.embeddings("l14")
    location = ready_made.location(folder, 0, "text")
    assert location == folder.file(0, "text.npy")
    np.testing.assert_array_equal(ready_made.open_rows(location), 2 * unit())
    source.save = np.savez
    source.write(0, unit(), 2 * unit())
    workspace.samples.finish(0, Receipt("read again", ROWS))
    adopt_one(workspace, source)
    assert not list(folder.path.glob("*.npy"))


def test_shards_are_checked_again_only_when_samples_or_members_change(workspace, source):
    source.write(0, unit(), 3 * unit())
    first = adopt_one(workspace, source)
    folder = workspace.embeddings("l14")
    folder.finish(0, replace(first, seconds={"read": 1.0}))
    file = folder.file(0, "source.json")
    file.unlink()
    assert adopt_one(workspace, source) == first  # without the seconds of the earlier run
    assert not file.exists()
    source.members = ("text", "image")
    swapped = adopt_one(workspace, source)
    assert swapped.fingerprint != first.fingerprint
    assert file.exists()
    workspace.samples.finish(0, Receipt("read again", ROWS))
    assert adopt_one(workspace, source).fingerprint != swapped.fingerprint


def test_a_shard_that_fails_when_checked_again_is_not_done(workspace, source):
    source.write(0, unit(), unit())
    adopt_one(workspace, source)
    workspace.samples.finish(0, Receipt("read again", ROWS + 1))
    with pytest.raises(CurationError):
        adopt_one(workspace, source)
    assert workspace.embeddings("l14").receipt(0) is None


def test_a_shard_that_was_not_read_is_refused(workspace, source):
    workspace.samples.discard(0)
    with pytest.raises(CurationError, match="shard 0 has not been read"):
        adopt_one(workspace, source)


@pytest.mark.parametrize(
    ("image", "text"),
    [
        (unit(rows=ROWS + 1), unit(rows=ROWS + 1)),
        (unit(rows=ROWS - 1), unit(rows=ROWS - 1)),
        (unit(), unit(WIDTH + 1)),
        (unit(), unit(rows=ROWS - 1)),
    ],
)
def test_embeddings_that_do_not_fit_the_samples_are_refused(workspace, source, image, text):
    source.write(0, image, text)
    with pytest.raises(CurationError, match=r"0\.npz holds image .* has 6 rows"):
        adopt_one(workspace, source)


def test_rows_that_cannot_be_scored_are_listed_in_their_order(workspace, source):
    image, text = unit(), unit()
    text[1, 0], image[2], image[4, 3], text[4] = np.nan, 0, np.inf, 0
    source.write(0, image, text)
    receipt = adopt_one(workspace, source)
    assert (receipt.rows, receipt.skipped, receipt.not_unit) == (ROWS, 3, 0)
    listed = pq.read_table(workspace.embeddings("l14").file(0, "unscored.parquet")).to_pylist()
    assert [(r["where"], r["uid"], r["row"], r["reason"]) for r in listed] == [
        ("0.parquet row 2", make.uid(1), 1, "its caption's embedding is not finite"),
        ("0.parquet row 3", make.uid(2), 2, "its image's embedding is zero"),
        ("0.parquet row 5", make.uid(4), 4, "its image's embedding is not finite"),
    ]


def test_embeddings_of_another_length_are_counted_on_both_sides(workspace, source, capsys):
    image, text = unit(), unit()
    image[0] *= 2
    text[:2] *= 3
    for shard in range(2):
        source.write(shard, image, text)
    receipts = adopt(workspace, source, Progress())
    assert [receipt.not_unit for receipt in receipts] == [3, 3]
    assert "6 of 24 embeddings are not of unit length" in capsys.readouterr().err


@pytest.mark.parametrize(("first", "second"), [(4, 5), (5, 4)])
def test_shards_of_different_lengths_are_refused(workspace, source, first, second):
    source.write(0, unit(first), unit(first))
    source.write(1, unit(second), unit(second))
    message = f"1.parquet have length {second}, those of 0.parquet {first}"
    with pytest.raises(CurationError, match=message):
        adopt(workspace, source)


def test_the_folder_says_what_it_holds_and_forgets_shards_that_have_gone(workspace, source):
    for shard in range(2):
        source.write(shard, unit(), unit())
    folder = workspace.embeddings("l14")
    folder.path.mkdir(parents=True)
    folder.finish(2, Receipt("earlier", ROWS))
    adopt(workspace, source)
    assert folder.receipt(2) is None
    assert read_toml(folder.path / "model.toml") == {
        "name": "l14",
        "dim": WIDTH,
        "temperature": 0.01,
        "precision": "ready-made",
    }
