import json
import re
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from curation.catalog.catalog import Catalog
from curation.catalog.dataset import ImageCounts
from curation.images import connect
from curation.images.location import ImageRef
from curation.models import image_loader
from curation.pipeline.run import score_dataset
from curation.pipeline.targets import TargetSource
from curation.progress import Progress
from curation.readers import Options
from curation.storage.workspace import Workspace
from tests import make
from tests.web import Page, pictures, serving

COUNT = 20
UNREACHABLE = "image could not be fetched"


@pytest.fixture
def site(monkeypatch):
    """Pictures; the fourth is gone, the sixth has become a page, the eighth is cut off."""
    monkeypatch.setenv(connect.PRIVATE, "1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    pages = pictures(COUNT)
    pages["/3.jpg"] = Page(b"gone", 404)
    pages["/5.jpg"] = Page(b"<html>Buy this domain</html>", headers={"Content-Type": "text/html"})
    pages["/7.jpg"] = Page(make.encoded(make.picture(7, (200, 200)))[:3000])
    with serving(pages) as found:
        yield found


@pytest.fixture
def web_job(job, site, tmp_path):
    """The work on a table of the site's pictures."""
    table = tmp_path / "pairs.csv"
    lines = [f"{site.address}/{number}.jpg,pair {number}" for number in range(COUNT)]
    table.write_text("\n".join(["url,caption", *lines]) + "\n")
    return replace(
        job,
        source=table,
        workspace=tmp_path / "w",
        targets=(),
        scores=("clip_score",),
        parameters={},
    )


def run(job, **changes):
    score_dataset(replace(job, **changes), make.QUIET)
    return Catalog(job.workspace / "catalog.duckdb")


def by_reason(catalog):
    return {row["reason"]: row["samples"] for row in catalog.skipped_by_reason()}


def paths(site):
    asked = sorted(site.asked)
    site.asked.clear()
    return asked


def test_images_on_the_web_are_fetched_once_and_scored(web_job, site):
    catalog = run(web_job)
    assert paths(site) == sorted(f"/{n}.jpg" for n in range(COUNT))
    assert len(catalog) == COUNT - 3
    assert np.isfinite(catalog.array("clip_score")).all()
    first = catalog.rows([0])[0]
    assert (first["url"], first["image_file"]) == (f"{site.address}/0.jpg", None)
    # Nobody looked at it when the table was read.
    assert (first["width"], first["height"]) == (None, None)


def test_they_are_embedded_as_the_same_images_in_files(web_job, tmp_path):
    on_the_web = run(web_job)
    rows = [{"caption": f"pair {number}"} for number in range(COUNT)]
    table = make.pairs(tmp_path / "files", rows)
    in_files = run(replace(web_job, source=table, workspace=tmp_path / "files" / "w"))

    def scores(catalog):
        captions = [row["caption"] for row in catalog.rows(range(len(catalog)))]
        return dict(zip(captions, catalog.array("clip_score").tolist(), strict=True))

    expected = scores(in_files)
    for caption, score in scores(on_the_web).items():
        assert score == pytest.approx(expected[caption], abs=1e-5)


def test_what_could_not_be_fetched_is_listed_with_its_address_and_reason(web_job, site):
    catalog = run(web_job)
    assert by_reason(catalog) == {UNREACHABLE: 2, "image cannot be decoded": 1}
    told = {row["where"]: row["reason"] for row in catalog.skipped()}
    gone, page = f"{site.address}/3.jpg", f"{site.address}/5.jpg"
    assert told[gone] == f"{UNREACHABLE}: HTTP 404 Not Found: {gone}"
    assert (
        told[page] == f"{UNREACHABLE}: the response is a page (HTML or XML), not an image: {page}"
    )
    assert {row["stage"] for row in catalog.skipped()} == {"embed"}


def test_the_next_run_asks_for_what_was_lacking_and_for_nothing_else(web_job, site):
    first = run(web_job)
    before = {row["caption"]: row["clip_score"] for row in first.rows(range(len(first)))}
    paths(site)
    site.pages["/3.jpg"] = pictures(4)["/3.jpg"]
    second = run(web_job)
    assert paths(site) == ["/3.jpg", "/5.jpg", "/7.jpg"]
    assert len(second) == COUNT - 2
    assert by_reason(second) == {UNREACHABLE: 1, "image cannot be decoded": 1}
    after = {row["caption"]: row["clip_score"] for row in second.rows(range(len(second)))}
    assert np.isfinite(after.pop("pair 3"))
    assert after == before
    site.pages |= pictures(COUNT)
    assert len(run(web_job)) == COUNT
    paths(site)
    # Now that nothing is lacking, nothing is asked.
    assert len(run(web_job)) == COUNT
    assert paths(site) == []


def test_what_does_not_decode_alone_is_not_asked_for_again(web_job, site):
    site.pages |= {name: page for name, page in pictures(COUNT).items() if name != "/7.jpg"}
    run(web_job)
    paths(site)
    run(web_job)
    assert paths(site) == []


def test_embeddings_that_are_damaged_are_made_anew(web_job, site):
    run(web_job)
    paths(site)
    folder = Workspace.open(web_job.workspace).embeddings("tiny")
    folder.file(0, "image.npy").write_bytes(b"damaged")
    run(web_job)
    assert len(paths(site)) == COUNT


def test_a_run_stopped_while_it_tries_again_keeps_what_was_there(web_job, site, monkeypatch):
    run(web_job)
    paths(site)

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(image_loader, "model_input", stop)
        run(web_job)
    run(web_job)
    assert paths(site) == ["/3.jpg", "/5.jpg", "/7.jpg"]


def test_how_many_images_are_to_be_fetched_is_said_before(web_job, site, capsys):
    def told():
        score_dataset(replace(web_job, options=Options(shard_size=6)), Progress())
        return re.findall(r"Web: (.*) to fetch", capsys.readouterr().err)

    assert told() == [f"{COUNT} images"]
    # Two of the first shard; in the second lies one that was fetched but does not decode.
    site.pages["/3.jpg"] = pictures(4)["/3.jpg"]
    assert told() == ["2 images"]
    site.pages |= pictures(COUNT)
    assert told() == ["1 image"]
    assert told() == []


def test_images_in_files_and_on_the_web_go_together(web_job, site, tmp_path):
    folder = tmp_path / "mixed"
    rows = [{"caption": "in a file"}, {"caption": "on the web"}]
    make.pairs(folder, [*rows, {}, {}])
    table = folder / "pairs.jsonl"
    lines = [json.loads(line) for line in table.read_text().splitlines()]
    lines[1]["file_name"] = f"{site.address}/1.jpg"
    table.write_text("\n".join(map(json.dumps, lines)))
    catalog = run(replace(web_job, source=table))
    assert len(catalog) == 4
    assert site.asked == ["/1.jpg"]
    assert catalog.images == ImageCounts(in_files=3, with_url=1, only_url=1)


def test_a_target_may_be_on_the_web(job, scored_copy, web_job):
    target = TargetSource("web", web_job.source)
    score_dataset(replace(job, workspace=scored_copy.path, targets=(target,)), make.QUIET)
    assert np.isfinite(Catalog.of(scored_copy).array("norm_sim_inf_web")).all()


def test_many_are_fetched_at_once_and_one_that_is_slow_does_not_hold_up_the_others():
    lock, now, most, done = threading.Lock(), [0], [0], []

    def prepare(ref):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(1 if ref.url == "0" else 0.01)
        with lock:
            now[0] -= 1
            done.append(ref.url)
        return np.full((2, 2, 3), int(ref.url) % 256, dtype=np.uint8)

    refs = [ImageRef(None, url=str(number)) for number in range(400)]
    seen = []
    for batch in image_loader.batches(
        refs, prepare, (2, 2), size=16, workers=image_loader.FETCHERS, fetched=True
    ):
        if not seen:
            # The first was waited for; the others came meanwhile.
            assert len(done) > 200
        seen += batch.pixels[:, 0, 0, 0].tolist()
    assert seen == [number % 256 for number in range(400)]
    assert 8 < most[0] <= image_loader.FETCHERS


def test_those_who_fetch_take_turns_to_decode(tiny, site):
    turns = []

    class Turn:
        def __enter__(self):
            turns.append(len(site.asked))

        def __exit__(self, *_):
            turns.append("done")

    ref = ImageRef(None, url=f"{site.address}/0.jpg")
    image_loader.model_input(None, tiny, ref, turn=Turn())
    assert turns == [1, "done"]
