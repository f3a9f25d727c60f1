import math

import pytest

from curation import formatting


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (formatting.count(12345), "12,345"),
        (formatting.plural(1, "sample"), "1 sample"),
        (formatting.plural(0, "sample"), "0 samples"),
        (formatting.plural(12345, "sample"), "12,345 samples"),
        (formatting.share(1, 8), "12.5 %"),
        (formatting.share(1, 0), "—"),
        (formatting.top(12.4), "top 12 %"),
        (formatting.top(9.96), "top 10 %"),
        (formatting.top(0.26), "top 0.3 %"),
        (formatting.top(1e-5), "top < 0.1 %"),
        (formatting.top(100), "top 100 %"),
        (formatting.score(-0.0412), "−0.041"),
        (formatting.score(math.nan), "—"),
        (formatting.score(None), "—"),
        (formatting.duration(0.44), "0.4 s"),
        (formatting.duration(59.4), "59 s"),
        (formatting.duration(200), "3 min 20 s"),
        (formatting.duration(7500), "2 h 05 min"),
        (formatting.file_size(812), "812 B"),
        (formatting.file_size(6500), "6.5 kB"),
        (formatting.file_size(16_000_000), "16 MB"),
        (formatting.file_size(3 * 10**12), "3 TB"),
    ],
)
def test_numbers_are_written_for_people(found, expected):
    assert found == expected


def test_a_place_below_here_is_named_from_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert formatting.path(tmp_path / "a" / "b") == "a/b"
    assert formatting.path("/elsewhere/b") == "/elsewhere/b"
    assert formatting.path("s3://bucket/b") == "s3://bucket/b"


def test_settings_are_one_line():
    told = {"p": [float("inf"), 2.0], "temperature": 0.05248301817, "negatives": "pool"}
    assert formatting.settings(told) == "p=inf and 2, temperature=0.052483, negatives=pool"
    assert formatting.settings(None) == ""
