from curation.cli import score
from curation.pipeline.run import Summary


def test_the_time_is_listed_by_stage_with_the_embedding_speed():
    seconds = {"read": 0.31, "decode": 4.1, "image encoder": 2.0, "in all": 9.04}
    summary = Summary(100, 0, (), seconds, embedded=1000, embedding_seconds=4.0, workers=2)
    assert score._time(summary) == (
        "Time: read 0.3 s, decode 4.1 s in parallel (2 workers), image encoder 2.0 s, "
        "in all 9.0 s; embedded 250 samples a second"
    )


def test_a_run_that_embedded_nothing_prints_no_speed():
    summary = Summary(100, 0, (), {"scores": 0.0, "in all": 0.1}, embedded=0)
    assert score._time(summary) == "Time: scores 0.0 s, in all 0.1 s"
