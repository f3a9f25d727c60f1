import io
import json
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from webdataset import ShardWriter, TarWriter

from curation.catalog.catalog import Catalog
from curation.cli import main
from curation.errors import CurationError
from curation.images import decode, thumbnails
from curation.images.location import ImageRef
from curation.readers import Options, open_source
from curation.storage.workspace import Workspace
from tests import make

JPEGS = [make.encoded(make.picture(seed)) for seed in range(6)]


def sample(number, **members):
    return {"__key__": f"{number:09d}", "jpg": JPEGS[number], "txt": f"pair {number}"} | members


def written(path, samples):
    """A tar written by the webdataset library."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with TarWriter(str(path)) as writer:
        for one in samples:
            writer.write(one)
    return path


def packed(path, members, format=tarfile.PAX_FORMAT, mode="w"):
    """A tar of (name, bytes), or of (name, header fields) for members without content."""
    with tarfile.open(path, mode, format=format) as tar:
        for name, held in members:
            info = tarfile.TarInfo(name)
            if isinstance(held, bytes):
                info.size = len(held)
                tar.addfile(info, io.BytesIO(held))
            else:
                for field, value in held.items():
                    setattr(info, field, value)
                tar.addfile(info)
    return path


def downloaded(folder, rows, name="00000", size=9):
    """One shard of img2dataset's output: tar, parquet with all rows, and stats."""
    records = []
    for number, row in enumerate(rows):
        record = {
            "caption": f"pair {number}",
            "url": f"http://a.example/{number}.jpg",
            "key": f"{number:0{size}d}",
            "status": "success",
            "error_message": None,
            "width": 40,
            "height": 30,
            "original_width": 400,
            "original_height": 300,
            "exif": "{}",
            "sha256": "f" * 64,
        }
        records.append(record | row)
    good = [r for r in records if r["status"] == "success"]
    written(
        folder / f"{name}.tar",
        [
            {
                "__key__": r["key"],
                "jpg": JPEGS[n],
                "txt": r["caption"],
                "json": json.dumps(r, indent=4),
            }
            for n, r in enumerate(good)
        ],
    )
    pq.write_table(pa.Table.from_pylist(records), folder / f"{name}.parquet")
    (folder / f"{name}_stats.json").write_text(json.dumps({"count": len(rows)}))
    return folder


def rows(result):
    return result.samples.to_pylist()


def captions(result):
    return {row["key"]: row["caption"] for row in rows(result)}


def reasons(result):
    return {s.where: s.reason for s in result.skipped}


def test_tars_of_the_webdataset_library_are_read_with_unchanged_images(tmp_path):
    with ShardWriter(str(tmp_path / "%05d.tar"), maxcount=4, verbose=False) as writer:
        for number in range(6):
            writer.write(sample(number, json={"stars": number, "tags": ["a"]}))
    reader = open_source(tmp_path)
    assert reader.name == "webdataset"
    parts = [rows(reader.read(shard)) for shard in reader.shards()]
    assert [len(part) for part in parts] == [4, 2]
    first = parts[1][0]
    assert (first["caption"], first["key"], first["stars"]) == ("pair 4", "000000004", 4)
    assert (first["image_file"], first["width"], first["height"]) == ("00001.tar", 40, 30)
    assert first["tags"] == '["a"]'
    assert [ImageRef.of(row).read(tmp_path) for part in parts for row in part] == JPEGS
    assert len({row["uid"] for part in parts for row in part}) == 6


def test_a_single_tar_has_the_same_samples_as_its_folder(tmp_path):
    tar = written(tmp_path / "00000.tar", [sample(0), sample(1)])
    assert rows(make.read(tar)) == rows(make.read(tmp_path))


def test_a_folder_with_tars_is_neither_a_folder_of_images_nor_a_table(tmp_path):
    downloaded(tmp_path, [{}])
    make.jpeg(tmp_path / "preview.jpg")
    assert open_source(tmp_path).name == "webdataset"
    assert open_source(tmp_path, "folder").name == "folder"


def test_tars_in_subfolders_are_ignored(tmp_path):
    make.jpeg(tmp_path / "1.jpg")
    written(tmp_path / "deep" / "00000.tar", [sample(0)])
    assert open_source(tmp_path).name == "folder"


def test_the_output_of_img2dataset_is_read_with_its_failed_downloads(tmp_path):
    failed = {"status": "failed_to_download", "error_message": "HTTP Error 404: Not Found"}
    resized = {"status": "failed_to_resize", "error_message": "Image decoding error"}
    odd = {"status": "failed_to_dream", "error_message": None}
    known = {"uid": make.uid(7)}
    result = make.read(downloaded(tmp_path, [known, failed, {}, resized, odd]))
    first, second = rows(result)
    assert (first["uid"], first["key"]) == (make.uid(7), "000000000")
    assert (first["original_width"], first["source_width"]) == (400, 40)
    assert not {"status", "error_message", "source_caption"} & first.keys()
    assert (second["caption"], second["key"]) == ("pair 2", "000000002")
    assert reasons(result) == {
        "00000.parquet row 1": "download failed: HTTP Error 404: Not Found",
        "00000.parquet row 3": "image could not be resized after the "
        "download: Image decoding error",
        "00000.parquet row 4": "not downloaded: failed_to_dream",
    }


def test_uid_caption_and_other_columns_come_from_parquet_without_json(tmp_path):
    written(tmp_path / "00000.tar", [{"__key__": "a", "jpg": JPEGS[0]}])
    table = {
        "key": ["a", "b"],
        "uid": [make.uid(3), make.uid(4)],
        "caption": ["from parquet", "x"],
        "stars": [5, 1],
    }
    pq.write_table(pa.table(table), tmp_path / "00000.parquet")
    result = make.read(tmp_path)
    (row,) = rows(result)
    assert (row["uid"], row["caption"], row["stars"]) == (make.uid(3), "from parquet", 5)
    assert reasons(result) == {"00000.parquet row 1": "not in the tar"}


def test_json_is_preferred_to_parquet(tmp_path):
    record = json.dumps({"stars": 2})
    written(tmp_path / "00000.tar", [sample(0, json=record)])
    table = {"key": ["000000000"], "stars": [1], "price": [9]}
    pq.write_table(pa.table(table), tmp_path / "00000.parquet")
    (row,) = rows(make.read(tmp_path))
    assert (row["stars"], row["price"]) == (2, 9)


def test_a_parquet_without_keys_is_refused(tmp_path):
    written(tmp_path / "00000.tar", [sample(0)])
    pq.write_table(pa.table({"url": ["a"]}), tmp_path / "00000.parquet")
    with pytest.raises(CurationError, match=r"00000\.parquet has no column 'key'.*move it"):
        make.read(tmp_path)


def test_an_unfinished_parquet_is_listed(tmp_path):
    written(tmp_path / "00000.tar", [sample(0)])
    (tmp_path / "00000.parquet").write_bytes(b"PAR1")
    result = make.read(tmp_path)
    assert len(rows(result)) == 1
    assert reasons(result)["00000.parquet"].startswith("table cannot be read: ")


def test_the_uid_of_a_pair_with_url_does_not_depend_on_key_and_tar(tmp_path):
    record = json.dumps({"url": "http://a.example/1.jpg"})
    one = written(tmp_path / "1" / "00000.tar", [sample(0, json=record)])
    two = written(tmp_path / "2" / "00007.tar", [sample(3, json=record, txt="pair 0")])
    other = written(tmp_path / "3" / "00000.tar", [sample(0, json=record, txt="another")])
    result = [rows(make.read(tar))[0]["uid"] for tar in (one, two, other)]
    assert result[0] == result[1] != result[2]


def test_columns_can_be_named(tmp_path):
    record = json.dumps({"title": "from title", "caption": "from json", "id": make.uid(9)})
    tar = written(
        tmp_path / "a.tar", [sample(0, json=record, **{"small.png": JPEGS[1]}), sample(1)]
    )
    picks = {"caption_column": "title", "uid_column": "id", "image_column": "small.png"}
    result = make.read(tar, **picks)
    (row,) = rows(result)
    assert (row["caption"], row["uid"]) == ("from title", make.uid(9))
    assert row["source_caption"] == "from json"
    assert ImageRef.of(row).read(tmp_path) == JPEGS[1]
    assert reasons(result) == {"a.tar 000000001": "no image: only jpg, txt"}
    skipped_reasons = reasons(make.read(tar, caption_column="title"))
    assert skipped_reasons == {"a.tar 000000001": "no caption: no 'title' in .json or .parquet"}
    skipped_reasons = reasons(make.read(tar, uid_column="id"))
    assert skipped_reasons == {"a.tar 000000001": "no uid: no 'id' in .json or .parquet"}


def test_unusable_samples_are_listed_with_their_reason(tmp_path):
    image = JPEGS[0]
    members = [
        ("good.jpg", image),
        ("good.json", b'{"caption": "a dog"}'),
        ("bare.jpg", image),
        ("null.jpg", image),
        ("null.json", b'{"caption": null}'),
        ("text.txt", b"a dog"),
        ("text.json", b"{}"),
        ("two.jpg", image),
        ("two.png", image),
        ("two.txt", b"a dog"),
        ("twice.jpg", image),
        ("twice.txt", b"a dog"),
        ("latin.jpg", image),
        ("latin.txt", b"caf\xe9"),
        ("blank.jpg", image),
        ("blank.txt", b" \n"),
        ("bad.jpg", image),
        ("bad.json", b"{"),
        ("list.jpg", image),
        ("list.json", b"[]"),
        ("half.jpg", image),
        ("half.json", rb'{"caption": "\ud800"}'),
        ("uid.jpg", image),
        ("uid.json", b'{"caption": "x", "uid": "xyz"}'),
        ("fake.png", b"not an image"),
        ("fake.txt", b"a dog"),
        ("link.jpg", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}),
        ("link.txt", b"a"),
        ("hard.jpg", {"type": tarfile.LNKTYPE, "linkname": "good.jpg"}),
        ("hard.txt", b"a"),
        ("twice.jpg", image),
        ("twice.txt", b"a dog"),
        ("caf\udce9.jpg", image),
        ("../up.jpg", image),
        ("../up.txt", b"a"),
        ("/full.jpg", image),
        ("a/../../b.jpg", image),
    ]
    result = make.read(packed(tmp_path / "a.tar", members, tarfile.GNU_FORMAT))
    assert captions(result) == {"good": "a dog"}
    several = "more than one image (choose one with --image-column): jpg, png"
    assert {where.removeprefix("a.tar "): reason for where, reason in reasons(result).items()} == {
        "bare": "no caption: none in .txt or .json",
        "null": "no caption: none in .txt or .json",
        "text": "no image: only txt, json",
        "two": several,
        "twice": "more than one sample has this key: 2 .jpg",
        "latin": "caption is not UTF-8",
        "blank": "caption is empty",
        "bad": ".json file is not usable: not valid JSON: "
        "Expecting property name enclosed in double quotes",
        "list": ".json file is not usable: not a JSON object",
        "half": ".json file is not usable: text is not UTF-8",
        "uid": "uid is not 32 hex digits: 'xyz'",
        "fake": "not an image in a supported format",
        "link": "not a regular file: link.jpg",
        "hard": "not a regular file: hard.jpg",
        "caf?": "member name is not UTF-8",
        "../up": "member name points outside the tar: ../up",
        "/full": "member name points outside the tar: /full",
        "a/../../b": "member name points outside the tar: a/../../b",
    }


def test_images_without_captions_are_read_if_captions_are_not_required(tmp_path):
    written(tmp_path / "a.tar", [{"__key__": "a", "jpg": JPEGS[0]}])
    assert captions(make.read(tmp_path, captions_required=False)) == {"a": ""}


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_and_non_ascii_names_are_read(tmp_path, format):
    keys = [f"{'long/' * 60}{'x' * 120}", "Straße/写真 1", "a.b/c"]
    members = [(f"{key}.JPG", JPEGS[n]) for n, key in enumerate(keys)]
    members += [(f"{key}.txt", f"über {n}".encode()) for n, key in enumerate(keys)]
    result = make.read(packed(tmp_path / "a.tar", members, format))
    assert captions(result) == {key: f"über {n}" for n, key in enumerate(keys)}
    assert [ImageRef.of(row).read(tmp_path) for row in rows(result)] == JPEGS[:3]


def test_other_members_are_ignored(tmp_path):
    members = [
        ("./", {"type": tarfile.DIRTYPE}),
        ("./a.jpg", JPEGS[0]),
        ("README", b""),
        ("./a.txt", b"a dog"),
        ("./._a.jpg", b"resource fork"),
        ("__info__/x.json", b"{}"),
    ]
    result = make.read(packed(tmp_path / "a.tar", members))
    assert (captions(result), reasons(result)) == ({"a": "a dog"}, {})


def test_members_of_a_sample_need_not_be_adjacent(tmp_path):
    members = [("a.jpg", JPEGS[0]), ("b.jpg", JPEGS[1]), ("a.txt", b"a dog"), ("b.txt", b"a cat")]
    assert captions(make.read(packed(tmp_path / "a.tar", members))) == {"a": "a dog", "b": "a cat"}


@pytest.mark.parametrize("cut", range(512, 8192, 331))
def test_samples_before_the_end_of_a_truncated_tar_are_read(tmp_path, cut):
    whole = packed(
        tmp_path / "a.tar",
        [(f"{n}.{e}", d) for n in range(3) for e, d in (("jpg", JPEGS[n]), ("txt", b"a dog"))],
        tarfile.USTAR_FORMAT,
    )
    with tarfile.open(whole) as tar:
        ends = [m.offset_data + m.size for m in tar if m.name.endswith(".txt")]
    whole.write_bytes(whole.read_bytes()[:cut])
    result = make.read(whole)
    kept = [str(n) for n, end in enumerate(ends) if end <= cut]
    assert list(captions(result)) == kept
    assert [ImageRef.of(row).read(tmp_path) for row in rows(result)] == JPEGS[: len(kept)]
    skipped_reasons = set(reasons(result).values())
    assert skipped_reasons & {"tar is truncated"} or cut > ends[-1] + 1024
    assert skipped_reasons <= {"tar is truncated", "no caption: none in .txt or .json"}


def test_every_lost_sample_of_a_truncated_tar_is_listed(tmp_path):
    downloaded(tmp_path, [{}, {}, {}])
    tar = tmp_path / "00000.tar"
    with tarfile.open(tar) as held:
        offset = held.getmember("000000001.jpg").offset_data
    tar.write_bytes(tar.read_bytes()[: offset + 9])
    result = make.read(tmp_path)
    assert list(captions(result)) == ["000000000"]
    assert reasons(result) == {
        "00000.tar 000000001": "tar is truncated",
        "00000.parquet row 2": "tar is truncated",
    }


@pytest.mark.parametrize("missing", [1, 400])
def test_a_last_member_that_lacks_a_few_bytes_is_truncated(tmp_path, missing):
    tar = packed(tmp_path / "a.tar", [("a.jpg", JPEGS[0]), ("a.txt", b"a dog" * 100)])
    with tarfile.open(tar) as opened:
        member = opened.getmember("a.txt")
    tar.write_bytes(tar.read_bytes()[: member.offset_data + member.size - missing])
    result = make.read(tar)
    assert reasons(result) == {"a.tar a": "tar is truncated"}


def test_a_damaged_tar_is_not_reported_as_truncated(tmp_path):
    tar = packed(tmp_path / "a.tar", [("a.jpg", JPEGS[0]), ("a.txt", b"a dog"), ("b.txt", b"x")])
    with tarfile.open(tar) as held:
        offset = held.getmember("b.txt").offset
    data = bytearray(tar.read_bytes())
    data[offset : offset + 8] = b"\xff" * 8
    tar.write_bytes(data)
    result = make.read(tar)
    assert captions(result) == {"a": "a dog"}
    assert reasons(result) == {"a.tar": f"tar is damaged: at byte {offset}"}


def test_a_member_with_a_negative_size_is_damage(tmp_path):
    members = [("a.jpg", JPEGS[0]), ("a.txt", b"a dog"), ("b.txt", b"x")]
    tar = packed(tmp_path / "a.tar", members, tarfile.GNU_FORMAT)
    with tarfile.open(tar) as opened:
        offset = opened.getmember("b.txt").offset
    data = bytearray(tar.read_bytes())
    header = data[offset : offset + 512]
    # In base 256, a first byte of 255 makes the number negative.
    header[124:136] = (-1024).to_bytes(12, "big", signed=True)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    data[offset : offset + 512] = header
    tar.write_bytes(data)
    result = make.read(tar)
    assert captions(result) == {"a": "a dog"}
    assert [reason.split(":")[0] for reason in reasons(result).values()] == ["tar is damaged"]


def test_hidden_tars_are_ignored(tmp_path):
    written(tmp_path / "a.tar", [sample(0)])
    written(tmp_path / ".b.tar", [sample(1)])
    assert [shard.path.name for shard in open_source(tmp_path).shards()] == ["a.tar"]
    assert open_source(tmp_path / "a.tar").name == "webdataset"
    with pytest.raises(CurationError, match="is not recognized"):
        open_source(tmp_path / ".b.tar")


def test_the_shard_size_does_not_change_the_shards_of_tars(tmp_path):
    written(tmp_path / "a.tar", [sample(0), sample(1)])
    one, other = (
        open_source(tmp_path, options=Options(shard_size=size)).shards() for size in (1, 100)
    )
    assert one == other


def test_an_image_column_may_be_given_with_its_dot(tmp_path):
    tar = written(tmp_path / "a.tar", [sample(0, **{"small.png": JPEGS[1]})])
    (row,) = rows(make.read(tar, image_column=".Small.png"))
    assert ImageRef.of(row).read(tmp_path) == JPEGS[1]


def test_two_dots_inside_a_name_do_not_point_outside_the_tar(tmp_path):
    members = [("a/..b/c.jpg", JPEGS[0]), ("a/..b/c.txt", b"a dog")]
    assert len(rows(make.read(packed(tmp_path / "a.tar", members)))) == 1


def test_a_caption_is_stripped_before_it_becomes_part_of_the_uid(tmp_path):
    record = json.dumps({"url": "http://a.example/1.jpg"})
    tars = [
        written(tmp_path / name / "a.tar", [sample(0, json=record, txt=text)])
        for name, text in (("1", "a dog"), ("2", " a dog\n"))
    ]
    one, other = (rows(make.read(tar))[0]["uid"] for tar in tars)
    assert one == other


def test_files_that_are_not_tars_are_listed(tmp_path):
    for name, data in (("0.tar", b""), ("1.tar", b"<html>not found</html>" * 99), ("2.tar", b"x")):
        (tmp_path / name).write_bytes(data)
    packed(tmp_path / "3.tar", [])
    reader = open_source(tmp_path)
    result = [reader.read(shard) for shard in reader.shards()]
    assert [reasons(part) for part in result] == [
        {"0.tar": "file is empty"},
        {"1.tar": "not a tar"},
        {"2.tar": "not a tar"},
        {},
    ]
    assert all(part.samples.num_rows == 0 for part in result)


@pytest.mark.parametrize("name", ["a.tar.gz", "a.tgz", "a.tar"])
def test_a_compressed_tar_is_refused(tmp_path, name):
    tar = packed(tmp_path / name, [("a.jpg", JPEGS[0])], mode="w:gz")
    with pytest.raises(
        CurationError, match=rf"{name} is compressed.*decompress it to a plain \.tar"
    ):
        make.read(tar)


def test_a_sparse_tar_is_refused(tmp_path):
    tar = packed(tmp_path / "a.tar", [("a.jpg", {"type": tarfile.GNUTYPE_SPARSE})])
    with pytest.raises(CurationError, match=r"a\.tar: a\.jpg is stored as a sparse file"):
        make.read(tar)


def test_a_linked_tar_is_read_only_inside_the_image_root(tmp_path):
    tar = written(tmp_path / "store" / "x.tar", [sample(0)])
    folder = tmp_path / "links"
    folder.mkdir()
    (folder / "00000.tar").symlink_to(tar)
    with pytest.raises(CurationError, match="outside the image root"):
        make.read(folder)
    (row,) = rows(make.read(folder, image_root=tmp_path))
    assert row["image_file"] == "links/00000.tar"
    assert ImageRef.of(row).read(tmp_path) == JPEGS[0]
    with pytest.raises(CurationError, match="is outside the image root"):
        make.read(folder, image_root=tmp_path / "store")


def test_a_shard_is_read_again_only_if_its_tar_or_parquet_changes(tmp_path):
    def marks(**options):
        return [s.fingerprint for s in open_source(tmp_path, options=Options(**options)).shards()]

    for number in range(2):
        written(tmp_path / f"{number}.tar", [sample(number)])
    before = marks()
    assert marks(shard_size=1) == before
    assert marks(caption_column="title") != before
    written(tmp_path / "1.tar", [sample(2), sample(3)])
    assert [old == new for old, new in zip(before, marks(), strict=True)] == [True, False]
    pq.write_table(pa.table({"key": ["x"]}), tmp_path / "0.parquet")
    assert marks()[0] != before[0]


def test_tars_are_scored_and_their_thumbnails_shown(tmp_path, model_folder, monkeypatch, capsys):
    failed = {"status": "failed_to_download", "error_message": "timed out"}
    source = tmp_path / "tars"
    downloaded(source, [{}, {}, failed])
    written(source / "00001.tar", [sample(2), sample(3)])
    downloaded(source, [failed], "00002")
    workspace = tmp_path / "w"
    command = ["score", source, "-w", workspace, "--model", model_folder, "--device", "cpu"]
    monkeypatch.setattr("sys.argv", ["curation", *map(str, command)])
    main.main()
    skipped_reasons = capsys.readouterr()
    assert "read as webdataset, 3 shards" in skipped_reasons.err
    assert "4 samples scored, 2 skipped" in skipped_reasons.out
    catalog = Catalog.of(Workspace.open(workspace))
    samples = catalog.rows(range(4))
    assert [ImageRef.of(row).read(source) for row in samples] == JPEGS[:4]
    assert all(row["clip_score"] is not None for row in samples)
    small = thumbnails.load(Workspace.open(workspace), source, samples)
    assert small == [decode.thumbnail(data, thumbnails.SIDE) for data in JPEGS[:4]]
