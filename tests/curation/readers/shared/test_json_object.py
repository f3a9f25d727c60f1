import codecs

import pytest

from curation.errors import CurationError
from curation.readers.shared.json_object import parse_object


@pytest.mark.parametrize(
    "data",
    [
        '{"a": "ü"}'.encode(),
        codecs.BOM_UTF8 + '{"a": "ü"}'.encode(),
        '{"a": "ü"}'.encode("utf-16"),
        rb'{"a": "\u00fc"}',
    ],
)
def test_an_object_is_read_in_any_encoding_of_json(data):
    assert parse_object(data) == {"a": "ü"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not valid JSON: Expecting value"),
        (b"{", "not valid JSON: Expecting property name enclosed in double quotes"),
        (b"{} {}", "not valid JSON: Extra data"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"a": "\xff"}', "text is not UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "text is not UTF-8"),
        (rb'{"a": [{"b": "\ud800"}]}', "text is not UTF-8"),
        (rb'{"\ud800": 1}', "text is not UTF-8"),
        (b'{"a": ' + b"[" * 100_000, "JSON is nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "number is too long to read"),
    ],
)
def test_everything_else_is_refused_with_a_reason(data, reason):
    with pytest.raises(CurationError) as caught:
        parse_object(data)
    assert str(caught.value) == reason
