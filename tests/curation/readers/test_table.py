import datetime
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.errors import CurationError
from curation.readers import Options, open_source
from curation.readers.base import SAMPLE_COLUMNS
from tests import make


@pytest.fixture
def folder(tmp_path):
    for number in range(3):
        make.jpeg(tmp_path / f"{number}.jpg", number)
    return tmp_path


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows(result):
    return result.samples.to_pylist()


def skipped_rows(result):
    return [(s.where, s.reason) for s in result.skipped]


def test_csv_tsv_jsonl_and_parquet_hold_the_same_samples(folder):
    records = [
        {"image": f"{n}.jpg", "caption": f'a\t"dog",\n{n}', "stars": n, "score": n / 2}
        for n in range(3)
    ]
    pq.write_table(pa.Table.from_pylist(records), folder / "a.parquet")
    write(folder / "a.jsonl", "\n".join(map(json.dumps, records)))
    for name, separator in (("a.csv", ","), ("a.tsv", "\t")):
        lines = [separator.join(records[0])]
        lines += [
            separator.join(
                [
                    r["image"],
                    '"' + r["caption"].replace('"', '""') + '"',
                    str(r["stars"]),
                    str(r["score"]),
                ]
            )
            for r in records
        ]
        write(folder / name, "\n".join(lines) + "\n")
    tables = [make.read(folder / f"a.{kind}") for kind in ("csv", "tsv", "jsonl", "parquet")]
    assert rows(tables[0])[1]["caption"] == 'a\t"dog",\n1'
    assert (rows(tables[0])[1]["stars"], rows(tables[0])[1]["score"]) == (1, 0.5)
    for other in tables[1:]:
        assert rows(other) == rows(tables[0])


@pytest.mark.parametrize(
    "header",
    [
        "file_name,caption",
        "image_path,text",
        "Image,Caption",
        "path,alt_text",
        "filepath,title",
        "filename,description",
    ],
)
def test_usual_column_names_are_recognized(folder, header):
    result = make.read(write(folder / "a.csv", f"{header}\n0.jpg,a dog\n"))
    assert [(r["image_file"], r["caption"]) for r in rows(result)] == [("0.jpg", "a dog")]


def test_columns_can_be_named(folder):
    table = write(folder / "a.csv", f"x,y,z,caption\n0.jpg,a dog,{make.uid(3)},other\n")
    (row,) = rows(make.read(table, image_column="x", caption_column="y", uid_column="z"))
    assert (row["uid"], row["caption"]) == (make.uid(3), "a dog")
    assert row["source_caption"] == "other"


def test_an_upper_case_uid_column_is_recognized(folder):
    (row,) = rows(make.read(write(folder / "a.csv", f"image,text,UID\n0.jpg,a,{make.uid(3)}\n")))
    assert row["uid"] == make.uid(3)


def test_missing_uids_are_made_from_image_and_caption(folder):
    table = write(folder / "a.csv", "image,text\n0.jpg,a\n1.jpg,a\n0.jpg,b\n0.jpg,a\n")
    uids = [r["uid"] for r in rows(make.read(table))]
    assert uids[0] == uids[3]
    assert len(set(uids)) == 3
    assert [r["uid"] for r in rows(make.read(table))] == uids


def test_images_can_be_in_another_folder(folder, tmp_path_factory):
    table = write(tmp_path_factory.mktemp("tables") / "a.csv", "image,text\n0.jpg,a dog\n")
    assert len(make.read(table).skipped) == 1
    assert len(make.read(table, image_root=folder).samples) == 1


def test_a_folder_of_tables_is_one_dataset(folder):
    parts = folder / "parts"
    parts.mkdir()
    write(parts / "b.CSV", "image,text\n1.jpg,b\n")
    write(parts / "a.csv", "image,text\n0.jpg,a\n")
    reader = open_source(parts, options=Options(image_root=folder))
    files = [rows(reader.read(s))[0]["image_file"] for s in reader.shards()]
    assert files == ["0.jpg", "1.jpg"]


def test_broken_rows_of_csv_are_listed_with_file_line_and_reason(folder):
    (folder / "notes.txt").write_text("x")
    lines = [
        b"image,text,uid",
        b"0.jpg,a dog,",
        b"1.jpg,caf\xe9,",
        b"1.jpg",
        b"1.jpg,a,b,c",
        b"",
        b"none.jpg,a cat,",
        b"notes.txt,a cat,",
        b"1.jpg, ,",
        b",a cat,",
        b"../secret.jpg,a cat,",
        b"/etc/passwd,a cat,",
        b"1.jpg,a cat,XYZ",
        b"2.jpg,a bird,00000000000000000000000000000001",
    ]
    table = write(folder / "a.csv", b"\n".join(lines))
    result = make.read(table)
    # An empty uid counts as missing, so line 2 gets a new one.
    assert [r["image_file"] for r in rows(result)] == ["0.jpg", "2.jpg"]
    reasons = dict(skipped_rows(result))
    assert reasons["a.csv line 3"] == "text is not UTF-8"
    assert reasons["a.csv line 4"] == "wrong number of fields: 1, but the header has 3"
    assert reasons["a.csv line 5"] == "wrong number of fields: 4, but the header has 3"
    assert reasons["a.csv line 7"] == "file does not exist: none.jpg"
    assert reasons["a.csv line 8"] == "not an image in a supported format"
    assert reasons["a.csv line 9"] == "caption is empty"
    assert reasons["a.csv line 10"] == "no image"
    assert "outside the image root" in reasons["a.csv line 11"]
    assert "outside the image root" in reasons["a.csv line 12"]
    assert reasons["a.csv line 13"] == "uid is not 32 hex digits: 'XYZ'"
    assert len(reasons) == 10


def test_broken_rows_of_jsonl_are_listed_with_file_line_and_reason(folder):
    lines = [
        b'{"image": "0.jpg", "text": "a dog", "n": 1}',
        b"{oops",
        b"[1, 2]",
        b'{"image": "1.jpg", "text": "caf\xe9"}',
        rb'{"image": "1.jpg", "text": "half \ud83d"}',
        b"[" * 100_000,
        b"",
        b'{"image": "a\\u0000b.jpg", "text": "a cat"}',
        b'{"image": null, "text": "a cat"}',
        b'{"image": "1.jpg"}',
        b'{"image": "2.jpg", "text": "\\ud83d\\ude00", "n": 36893488147419103232}',
    ]
    result = make.read(write(folder / "a.jsonl", b"\n".join(lines)))
    assert [r["caption"] for r in rows(result)] == ["a dog", "😀"]
    reasons = dict(skipped_rows(result))
    assert reasons["a.jsonl line 2"].startswith("not valid JSON")
    assert reasons["a.jsonl line 3"] == "not a JSON object"
    assert reasons["a.jsonl line 4"] == "text is not UTF-8"
    assert reasons["a.jsonl line 5"] == "text is not UTF-8"
    assert reasons["a.jsonl line 6"] == "JSON is nested too deeply"
    assert reasons["a.jsonl line 8"].startswith("not a valid file name: ")
    assert reasons["a.jsonl line 9"] == "no image"
    assert reasons["a.jsonl line 10"] == "caption is empty"
    assert len(reasons) == 8


def test_broken_rows_of_parquet_are_listed_with_file_and_row(folder):
    table = pa.table({"image": ["0.jpg", None, "none.jpg"], "text": ["a", "b", "c"]})
    pq.write_table(table, folder / "a.parquet")
    result = make.read(folder / "a.parquet")
    assert len(result.samples) == 1
    assert skipped_rows(result) == [
        ("a.parquet row 1", "no image"),
        ("a.parquet row 2", "file does not exist: none.jpg"),
    ]


def test_a_byte_order_mark_is_not_part_of_a_column_name(folder):
    assert (
        len(make.read(write(folder / "a.csv", b"\xef\xbb\xbfimage,text\n0.jpg,a\n")).samples) == 1
    )


def test_unusual_column_names_become_unique(folder):
    header = b'image,text,,width,Width,A,a,__origin__,"q""x",caf\xe9'
    table = write(folder / "a.csv", header + b"\n0.jpg,a,1,2,3,4,5,6,7,8\n")
    (row,) = rows(make.read(table))
    values = list(row.values())[len(SAMPLE_COLUMNS) :]
    assert sorted(values) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert (row["width"], row["source_width"], row["A"], row['q"x']) == (40, 2, 4, 7)
    assert len({name.lower() for name in row}) == len(row)


def test_repeated_columns_in_a_header_are_kept(folder):
    (row,) = rows(make.read(write(folder / "a.csv", "image,text,n,n\n0.jpg,a,1,2\n")))
    assert (row["n"], row["n_2"]) == (1, 2)


def test_text_becomes_numbers_only_if_every_entry_is_one(folder):
    table = write(
        folder / "a.csv",
        "image,text,whole,real,flag,mixed,none\n0.jpg,a,1,0.5,true,1,\n1.jpg,b,,2,false,x,\n",
    )
    first, second = rows(make.read(table))
    assert (first["whole"], first["real"], first["flag"]) == (1, 0.5, True)
    assert (first["mixed"], first["none"], second["whole"]) == ("1", "", None)


def test_nested_columns_become_json_text(folder):
    when = datetime.datetime(2020, 1, 2)
    nested = pa.array([{"b": b"\xff", "t": when}] * 2)
    table = pa.table(
        {
            "image": ["0.jpg", "1.jpg"],
            "text": ["a", "b"],
            "boxes": [[[1, 2]], []],
            "nested": nested,
            "when": [when] * 2,
        }
    )
    pq.write_table(table, folder / "a.parquet")
    row = rows(make.read(folder / "a.parquet"))[0]
    assert row["boxes"] == "[[1, 2]]"
    assert json.loads(row["nested"])["t"] == "2020-01-02 00:00:00"
    assert row["when"] == when


def test_values_of_mixed_types_become_text(folder):
    lines = [{"image": "0.jpg", "text": "a", "x": 1}, {"image": "1.jpg", "text": "b", "x": "y"}]
    result = make.read(write(folder / "a.jsonl", "\n".join(map(json.dumps, lines))))
    assert [r["x"] for r in rows(result)] == ["1", "y"]


def test_shards_split_a_table_and_broken_rows_are_listed_once(folder):
    table = write(folder / "a.csv", "image,text\n0.jpg,a\n1.jpg,b\n2.jpg,c\nbroken\n")
    reader = open_source(table, options=Options(shard_size=2))
    result = [reader.read(shard) for shard in reader.shards()]
    assert [len(f.samples) for f in result] == [2, 1]
    assert sum(len(f.skipped) for f in result) == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "is empty: its first line must name the columns"),
        ("a.csv", "x,text\n0.jpg,a\n", "no column named file_name, .*it has x, text: name one"),
        ("a.csv", "image,x\n0.jpg,a\n", "no column named caption, .*--caption-column"),
        ("a.jsonl", "", "has no usable row"),
        (
            "a.jsonl",
            "oops\n",
            "has no usable row; the first problem is in a.jsonl line 1: not valid JSON",
        ),
        ("a.parquet", "oops", "a.parquet cannot be read"),
    ],
)
def test_an_unusable_table_is_refused(folder, name, content, message):
    with pytest.raises(CurationError, match=message):
        open_source(write(folder / name, content)).shards()


def test_a_missing_named_column_is_refused(folder):
    table = write(folder / "a.csv", "image,text\n0.jpg,a\n")
    for option in ("image_column", "caption_column", "uid_column"):
        with pytest.raises(CurationError, match="no column 'nope'; it has image, text"):
            open_source(table, options=Options(**{option: "nope"})).shards()


def test_one_column_cannot_have_two_roles(folder):
    table = write(folder / "a.csv", "image,text\n0.jpg,a\n")
    with pytest.raises(CurationError, match="both the image and the caption"):
        open_source(table, options=Options(caption_column="image")).shards()
    with pytest.raises(CurationError, match="'text' is the caption column, not the uid"):
        open_source(table, options=Options(uid_column="text")).shards()
    with pytest.raises(CurationError, match="'image' is the image column, not the uid"):
        open_source(table, options=Options(uid_column="image")).shards()


def test_captions_that_are_not_required_are_read_if_there_are_any(folder):
    table = write(folder / "a.csv", "image,text\n0.jpg,a\n1.jpg,\n")
    result = make.read(table, captions_required=False)
    assert [row["caption"] for row in rows(result)] == ["a", ""]
    result = make.read(write(folder / "b.csv", "image\n0.jpg\n"), captions_required=False)
    assert [row["caption"] for row in rows(result)] == [""]


def test_captions_that_are_not_text_are_refused(folder):
    table = pa.table({"image": ["0.jpg"], "text": [b"\xff"]})
    pq.write_table(table, folder / "a.parquet")
    with pytest.raises(CurationError, match="the column 'text' is not text"):
        make.read(folder / "a.parquet")


def test_another_type_of_file_is_not_a_table(folder):
    with pytest.raises(CurationError, match=r"is not a table; expected .csv"):
        open_source(folder / "0.jpg", "table").shards()


def test_a_folder_without_tables_is_refused(tmp_path):
    with pytest.raises(CurationError, match="holds no CSV"):
        open_source(tmp_path, "table")
