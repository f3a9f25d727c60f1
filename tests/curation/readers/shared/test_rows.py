"""Rows of CSV and JSONL that are easily misread."""

import json

import pytest

from curation.errors import CurationError
from curation.readers import Options, open_source
from tests import make
from tests.curation.readers.test_table import rows, skipped_rows, write
from tests.curation.readers.webdataset.test_reader import packed

TOO_LONG = b"9" * 5000


@pytest.fixture
def folder(tmp_path):
    for number in range(3):
        make.jpeg(tmp_path / f"{number}.jpg", number)
    return tmp_path


def column(folder, *entries):
    """The values read from a CSV column with these entries."""
    lines = [f'{n % 3}.jpg,pair {n},"{entry}"' for n, entry in enumerate(entries)]
    result = make.read(write(folder / "a.csv", "\n".join(["image,text,x", *lines])))
    return [row["x"] for row in rows(result)]


def test_rows_swallowed_by_an_unclosed_quote_are_listed(folder):
    lines = ["image,text", "0.jpg,a", '1.jpg,"oops', '2.jpg,"c"', "2.jpg,d", '1.jpg,"to the end']
    result = make.read(write(folder / "a.csv", "\n".join(lines) + "\n0.jpg,e\n"))
    assert [(r["image_file"], r["caption"]) for r in rows(result)] == [
        ("0.jpg", "a"),
        ("2.jpg", "d"),
    ]
    wheres, reasons = zip(*skipped_rows(result), strict=True)
    assert wheres == ("a.csv lines 3 to 4", "a.csv lines 6 to 7")
    assert all(reason.startswith("quote is not closed: ") for reason in reasons)


def test_a_caption_with_an_opening_quote_gets_no_other_image(folder):
    table = 'text\timage\n"Hello\t0.jpg\n"World\t1.jpg\n"a ""dog"",\nthere"\t2.jpg\n'
    result = make.read(write(folder / "a.tsv", table))
    assert [(r["image_file"], r["caption"]) for r in rows(result)] == [("2.jpg", 'a "dog",\nthere')]
    assert [where for where, _ in skipped_rows(result)] == ["a.tsv lines 2 to 3"]


def test_encoded_lone_surrogates_in_jsonl_are_skipped(folder):
    lines = [b'{"image": "0.jpg", "text": "x \xed\xa0\x80"}', '{"image": "1.jpg", "text": "한"}']
    content = lines[0] + b"\n" + lines[1].encode()
    result = make.read(write(folder / "a.jsonl", content))
    assert [row["caption"] for row in rows(result)] == ["한"]
    assert skipped_rows(result) == [("a.jsonl line 1", "text is not UTF-8")]


def test_a_number_that_is_too_long_skips_one_row(folder):
    good = b'{"image": "0.jpg", "text": "a"}'
    bad = b'{"image": "1.jpg", "text": "b", "x": ' + TOO_LONG + b"}"
    result = make.read(write(folder / "a.jsonl", good + b"\n" + bad))
    assert len(result.samples) == 1
    assert skipped_rows(result) == [("a.jsonl line 2", "number is too long to read")]


@pytest.mark.parametrize(
    "entries",
    [
        ("12345678901234567891", "1"),
        ("0x1F", "1"),
        ("9007199254740993", "0.5"),
        ("+007", "1"),
        ("1e400", "1"),
        ("true", "1"),
    ],
)
def test_entries_that_a_number_would_change_stay_text(folder, entries):
    assert column(folder, *entries) == list(entries)


def test_all_notations_of_numbers_become_numbers(folder):
    assert column(folder, "1e3", "1.50", "-2") == [1000.0, 1.5, -2.0]
    assert column(folder, "9007199254740993", "-1") == [2**53 + 1, -1]
    assert column(folder, "true", "False") == [True, False]


def test_whole_numbers_of_jsonl_keep_their_digits(folder):
    lines = [{"image": f"{n}.jpg", "text": "a", "x": x} for n, x in enumerate([2**64 - 1, -1])]
    result = make.read(write(folder / "a.jsonl", "\n".join(map(json.dumps, lines))))
    assert [row["x"] for row in rows(result)] == ["18446744073709551615", "-1"]


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_an_empty_file_among_others_is_ignored(folder, kind):
    parts = folder / "parts"
    parts.mkdir()
    good = {"jsonl": '{"image": "0.jpg", "text": "a"}', "csv": "image,text\n0.jpg,a"}[kind]
    write(parts / f"a.{kind}", "")
    write(parts / f"b.{kind}", good)
    write(parts / f"c.{kind}", "\n")
    reader = open_source(parts, options=Options(image_root=folder))
    result = [reader.read(shard) for shard in reader.shards()]
    assert [row["image_file"] for part in result for row in rows(part)] == ["0.jpg"]
    (parts / f"b.{kind}").unlink()
    with pytest.raises(CurationError, match=rf"a\.{kind} (has no usable row|is empty)"):
        open_source(parts).shards()


def test_a_file_with_only_bad_rows_lists_them(folder):
    parts = folder / "parts"
    parts.mkdir()
    write(parts / "a.jsonl", '{"image": "0.jpg", "text": "a"}')
    write(parts / "b.jsonl", "oops\n[]\n")
    reader = open_source(parts, options=Options(image_root=folder))
    result = [reader.read(shard) for shard in reader.shards()]
    assert [len(part.samples) for part in result] == [1, 0]
    assert [where for where, _ in skipped_rows(result[1])] == ["b.jsonl line 1", "b.jsonl line 2"]


def test_an_upper_case_uid_is_lowered(folder):
    uid = "ABCDEF" + "0" * 26
    (row,) = rows(make.read(write(folder / "a.csv", f"image,text,uid\n0.jpg,a,{uid}\n")))
    assert row["uid"] == uid.lower()


def test_a_number_that_is_too_long_skips_one_image_of_a_folder(folder):
    (folder / "0.json").write_bytes(b'{"caption": "a", "x": ' + TOO_LONG + b"}")
    (folder / "1.txt").write_text("b")
    result = make.read(folder, captions_required=True)
    assert [row["caption"] for row in rows(result)] == ["b"]
    assert (
        "0.jpg",
        ".json file is not usable: 0.json: number is too long to read",
    ) in skipped_rows(result)


def test_a_number_that_is_too_long_skips_one_sample_of_a_tar(tmp_path):
    members = [(f"{n}.jpg", make.encoded(make.picture(n))) for n in range(2)]
    records = [("0.json", b'{"caption": "a", "x": ' + TOO_LONG + b"}"), ("1.txt", b"b")]
    result = make.read(packed(tmp_path / "a.tar", [*members, *records]))
    assert [row["caption"] for row in rows(result)] == ["b"]
    assert skipped_rows(result) == [
        ("a.tar 0", ".json file is not usable: number is too long to read")
    ]


def test_a_cell_of_csv_may_be_long(folder):
    (entry,) = column(folder, "x" * 200_000)
    assert entry == "x" * 200_000


@pytest.mark.parametrize("byte", [b"\x80", b"\x8f", b"\xff"])
def test_every_invalid_byte_in_csv_skips_its_row(folder, byte):
    result = make.read(write(folder / "a.csv", b"image,text\n0.jpg,a\n1.jpg,b" + byte))
    assert [row["caption"] for row in rows(result)] == ["a"]
    assert skipped_rows(result) == [("a.csv line 3", "text is not UTF-8")]


def test_a_column_of_empty_entries_stays_empty_text(folder):
    assert column(folder, "", "") == ["", ""]
    assert column(folder, "", "1") == [None, 1]


def test_a_column_named_as_an_added_one_is_left_out_of_jsonl(folder):
    line = json.dumps({"image": "0.jpg", "text": "a", "__origin__": "x"})
    result = make.read(write(folder / "a.jsonl", line))
    (row,) = rows(result)
    assert not {"__origin__", "__origin___2"} & row.keys()
