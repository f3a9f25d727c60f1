"""The catalog that is made of samples and finished scores."""

import json

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.pipeline import publish, score_folders
from curation.progress import Progress
from curation.scores.base import Column
from curation.storage.workspace import Receipt, write_toml
from tests import make

ROWS, SHARD = 7, 3


def workspace(tmp_path, uids=range(ROWS), **columns):
    rows = [
        {"uid": make.uid(uid)} | {name: values[n] for name, values in columns.items()}
        for n, uid in enumerate(uids)
    ]
    return make.workspace(tmp_path, rows, SHARD)


def add_score(workspace, name, *columns):
    """A finished score with these columns; their values count the samples from 0."""
    folder = workspace.scores(name)
    folder.path.mkdir(parents=True)
    start = 0
    for shard in range(workspace.shard_count()):
        count = workspace.samples.receipt(shard).rows
        numbers = np.arange(start, start + count)
        values = {c.name: pa.array(numbers).cast(pa.type_for_alias(c.type)) for c in columns}
        pq.write_table(pa.table(values), folder.file(shard, "parquet"))
        start += count
    score_folders.write_record(
        workspace, folder, score=name, model="", source="", parameters={}, columns=columns
    )


def skip(workspace, shard, row, kind="skipped"):
    """List a sample as one that the embed stage could not use."""
    file = workspace.embeddings("none").file(shard, f"{kind}.parquet")
    file.parent.mkdir(parents=True, exist_ok=True)
    uid = pq.read_table(workspace.samples.file(shard, "parquet")).column("uid")[row].as_py()
    values = {"where": ["a.jpg"], "uid": [uid], "reason": ["does not decode"], "row": [row]}
    pq.write_table(pa.table(values), file)


def table(workspace, query):
    with duckdb.connect(str(workspace.catalog), read_only=True) as connection:
        return connection.sql(query).fetchall()


def test_of_a_repeated_uid_the_first_is_kept_and_the_others_are_listed(tmp_path):
    made = workspace(tmp_path, [0, 1, 0, 2, 0, 1, 3])
    published = publish.publish(made, make.QUIET)
    assert (published.samples, published.skipped) == (4, 3)
    assert [uid for (uid,) in table(made, "SELECT uid FROM samples")] == [*map(make.uid, range(4))]
    assert table(made, "FROM shards") == [(3, [2]), (3, [1, 2]), (1, [])]
    assert table(made, 'SELECT stage, "where", uid, reason FROM skipped') == [
        ("read", f"{number:03d}.jpg", make.uid(uid), "repeats an earlier uid")
        for number, uid in ((2, 0), (4, 0), (5, 1))
    ]
    assert table(made, "SELECT samples, skipped FROM dataset") == [(4, 3)]


def test_a_sample_that_was_not_embedded_gives_way_to_a_later_one_of_its_uid(tmp_path):
    made = workspace(tmp_path, [0, 1, 2, 0, 3, 4, 5])
    skip(made, 0, 0)
    publish.publish(made, make.QUIET)
    assert table(made, "FROM shards") == [(3, [0]), (3, []), (1, [])]
    assert table(made, "SELECT image_file FROM samples WHERE uid = '" + make.uid(0) + "'") == [
        ("003.jpg",)
    ]
    assert table(made, 'SELECT stage, "where", uid FROM skipped') == [
        ("embed", "a.jpg", make.uid(0))
    ]


def test_a_sample_without_scores_is_listed_and_kept(tmp_path):
    made = workspace(tmp_path)
    skip(made, 1, 1, "unscored")
    published = publish.publish(made, make.QUIET)
    assert (published.samples, published.skipped) == (ROWS, 0)
    assert table(made, "SELECT stage, uid FROM skipped") == [("score", make.uid(4))]
    assert publish.skipped_reasons(made) == [("a.jpg", "does not decode")]


def test_scores_stay_with_their_samples(tmp_path):
    made = workspace(tmp_path, [0, 1, 0, 2, 3, 4, 5])
    add_score(made, "mine", Column("mine", "Mine", ""))
    publish.publish(made, make.QUIET)
    assert Catalog.of(made).array("mine").tolist() == [0, 1, 3, 4, 5, 6]


def test_columns_are_scores_measures_or_details(tmp_path):
    made = workspace(tmp_path)
    kinds = {
        "number": Column("number", "Number", "help"),
        "rank": Column("rank", "Rank", "", type="int32"),
        "length": Column("length", "Length", "", type="int32", kind="measure"),
        "flag": Column("flag", "Flag", "", type="bool"),
        "error": Column("error", "Error", "", of="number"),
    }
    add_score(made, "mine", *kinds.values())
    published = publish.publish(made, make.QUIET)
    assert published.columns == ("error", "flag", "length", "number", "rank")
    columns = Catalog.of(made).columns
    assert {name: columns[name].kind for name in kinds} == {
        "number": "score",
        "rank": "score",
        "length": "measure",
        "flag": "measure",
        "error": "detail",
    }
    number = columns["number"]
    assert (number.title, number.help, number.score) == ("Number", "help", "mine")
    assert (columns["error"].of, number.of) == ("number", "")


def test_of_two_scores_with_one_column_the_first_is_published(tmp_path, capsys):
    made = workspace(tmp_path)
    names = ("one", "two", "three")
    add_score(made, "a", *(Column(name, name, "") for name in names))
    add_score(made, "b", *(Column(name, name, "") for name in ("two", "three", "four")))
    publish.publish(made, Progress())
    assert "b is left out: another score has a column three" in capsys.readouterr().err
    assert {c.name for c in Catalog.of(made).scores} == set(names)


def test_a_score_of_other_samples_is_left_out(tmp_path, capsys):
    made = workspace(tmp_path)
    add_score(made, "mine", Column("mine", "Mine", ""))
    made.samples.finish(0, Receipt("read again", SHARD))
    publish.publish(made, Progress())
    assert "the score mine is of an earlier state of the dataset" in capsys.readouterr().err
    assert "mine" not in Catalog.of(made).columns


@pytest.mark.parametrize(
    ("values", "kind", "title"),
    [
        ([0.5] * ROWS, "score", "stored CLIP L/14 similarity"),
        ([1] * ROWS, "score", "stored CLIP L/14 similarity"),
        (["high"] * ROWS, "source", "clip l14 similarity score"),
    ],
)
def test_a_stored_clip_similarity_is_a_score_if_it_is_a_number(tmp_path, values, kind, title):
    made = workspace(tmp_path, clip_l14_similarity_score=values)
    column = Catalog.of(made).columns["clip_l14_similarity_score"]
    assert (column.kind, column.title) == (kind, title)


def test_the_targets_of_the_workspace_are_named(tmp_path):
    made = workspace(tmp_path)
    for name in ("food", "animals"):
        write_toml(made.target(name).path / "target.toml", {"name": name})
    publish.publish(made, make.QUIET)
    assert Catalog.of(made).dataset.targets == "animals, food"


def test_a_decided_change_is_carried_out_before_publishing(tmp_path):
    made = workspace(tmp_path)
    add_score(made, "mine", Column("mine", "Mine", ""))
    plan = made.path / ".staging" / "plan.json"
    plan.parent.mkdir()
    plan.write_text(json.dumps({"moved": [], "deleted": ["scores/mine"]}))
    publish.publish(made, make.QUIET)
    assert "mine" not in Catalog.of(made).columns
    assert not plan.exists()


def test_nothing_but_the_catalog_is_left_behind(tmp_path):
    made = workspace(tmp_path)
    publish.publish(made, make.QUIET)
    assert not [f.name for f in made.path.iterdir() if f.name.startswith(".") or "wal" in f.name]


def test_a_catalog_that_fails_leaves_neither_itself_nor_its_log(tmp_path, monkeypatch):
    made = workspace(tmp_path)
    before = made.catalog.read_bytes()

    def failing(workspace, *others):
        (partial,) = workspace.path.glob(".catalog.duckdb.*.partial")
        partial.with_name(partial.name + ".wal").write_bytes(b"DuckDB leaves its log here")
        raise CurationError("the shard is damaged")

    monkeypatch.setattr(publish, "_shard_table", failing)
    with pytest.raises(CurationError, match="the shard is damaged"):
        publish.publish(made, make.QUIET)
    assert made.catalog.read_bytes() == before
    assert not list(made.path.glob(".catalog*"))
