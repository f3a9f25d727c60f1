import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.exporters import datacomp
from curation.exporters.export import export
from curation.pipeline import import_scores, publish
from curation.selection.decisions import Decisions
from curation.selection.recipe import Recipe
from curation.selection.select import select
from tests import make


@pytest.fixture
def workspace(tmp_path):
    return make.workspace(tmp_path, [{}] * 4, shard_size=3)


def scores(workspace, name):
    publish.publish(workspace, make.QUIET)
    return Catalog.of(workspace).array(name)


@pytest.fixture
def table(tmp_path):
    def write(text, name="scores.csv"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def test_numeric_columns_become_scores_joined_by_uid(workspace, table):
    file = table(
        f"uid,aesthetic,stars,label\n{make.uid(3)},0.5,4,x\n{make.uid(0)},,2,y\n{make.uid(99)},1,1,z\n"
    )
    joined = import_scores.import_scores(workspace, file)
    assert joined == import_scores.Joined(rows=3, matched=2, unmatched=1, repeated=0)
    np.testing.assert_array_equal(
        scores(workspace, "aesthetic"), np.float32([math.nan, math.nan, math.nan, 0.5])
    )
    np.testing.assert_array_equal(
        scores(workspace, "stars"), np.float32([2, math.nan, math.nan, 4])
    )
    assert "label" not in Catalog.of(workspace).columns


def test_the_first_row_of_a_repeated_uid_counts(workspace, table):
    file = table(f"uid,s\n{make.uid(1)},5\n{make.uid(0)},3\n{make.uid(1)},7\n")
    assert import_scores.import_scores(workspace, file).repeated == 1
    assert scores(workspace, "s")[:2].tolist() == [3, 5]


def test_parquet_and_jsonl_are_taken_too(workspace, tmp_path, table):
    pq.write_table(
        pa.table({"uid": [make.uid(0)], "big": pa.array([2**60 + 1]), "wide": [1e300]}),
        tmp_path / "s.parquet",
    )
    import_scores.import_scores(workspace, tmp_path / "s.parquet")
    import_scores.import_scores(workspace, table(f'{{"uid": "{make.uid(0)}", "j": 2}}', "s.jsonl"))
    assert scores(workspace, "big")[0] == 2.0**60
    assert scores(workspace, "wide")[0] == math.inf
    assert scores(workspace, "j")[0] == 2


def test_a_column_s_name_is_made_to_fit(workspace, table):
    import_scores.import_scores(workspace, table(f"uid,CLIP-Score (L/14)\n{make.uid(0)},1\n"))
    assert scores(workspace, "clip_score_l_14")[0] == 1


def test_columns_may_be_chosen_and_named(workspace, table):
    text = f"key,uid,CLIP score,stars\n{make.uid(0)},7,1,2\n"
    names = dict(import_scores.column_name(text) for text in ("CLIP score=tmars", "uid=of=row"))
    assert names == {"CLIP score": "tmars", "uid=of": "row"}
    import_scores.import_scores(workspace, table(text), [("CLIP score", "tmars")], uid_column="key")
    assert scores(workspace, "tmars")[0] == 1
    assert {f.name for f in workspace.scores_root.iterdir()} == {"tmars"}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([("votes", "votes")], "has no column votes; it has uid, word, number"),
        ([("word", "word")], "the column word holds string, not numbers"),
        ([("uid", "Word")], "column uid: 'Word' cannot name a score.*--column uid=SCORE"),
        ([("number", "x"), ("word", "x")], "two columns cannot both be the score x"),
    ],
)
def test_a_chosen_column_that_cannot_be_a_score_is_named(workspace, table, names, message):
    with pytest.raises(CurationError, match=message):
        import_scores.import_scores(
            workspace, table(f"uid,word,number\n{make.uid(0)},x,1\n"), names
        )
    assert not workspace.scores_root.exists()


def test_importing_a_name_again_replaces_it(workspace, table):
    import_scores.import_scores(workspace, table(f"uid,s\n{make.uid(0)},1\n"))
    import_scores.import_scores(workspace, table(f"uid,s\n{make.uid(1)},2\n"))
    np.testing.assert_array_equal(scores(workspace, "s"), np.float32([np.nan, 2, np.nan, np.nan]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,s\n1,1\n", "has no column uid; it has id, s"),
        (f"uid,s\n{make.uid(0)},x\n", "no column of numbers beside uid"),
        (f"uid,s\n{make.uid(999)},1\n", "has no uid of this dataset"),
        ("uid,s\nabc,1\n", "'abc' is not a uid"),
        (f"uid,7\n{make.uid(0)},1\n", "'7' cannot name a score"),
        (f"uid,a-b,a b\n{make.uid(0)},1,2\n", r"would have one name \(a-b, a b\)"),
        (f"uid,s\n{make.uid(0)},1\n{make.uid(1)}\n", "line 3: wrong number of fields: 1"),
        (f"uid,width\n{make.uid(0)},1\n", "already has a column width"),
        (f"uid,clip_score\n{make.uid(0)},1\n", "already has a column clip_score"),
    ],
)
def test_a_table_that_cannot_be_scores_is_refused(workspace, table, text, message):
    with pytest.raises(CurationError, match=message):
        import_scores.import_scores(workspace, table(text))
    assert not workspace.scores_root.exists()


def test_an_imported_score_cannot_hide_a_computed_one(scored_copy, tmp_path):
    for name in ("neg_clip_loss_se", "norm_sim_inf_dots", "clip_score"):
        (tmp_path / "s.csv").write_text(f"uid,{name}\n{make.uid(0)},1\n")
        with pytest.raises(CurationError, match=f"already has a column {name}"):
            import_scores.import_scores(scored_copy, tmp_path / "s.csv")


def test_there_must_be_a_catalog_to_import_into(workspace, table):
    workspace.catalog.unlink()
    with pytest.raises(CurationError, match="has no catalog yet"):
        import_scores.import_scores(workspace, table(f"uid,s\n{make.uid(0)},1\n"))


def test_a_file_that_is_not_there_or_no_table_is_named(workspace, tmp_path, table):
    with pytest.raises(CurationError, match="does not exist"):
        import_scores.import_scores(workspace, tmp_path / "none.csv")
    with pytest.raises(CurationError, match=r"is not a table; expected one of .csv"):
        import_scores.import_scores(workspace, table("x", "a.txt"))


@pytest.mark.parametrize("kind", ["npy", "txt", "csv", "parquet"])
def test_a_uid_list_is_taken_from_every_usual_file(workspace, tmp_path, kind):
    texts = [make.uid(n) for n in (2, 0, 2, 50)]
    file = tmp_path / f"list.{kind}"
    if kind == "npy":
        halves = [(int(u[:16], 16), int(u[16:], 16)) for u in sorted(texts)]
        np.save(file, np.array(halves, dtype="u8,u8"))
    elif kind == "txt":
        file.write_text("\ufeff" + "\n".join(texts) + "\n", encoding="utf-8")
    elif kind == "csv":
        file.write_text("\n".join(["uid", *texts]))
    else:
        pq.write_table(pa.table({"uid": texts}), file)
    joined = import_scores.import_uids(workspace, "mine", file)
    assert joined == import_scores.Joined(rows=4, matched=2, unmatched=1, repeated=1)
    assert len(Decisions.of(workspace).uid_list("mine")) == 4


def test_what_is_no_uid_list_is_refused(workspace, tmp_path):
    np.save(tmp_path / "numbers.npy", np.arange(3))
    np.savez(tmp_path / "zip.npz", a=np.arange(3))
    (tmp_path / "zip.npz").rename(tmp_path / "zip.npy")
    np.save(tmp_path / "pickle.npy", np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "words.txt").write_text("hello\n")
    for name in ("numbers.npy", "zip.npy", "pickle.npy", "empty.npy", "words.txt", "none.txt"):
        with pytest.raises(CurationError, match=name):
            import_scores.import_uids(workspace, "mine", tmp_path / name)
    assert Decisions.of(workspace).names() == []


def test_an_exported_list_comes_back(tmp_path):
    workspace, catalog = make.catalog(tmp_path, {"q": [0.3, 0.1, 0.2]})
    best = select(Recipe.parse("steps: [{score: q, count: 2}]"), catalog)
    export(catalog, best, "datacomp", tmp_path / "best.npy")
    assert import_scores.import_uids(workspace, "best", tmp_path / "best.npy").matched == 2
    again = select(Recipe.parse("steps: [{intersect: best}]"), catalog, Decisions.of(workspace))
    assert again.digest == best.digest
    assert len(datacomp.load(tmp_path / "best.npy")) == 2


@pytest.mark.parametrize("name", ["rowid", "row_id"])
def test_a_score_cannot_be_called_as_rows_are(scored_copy, tmp_path, name):
    file = tmp_path / "scores.csv"
    file.write_text(f"uid,{name}\n{make.uid(0)},1.5\n")
    with pytest.raises(CurationError, match=name):
        import_scores.import_scores(scored_copy, file)
