import pytest

from curation.errors import CurationError
from curation.selection import where
from tests import make

ROWS = [
    {"stars": 1, "price": 10.0, "caption": "a dog", "bad": True},
    {"stars": 2, "price": None, "caption": "it's a cat", "bad": False},
    {"stars": 3, "price": 30.0, "caption": 'a "quoted"; DROP TABLE samples', "bad": None},
    {"stars": None, "price": float("nan"), "caption": "über", "bad": False},
]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    values = [0.1, 0.2, None, 0.4]
    return make.catalog(tmp_path_factory.mktemp("where"), {"quality": values}, ROWS)[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("stars >= 2", [1, 2]),
        ("stars == 1 or stars == 2 and bad == False", [0, 1]),
        ("(stars == 1 or stars == 2) and bad == False", [1]),
        ("not stars == 1 and quality > 0", [1]),
        ("not (stars == 1 or bad == True)", [1]),
        ("stars + 1 * 2 == 3", [0]),
        ("(stars + 1) * 2 == 4", [0]),
        ("10 - stars - 1 == 8", [0]),
        ("stars / 2 < 1", [0]),
        ("-stars < -1", [1, 2]),
        ("stars < 1 -- 2", [0, 1]),
        ("1 < stars <= 3", [1, 2]),
        ("stars != 2", [0, 2]),
        ("1 < stars <= 2", [1]),
        ("2 <= stars <= 3", [1, 2]),
        ("1 <= stars < 3", [0, 1]),
        ("3 > stars >= 2", [1]),
        ("1 < stars < 3 > 2", [1]),
        ("max(width / height, height / width) <= 3", [0, 1, 2, 3]),
        ("max(stars, price) > 0", [0, 2]),
        ("min(price, stars) > 0", [0, 2]),
        ("min(stars, 2) == 2", [1, 2]),
        ("abs(stars - 2) == 1", [0, 2]),
        ("length(caption) == 5", [0]),
        ("bad", [0]),
        ("not bad", [1, 3]),
    ],
)
def test_conditions_bind_as_in_arithmetic(catalog, text, expected):
    assert _chosen(catalog, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('caption == "it\'s a cat"', [1]),
        ("caption == 'it\\'s a cat'", [1]),
        ("caption == 'a \"quoted\"; DROP TABLE samples'", [2]),
        ("caption == 'über'", [3]),
        ("caption == \"x' OR '1'='1\"", []),
        ("caption == '?'", []),
    ],
)
def test_text_with_quotes_is_a_value(catalog, text, expected):
    assert _chosen(catalog, text) == expected
    assert len(catalog) == 4


@pytest.mark.parametrize(
    "text",
    [
        "quality >= 0",
        "quality < 9",
        "quality != 5",
        "not quality > 5",
        "max(quality, 0) >= 0",
        "min(quality, 0) <= 0",
        "max(0, quality + 1, -1) > -9",
    ],
)
def test_a_missing_score_meets_no_condition(catalog, text):
    assert _chosen(catalog, text) == [0, 1, 3]


def test_nan_of_the_source_is_missing_too(catalog):
    assert _chosen(catalog, "price > 5") == [0, 2]


@pytest.mark.parametrize(
    "text",
    [
        "stars > 1; DROP TABLE samples",
        "stars > 1) OR (1 == 1",
        "stars > (SELECT 1)",
        "(SELECT count(*) FROM samples) > 1",
        "stars > 1 /* */",
        "stars.real > 1",
        "stars.__class__ == 1",
        "__import__('os').system('true') == 0",
        "read_text('secret') == ''",
        "getenv('HOME') == ''",
        "length.__call__(caption) == 1",
        "[x for x in (1, 2)] == 1",
        "any(x > 1 for x in (1,))",
        "(lambda: 1)() == 1",
        "stars in (1, 2)",
        "stars is 1",
        "stars if bad else 1",
        "stars := 1",
        "f'{stars}' == '1'",
        "b'a' == caption",
        "stars[0] > 1",
        "{1: 2} == 1",
        "max(*stars) > 1",
        "max(key=stars) > 1",
        "max() > 1",
        "stars ** 99 > 1",
        "stars % 2 == 0",
        "stars & 1 == 1",
        "stars > None",
        "stars > 1j",
        "await stars",
        "",
        "stars >",
        "'unfinished",
        "stars = 1",
        "stars + 1",
        "-stars",
        "'text'",
        "1",
    ],
)
def test_what_is_not_a_condition_is_refused(catalog, text):
    with pytest.raises(CurationError, match="where"):
        where.parse(text, catalog.columns)


@pytest.mark.parametrize(
    "text",
    ["(" * 2000 + "1" + ")" * 2000, "not " * 5000 + "bad", "1+" * 20000 + "1 > 0", "stars > 1\0"],
)
def test_what_would_exhaust_the_parser_is_refused(catalog, text):
    with pytest.raises(CurationError, match="where") as raised:
        where.parse(text, catalog.columns)
    assert "SELECT" not in str(raised.value)


def test_a_single_equals_sign_gets_a_hint(catalog):
    with pytest.raises(CurationError, match="compare with =="):
        where.parse("stars = 1", catalog.columns)


def test_an_unknown_column_is_named_with_the_existing_ones(catalog):
    with pytest.raises(CurationError, match=r"no column 'starz'; there are .*stars"):
        where.parse("starz > 1", catalog.columns)


@pytest.mark.parametrize("text", ["caption > 5", "abs(caption) > 1", "bad > 'x'"])
def test_a_comparison_that_makes_no_sense_is_a_message(catalog, text):
    with pytest.raises(CurationError, match="where: the condition does not fit"):
        _chosen(catalog, text)


@pytest.mark.parametrize("text", ["caption", "not caption", "bad or caption", "stars"])
def test_only_what_is_true_or_false_is_a_condition(catalog, text):
    with pytest.raises(CurationError, match="is not true or false"):
        _chosen(catalog, text)


def test_a_message_never_holds_a_caption(catalog):
    with pytest.raises(CurationError) as error:
        _chosen(catalog, "caption > 5")
    captions = [row["caption"] for row in catalog.rows(range(len(catalog)))]
    assert not any(caption in str(error.value) for caption in captions)


@pytest.fixture(scope="module")
def decimals(tmp_path_factory):
    """Scores whose float32 values are slightly more, or less, than the decimals."""
    values = [0.1, 0.7, -0.1, -0.7]
    return make.catalog(tmp_path_factory.mktemp("decimals"), {"q": values})[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("q == 0.1", [0]),
        ("0.7 == q", [1]),
        ("q == -0.1", [2]),
        ("-0.7 == q", [3]),
        ("q <= -0.7 or q >= 0.7", [1, 3]),
        ("0.1 <= q <= 0.1", [0]),
        ("0.7 <= q <= 0.7", [1]),
        ("q > 0.1", [1]),
        ("q < 0.7 and q > 0", [0]),
    ],
)
def test_a_number_is_rounded_to_float32_where_it_is_compared_with_a_score(decimals, text, expected):
    assert _chosen(decimals, text) == expected


def test_every_value_is_a_parameter_and_no_part_of_the_sql(catalog):
    condition = where.parse("caption == 'secret' and stars > 42", catalog.columns)
    assert "secret" not in condition.sql
    assert "42" not in condition.sql
    assert condition.parameters == ("secret", 42)


def _chosen(catalog, text):
    condition = where.parse(text, catalog.columns)
    return make.chosen(catalog, catalog.where(condition.sql, condition.parameters))
