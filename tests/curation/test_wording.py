import math

import pytest

from curation import wording


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (wording.count(12345), "12,345"),
        (wording.plural(1, "sample"), "1 sample"),
        (wording.plural(0, "sample"), "0 samples"),
        (wording.plural(12345, "sample"), "12,345 samples"),
        (wording.share(1, 8), "12.5 %"),
        (wording.share(1, 0), "—"),
        (wording.top(12.4), "top 12 %"),
        (wording.top(9.96), "top 10 %"),
        (wording.top(0.26), "top 0.3 %"),
        (wording.top(1e-5), "top < 0.1 %"),
        (wording.top(100), "top 100 %"),
        (wording.score(-0.0412), "−0.041"),
        (wording.score(math.nan), "—"),
        (wording.score(None), "—"),
        (wording.duration(0.44), "0.4 s"),
        (wording.duration(59.4), "59 s"),
        (wording.duration(200), "3 min 20 s"),
        (wording.duration(7500), "2 h 05 min"),
        (wording.file_size(812), "812 B"),
        (wording.file_size(6500), "6.5 kB"),
        (wording.file_size(16_000_000), "16 MB"),
        (wording.file_size(3 * 10**12), "3 TB"),
    ],
)
def test_numbers_are_written_for_people(found, expected):
    assert found == expected


def test_a_place_below_here_is_named_from_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert wording.place(tmp_path / "a" / "b") == "a/b"
    assert wording.place("/elsewhere/b") == "/elsewhere/b"
    assert wording.place("s3://bucket/b") == "s3://bucket/b"


def test_settings_are_one_line():
    told = {"p": [float("inf"), 2.0], "temperature": 0.05248301817, "negatives": "pool"}
    assert wording.settings(told) == "p=inf and 2, temperature=0.052483, negatives=pool"
    assert wording.settings(None) == ""
