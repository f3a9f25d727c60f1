import numpy as np
import pyarrow as pa
import pytest

from curation.scores import SCORES
from curation.scores.base import Column, Data, Score, Shard
from curation.scores.shared import captions
from curation.scores.shared.simple_score import SimpleScore

NAMES = ["clip_score", "caption_length", "image_size", "language", "basic_filter"]


def shard_of(index, texts):
    """A shard with embeddings, captions and image sizes."""
    rows = np.ones((len(texts), 4), dtype=np.float16)
    table = pa.table(
        {
            "caption": pa.array(texts, pa.string()),
            "width": pa.array([300] * len(texts), pa.int32()),
            "height": pa.array([400] * len(texts), pa.int32()),
        }
    )

    def samples(names):
        return table.select([name for name in names if name in table.column_names])

    return Shard(index, len(texts), lambda: None, rows, rows, samples)


def test_a_score_is_a_function_of_a_shard_and_its_columns():
    score: Score = SimpleScore(
        name="exclamations",
        title="Exclamation marks",
        help="How loud the caption is.",
        source="the caption",
        needs=frozenset({"samples"}),
        made=(Column("exclamations", "Exclamation marks", "How loud.", type="int32"),),
        compute=lambda shard: {
            "exclamations": np.array(
                [text.count("!") for text in captions.of_shard(shard).to_pylist()]
            )
        },
    )
    scorer = score.prepare(Data([]), {})
    assert scorer(shard_of(0, ["sale!!", None, "a dog"]), "cpu")["exclamations"].tolist() == [
        2,
        0,
        0,
    ]


@pytest.mark.parametrize("name", NAMES)
def test_registered_ones_fill_the_declared_columns_and_report_every_sample(name):
    score, steps = SCORES[name], []
    shards = [shard_of(0, ["a dog on the beach", None]), shard_of(1, []), shard_of(2, ["ein Hund"])]
    scorer = score.prepare(Data(shards, advance=steps.append), {})
    declared = [column.name for column in score.columns({}, [])]
    for shard in shards:
        columns = scorer(shard, "cpu")
        assert sorted(columns) == sorted(declared)
        assert {len(values) for values in columns.values()} == {len(shard)}
    assert sum(steps) == 3 * score.passes({})
