import io
import json
import tarfile
from collections import Counter
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from PIL import Image

from curation.catalog.catalog import Catalog
from curation.images.location import ImageRef
from curation.pipeline.run import score_dataset
from curation.pipeline.targets import TargetSource
from curation.readers import Options, open_source
from tests import make
from tests.producers.downloads import NO_IMAGE, NOT_FOUND, REFUSED, Download

FAILED = Counter({NOT_FOUND: 21, REFUSED: 1, NO_IMAGE: 1})
EMPTY = Counter(["caption is empty"])


def read(source, **options):
    """The reader's name, the samples by their uid, and what was skipped."""
    reader = open_source(source, options=Options(**options))
    parts = [reader.read(shard) for shard in reader.shards()]
    samples = {row["uid"]: row for part in parts for row in part.samples.to_pylist()}
    return reader.name, samples, [one for part in parts for one in part.skipped]


def reasons(skipped):
    return Counter(one.reason for one in skipped)


def good(download):
    return [link for link in download.links if link.failure is None and link.caption.strip()]


def images(source, samples):
    return {uid: ImageRef.of(row).read(source) for uid, row in samples.items()}


def urls_and_captions(samples):
    return {uid: (row["url"], row["caption"]) for uid, row in samples.items()}


def expected(download, links):
    return {link.uid: (download.site.url(link), link.caption) for link in links}


def in_tars(folder):
    """What each tar holds, by key and extension."""
    held = {}
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            held |= {member.name: tar.extractfile(member).read() for member in tar}
    return held


def score(job, source, folder, **changes):
    changes = {"targets": (), "scores": ("clip_score",), "parameters": {}} | changes
    summary = score_dataset(replace(job, source=source, workspace=folder, **changes), make.QUIET)
    return summary, Catalog(folder / "catalog.duckdb")


@pytest.fixture(scope="module")
def parquet(download):
    return download.run("parquet", "parquet", resize_mode="no", skip_reencode=True)


def test_tars_hold_every_download_and_list_every_failure(download, untouched):
    name, samples, skipped = read(untouched)
    assert name == "webdataset"
    assert len(list(untouched.glob("*.tar"))) == 5
    assert urls_and_captions(samples) == expected(download, good(download))
    assert reasons(skipped) == FAILED + EMPTY
    assert not {"status", "error_message"} & next(iter(samples.values())).keys()


def test_images_are_those_in_the_tar_and_jpegs_those_that_were_served(download, untouched):
    _, samples, _ = read(untouched)
    read_images = images(untouched, samples)
    members = in_tars(untouched)
    assert read_images == {uid: members[f"{row['key']}.jpg"] for uid, row in samples.items()}
    served = {link.uid: link.served for link in good(download) if not link.path.endswith("png")}
    assert {uid: read_images[uid] for uid in served} == served
    (other,) = read_images.keys() - served.keys()
    assert Image.open(io.BytesIO(read_images[other])).format == "JPEG"


def test_exif_tags_are_kept(download, untouched):
    _, samples, _ = read(untouched)
    by_path = {link.path: samples[link.uid] for link in good(download)}
    assert json.loads(by_path["on-its-side.jpg"]["exif"])["Image Orientation"] == "Rotated 90 CW"


def test_a_datacomp_download_has_the_original_image_sizes(download, job, tmp_path):
    # As its download_upstream.py calls img2dataset, but for 128: it has 512, and ours are smaller.
    source = download.run(
        "datacomp",
        "webdataset",
        resize_mode="keep_ratio_largest",
        resize_only_if_bigger=True,
        image_size=128,
        bbox_col="face_bboxes",
        oom_shard_count=8,
    )
    name, samples, skipped = read(source)
    assert name == "webdataset"
    assert urls_and_captions(samples) == expected(download, good(download))
    assert reasons(skipped) == FAILED + EMPTY
    row = samples[make.uid(1)]
    assert (row["image_file"], row["key"]) == ("00000000.tar", "0000000001")
    assert json.loads(row["face_bboxes"]) == [[0.1, 0.1, 0.4, 0.4]]
    before = {link.uid: Image.open(io.BytesIO(link.served)).size for link in good(download)}
    for uid, row in samples.items():
        assert (row["original_width"], row["original_height"]) == before[uid]
        assert max(row["width"], row["height"]) == min(max(before[uid]), 128)
    _, catalog = score(job, source, tmp_path / "w", scores=("clip_score", "image_size"))
    rows = catalog.rows(range(len(catalog)))
    assert {r["uid"]: r["smaller_side"] for r in rows} == {u: min(s) for u, s in before.items()}


def test_a_download_without_captions_is_a_target(download, untouched, job, tmp_path):
    source = download.run("any", "webdataset", disable_all_reencoding=True, caption_col=None)
    _, samples, skipped = read(source, captions_required=False)
    served = {link.uid: link.served for link in download.links if link.served and not link.headers}
    page = next(link.uid for link in download.links if link.failure == NO_IMAGE)
    del served[page]
    assert images(source, samples) == served
    no_image = Counter(["not an image in a supported format"])
    assert reasons(skipped) == FAILED - Counter([NO_IMAGE]) + no_image
    target = TargetSource("any", source)
    scores = ("clip_score", "norm_sim")
    _, catalog = score(job, untouched, tmp_path / "w", targets=(target,), scores=scores)
    # The dataset's own images, but for the one that was made a JPEG.
    near = sorted(row["norm_sim_inf_any"] for row in catalog.rows(range(len(catalog))))
    assert near[1:] == pytest.approx([1] * (len(near) - 1), abs=1e-5)


def test_files_are_a_folder_and_their_tables_list_the_failures(download, files):
    name, samples, skipped = read(files)
    assert name == "folder"
    assert urls_and_captions(samples) == expected(download, good(download))
    assert reasons(skipped) == FAILED + EMPTY
    row = samples[make.uid(1)]
    assert (row["image_file"], row["key"]) == ("00000/0000001.jpg", "0000001")
    assert not {"status", "error_message"} & row.keys()
    assert images(files, samples)[make.uid(1)] == download.links[1].served


def test_in_shards_of_any_size_every_failure_is_listed_once(files):
    _, _, skipped = read(files)
    for size in (1, 7, 19):
        _, _, again = read(files, shard_size=size)
        assert sorted(one.where for one in again) == sorted(one.where for one in skipped)


def test_a_parquet_with_images_is_a_table_without_those_that_failed(download, parquet):
    name, samples, skipped = read(parquet)
    assert name == "table"
    assert urls_and_captions(samples) == expected(download, good(download))
    assert reasons(skipped) == FAILED + EMPTY
    assert not {"status", "error_message"} & next(iter(samples.values())).keys()
    stored = {}
    for path in parquet.glob("*.parquet"):
        stored |= {row["uid"]: row["jpg"] for row in pq.read_table(path).to_pylist()}
    read_images = images(parquet, samples)
    assert read_images == {uid: stored[uid] for uid in read_images}


def test_each_format_is_scored_and_the_scores_are_the_same(
    download, untouched, files, parquet, job, tmp_path
):
    scores = []
    for source in (untouched, files, parquet):
        summary, catalog = score(job, source, tmp_path / source.name)
        assert summary.samples == len(good(download))
        assert summary.skipped == (FAILED + EMPTY).total()
        rows = catalog.rows(range(len(catalog)))
        scores.append({row["uid"]: row["clip_score"] for row in rows})
    assert scores[0].keys() == {link.uid for link in good(download)}
    for other in scores[1:]:
        assert other == pytest.approx(scores[0], abs=1e-5)


def test_a_killed_download_is_scored_in_part_and_in_full_once_it_is_complete(
    download, job, tmp_path
):
    def is_time(folder):
        tar = folder / "00001.tar"
        return tar.is_file() and tar.stat().st_size > 30_000

    mine = Download(download.site, download.links[:40], tmp_path)
    whole = expected(mine, good(mine))
    options = {"resize_mode": "no", "skip_reencode": True}
    source = mine.killed("tars", "webdataset", is_time, **options)
    _, samples, skipped = read(source)
    assert (
        expected(mine, good(mine)[:18]).items() < urls_and_captions(samples).items() < whole.items()
    )
    served = {link.uid: link.served for link in mine.links}
    assert images(source, samples).items() <= served.items()
    ends = {one.where.split()[0]: one.reason for one in skipped if one.where.startswith("00001.")}
    assert ends["00001.tar"] == "tar is truncated"
    assert ends["00001.parquet"].startswith("table cannot be read: ")
    summary, _ = score(job, source, tmp_path / "w")
    assert summary.samples == len(samples)
    mine.run("tars", "webdataset", **options)
    assert urls_and_captions(read(source)[1]) == whole
    summary, catalog = score(job, source, tmp_path / "w")
    assert (summary.samples, len(catalog)) == (len(whole), len(whole))


def test_the_complete_files_of_a_killed_download_are_read(download, tmp_path):
    mine = Download(download.site, download.links[:40], tmp_path)
    source = mine.killed("files", "files", lambda d: len(list(d.glob("00001/*.json"))) > 9)
    name, samples, skipped = read(source)
    assert name == "folder"
    before, whole = (expected(mine, some) for some in (good(mine)[:18], good(mine)))
    assert before.items() < urls_and_captions(samples).items() < whole.items()
    reasons = [one.reason for one in skipped if one.where == "00001.parquet"]
    assert [reason.split(":")[0] for reason in reasons] == ["table cannot be read"]
