import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.errors import CurationError
from curation.readers import Options, open_source
from tests import make


def captions(result):
    return dict(
        zip(
            result.samples["image_file"].to_pylist(),
            result.samples["caption"].to_pylist(),
            strict=True,
        )
    )


def reasons(result):
    return {s.where: s.reason for s in result.skipped}


def test_metadata_csv_lists_the_samples(tmp_path):
    make.jpeg(tmp_path / "a" / "1.jpg")
    make.jpeg(tmp_path / "unlisted.jpg")
    (tmp_path / "metadata.csv").write_text("file_name,text\na/1.jpg,a dog\n")
    assert captions(make.read(tmp_path)) == {"a/1.jpg": "a dog"}


def test_metadata_jsonl_lists_the_samples(tmp_path):
    make.jpeg(tmp_path / "1.jpg")
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "1.jpg", "caption": "a dog"}\n')
    assert captions(make.read(tmp_path)) == {"1.jpg": "a dog"}


def test_captions_are_read_from_text_files(tmp_path):
    make.jpeg(tmp_path / "deep" / "1.JPG")
    (tmp_path / "deep" / "1.txt").write_text(" ein Hund über\n", encoding="utf-8")
    assert captions(make.read(tmp_path)) == {"deep/1.JPG": "ein Hund über"}


def test_captions_and_other_values_are_read_from_json_files(tmp_path):
    make.jpeg(tmp_path / "1.jpg")
    record = {"caption": "a dog", "uid": make.uid(7), "url": "u", "width": 9, "tags": ["a"]}
    (tmp_path / "1.json").write_text(json.dumps(record))
    (row,) = make.read(tmp_path).samples.to_pylist()
    assert (row["uid"], row["caption"], row["width"]) == (make.uid(7), "a dog", 40)
    assert (row["url"], row["source_width"], row["tags"]) == ("u", 9, '["a"]')


def test_a_text_file_is_preferred_to_json(tmp_path):
    make.jpeg(tmp_path / "1.jpg")
    (tmp_path / "1.json").write_text('{"caption": "from json", "stars": 3}')
    (tmp_path / "1.txt").write_text("from text")
    (row,) = make.read(tmp_path).samples.to_pylist()
    assert (row["caption"], row["stars"]) == ("from text", 3)


def test_unusable_samples_are_listed_with_their_reason(tmp_path):
    for number, name in enumerate(
        ("good", "bare", "latin", "badjson", "list", "null", "blank", "half", "badkey")
    ):
        make.jpeg(tmp_path / f"{name}.jpg", number)
    (tmp_path / "good.txt").write_text("a dog")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "badjson.json").write_text("{")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "null.json").write_text('{"caption": null}')
    (tmp_path / "blank.txt").write_text(" \n")
    (tmp_path / "half.json").write_text(r'{"caption": "\ud800"}')
    (tmp_path / "badkey.json").write_text('{"caption": "x", "uid": "xyz"}')
    (tmp_path / "fake.png").write_text("not an image")
    (tmp_path / "fake.txt").write_text("text")
    result = make.read(tmp_path)
    assert captions(result) == {"good.jpg": "a dog"}
    skipped_reasons = reasons(result)
    assert skipped_reasons.pop("bare.jpg") == "no caption: none in bare.txt or bare.json"
    assert skipped_reasons.pop("null.jpg") == "no caption: none in null.txt or null.json"
    assert skipped_reasons.pop("latin.jpg") == "caption is not UTF-8"
    assert skipped_reasons.pop("badjson.jpg").startswith(
        ".json file is not usable: badjson.json: not valid JSON"
    )
    assert (
        skipped_reasons.pop("list.jpg") == ".json file is not usable: list.json: not a JSON object"
    )
    assert (
        skipped_reasons.pop("half.jpg") == ".json file is not usable: half.json: text is not UTF-8"
    )
    assert skipped_reasons.pop("blank.jpg") == "caption is empty"
    assert skipped_reasons.pop("badkey.jpg") == "uid is not 32 hex digits: 'xyz'"
    assert skipped_reasons.pop("fake.png") == "not an image in a supported format"
    assert not skipped_reasons


def test_a_file_name_with_invalid_utf8_skips_one_image(tmp_path):
    make.jpeg(tmp_path / "good.jpg")
    (tmp_path / "good.txt").write_text("a dog")
    bad = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg")
    os.link(tmp_path / "good.jpg", bad)
    result = make.read(tmp_path)
    assert captions(result) == {"good.jpg": "a dog"}
    assert reasons(result) == {"caf?.jpg": "file name is not UTF-8"}


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    outside = make.jpeg(tmp_path / "outside.jpg")
    root = tmp_path / "root"
    make.jpeg(root / "in.jpg")
    (root / "out.jpg").symlink_to(outside)
    for name in ("in", "out"):
        (root / f"{name}.txt").write_text("a dog")
    result = make.read(root)
    assert list(captions(result)) == ["in.jpg"]
    assert "outside the image root" in reasons(result)["out.jpg"]


def test_failed_downloads_are_listed_from_the_table_of_a_folder(tmp_path):
    make.jpeg(tmp_path / "00000" / "000000000.jpg")
    (tmp_path / "00000" / "000000000.txt").write_text("a dog")
    rows = {
        "key": ["000000000", "000000001"],
        "status": ["success", "failed_to_download"],
        "error_message": [None, "HTTP Error 404: Not Found"],
    }
    pq.write_table(pa.table(rows), tmp_path / "00000.parquet")
    result = make.read(tmp_path)
    assert captions(result) == {"00000/000000000.jpg": "a dog"}
    assert reasons(result) == {"00000.parquet row 1": "download failed: HTTP Error 404: Not Found"}
    (tmp_path / "00000.parquet").write_bytes(b"PAR1")
    assert list(reasons(make.read(tmp_path))) == ["00000.parquet"]


def test_images_next_to_a_table_belong_to_the_table(tmp_path):
    make.pairs(tmp_path, [{}, {}])
    assert open_source(tmp_path).name == "table"
    (tmp_path / "000.txt").write_text("of its own")
    assert open_source(tmp_path).name == "folder"


def test_hidden_files_are_ignored(tmp_path):
    make.jpeg(tmp_path / "a.jpg")
    (tmp_path / "a.txt").write_text("a dog")
    (tmp_path / "._a.jpg").write_bytes(b"resource fork")
    result = make.read(tmp_path)
    assert (len(result.samples), len(result.skipped)) == (1, 0)


def test_images_without_captions_are_read_if_captions_are_not_required(tmp_path):
    make.jpeg(tmp_path / "a.jpg")
    assert captions(make.read(tmp_path, captions_required=False)) == {"a.jpg": ""}


def test_shards_cover_each_image_once(tmp_path):
    for number in range(5):
        make.jpeg(tmp_path / f"{number}.jpg", number)
        (tmp_path / f"{number}.txt").write_text("a dog")
    reader = open_source(tmp_path, options=Options(shard_size=2))
    parts = [reader.read(s).samples["image_file"].to_pylist() for s in reader.shards()]
    assert parts == [["0.jpg", "1.jpg"], ["2.jpg", "3.jpg"], ["4.jpg"]]


def prints(folder):
    return [s.fingerprint for s in open_source(folder, options=Options(shard_size=2)).shards()]


def test_a_changed_caption_changes_only_the_fingerprint_of_its_shard(tmp_path):
    for number in range(4):
        make.jpeg(tmp_path / f"{number}.jpg", number)
        (tmp_path / f"{number}.txt").write_text("a dog")
    before = prints(tmp_path)
    assert prints(tmp_path) == before
    (tmp_path / "3.txt").write_text("a cat, longer")
    after = prints(tmp_path)
    assert (after[0] == before[0], after[1] == before[1]) == (True, False)


def test_a_renamed_folder_changes_the_fingerprint(tmp_path):
    make.jpeg(tmp_path / "cats" / "1.jpg")
    (tmp_path / "cats" / "1.txt").write_text("a cat")
    before = prints(tmp_path)
    (tmp_path / "cats").rename(tmp_path / "dogs")
    assert prints(tmp_path) != before


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(CurationError, match="is empty: it should hold images or a table"):
        open_source(tmp_path)
    with pytest.raises(CurationError, match="holds no image and no metadata"):
        open_source(tmp_path, "folder").shards()


def test_a_folder_of_other_files_is_refused(tmp_path):
    (tmp_path / "notes.md").write_text("x")
    with pytest.raises(CurationError, match="is not recognized"):
        open_source(tmp_path)


def test_a_missing_source_is_refused(tmp_path):
    with pytest.raises(CurationError, match="nowhere does not exist"):
        open_source(tmp_path / "nowhere")


def test_a_file_is_not_a_folder(tmp_path):
    with pytest.raises(CurationError, match="is not a folder"):
        open_source(make.jpeg(tmp_path / "a.jpg"), "folder")
    with pytest.raises(CurationError, match="is not recognized"):
        open_source(tmp_path / "a.jpg")
