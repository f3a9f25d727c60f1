"""Remote sources: fsspec's memory filesystem and a web server."""

import functools
import http.server
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fsspec.registry import known_implementations
from upath import UPath

from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.images import thumbnails
from curation.pipeline.run import score_dataset
from curation.pipeline.targets import TargetSource
from curation.readers import open_source
from curation.storage import locations
from curation.storage.workspace import Workspace
from tests import make
from tests.curation.readers import test_datacomp
from tests.curation.readers.webdataset.test_reader import downloaded


@pytest.fixture
def local(tmp_path):
    """A folder with one local source of each kind."""
    root = tmp_path / "served"
    make.pairs(root / "table", [{}, {}, {"file_name": "gone.jpg"}])
    for number in range(3):
        make.jpeg(root / "folder" / "sub dir" / f"{number}.jpg", number)
        (root / "folder" / "sub dir" / f"{number}.txt").write_text(f"caption {number}")
    downloaded(root / "tars", [{}, {}, {"status": "failed_to_download"}])
    downloaded(root / "tars", [{}, {}], name="00001")
    (root / "datacomp").mkdir()
    test_datacomp.write_pair(root / "datacomp" / ("0" * 32), 0)
    test_datacomp.write_pair(root / "datacomp" / ("1" * 32), 1, save=np.savez_compressed)
    (root / "classes.txt").write_text("a dog\na cat\n")
    return root


class Files(http.server.SimpleHTTPRequestHandler):
    """A file server that supports ranges as object stores do; Python's own does not."""

    knows_ranges = True
    asked: list[str]

    def do_GET(self):
        asked = self.headers.get("Range")
        self.asked.append(f"{self.path} {asked or ''}".strip())
        if not asked or not self.knows_ranges:
            return super().do_GET()
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            return super().do_GET()
        content = path.read_bytes()
        start, stop = asked.removeprefix("bytes=").split("-")
        part = content[int(start) : int(stop) + 1 if stop else None]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{stop}/{len(content)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)
        return None

    def end_headers(self):
        if self.knows_ranges:
            self.send_header("Accept-Ranges", "bytes")
        super().end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(params=["memory", "http", "http without ranges"])
def remote(request, local):
    """The same sources at a remote location; returns the URL of a name."""
    if request.param == "memory":
        fs = UPath("memory://").fs
        fs.put(str(local), "/remote", recursive=True)
        yield lambda name: f"memory://remote/{name}"
        fs.rm("/remote", recursive=True)
        return
    handler = type("Handler", (Files,), {"asked": [], "knows_ranges": request.param == "http"})
    serve = functools.partial(handler, directory=str(local))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield lambda name: f"http://127.0.0.1:{server.server_port}/{name}"
        server.shutdown()


def read(reader):
    result = [reader.read(shard) for shard in reader.shards()]
    samples = [row for part in result for row in part.samples.to_pylist()]
    return samples, [(s.where, s.reason) for part in result for s in part.skipped]


@pytest.mark.parametrize(
    "name", ["table", "table/pairs.jsonl", "folder", "tars", "tars/00001.tar", "datacomp"]
)
def test_a_remote_source_is_read_like_a_local_one(local, remote, name):
    local_reader, remote_reader = (
        open_source(local / name),
        open_source(locations.parse(remote(name))),
    )
    assert remote_reader.name == local_reader.name
    assert read(remote_reader) == read(local_reader)
    assert [s.fingerprint for s in remote_reader.shards()] == [
        s.fingerprint for s in remote_reader.shards()
    ]


@pytest.mark.parametrize("name", ["table", "folder", "tars"])
def test_remote_images_are_scored_and_shown(local, remote, name, model_folder, tmp_path, job):
    catalogs = []
    for source in (local / name, locations.parse(remote(name))):
        folder = tmp_path / f"work {len(catalogs)}"
        changed = replace(
            job,
            source=source,
            workspace=folder,
            targets=(),
            parameters={},
            scores=("clip_score",),
        )
        score_dataset(changed, make.QUIET)
        catalogs.append(Catalog.of(Workspace.open(folder)))
    local_catalog, remote_catalog = catalogs
    np.testing.assert_array_equal(
        remote_catalog.array("clip_score"), local_catalog.array("clip_score")
    )
    workspace, root = (
        Workspace(tmp_path / "work 1"),
        locations.parse(remote_catalog.dataset.image_root),
    )
    assert not locations.is_local(root)
    pictures = thumbnails.load(workspace, root, remote_catalog.rows(range(len(remote_catalog))))
    assert len(pictures) > 1
    assert all(pictures)


def test_ready_made_embeddings_are_downloaded_once(local, remote, tmp_path):
    source = locations.parse(remote("datacomp"))
    test_datacomp.score(source, tmp_path / "w", scores=("clip_score",))
    test_datacomp.score(local / "datacomp", tmp_path / "here", scores=("clip_score",))
    result = [Catalog.of(Workspace.open(tmp_path / n)).array("clip_score") for n in ("w", "here")]
    np.testing.assert_array_equal(*result)
    embeddings = Workspace(tmp_path / "w").embeddings("l14").path
    assert {f.name for f in embeddings.glob("*.npy")} == {
        "00000.image.npy",
        "00000.text.npy",
        "00001.image.npy",
        "00001.text.npy",
    }


def test_a_target_may_be_remote(remote, tmp_path, job, source):
    named = (
        TargetSource.parse(f"dogs={remote('classes.txt')}"),
        TargetSource.parse(f"few={remote('folder')}"),
    )
    parameters = {**job.parameters, "target_side": ("text",)}
    changed = replace(job, workspace=tmp_path / "w", targets=named, parameters=parameters)
    score_dataset(changed, make.QUIET)
    columns = Catalog.of(Workspace.open(tmp_path / "w")).columns
    assert {"norm_sim_inf_dogs_text", "norm_sim_inf_few_text"} <= set(columns)


def test_a_changed_remote_file_is_read_again(local, tmp_path, job):
    fs = UPath("memory://").fs
    try:
        for captions in (["a", "b"], ["a", "another"]):
            make.pairs(local / "table", [{"caption": c} for c in captions])
            fs.put(f"{local}/table/", "/changing/table", recursive=True)
            changed = replace(
                job,
                source=locations.parse("memory://changing/table/pairs.jsonl"),
                targets=(),
                workspace=tmp_path / "w",
                scores=("clip_score",),
                parameters={},
            )
            score_dataset(changed, make.QUIET)
        rows = Catalog.of(Workspace.open(tmp_path / "w")).rows(range(2))
        assert [row["caption"] for row in rows] == ["a", "another"]
    finally:
        fs.rm("/changing", recursive=True)


def test_a_missing_remote_source_is_named(remote):
    with pytest.raises(CurationError, match=r"nothing\.csv does not exist"):
        open_source(locations.parse(remote("nothing.csv")))


def test_a_server_that_does_not_answer_is_named():
    with pytest.raises(CurationError, match=r"127\.0\.0\.1:9/a\.csv cannot be reached"):
        open_source(locations.parse("http://127.0.0.1:9/a.csv"))


def test_any_range_of_a_file_can_be_read(local, remote):
    source = locations.parse(remote("table/pairs.jsonl"))
    whole = (local / "table" / "pairs.jsonl").read_bytes()
    with locations.open_file(source) as file:
        assert file.read() == whole
    assert locations.read_range(source) == whole
    assert locations.read_range(source, 3, 5) == whole[3:8]
    assert locations.read_range(source, 0, 5) == whole[:5]


@pytest.mark.parametrize("file", ["../table/000.jpg", "/etc/passwd", "a/../../x", "http://x/y.jpg"])
def test_a_path_outside_a_remote_root_is_refused(file):
    from curation.images.location import inside

    with pytest.raises(CurationError, match="outside the image root"):
        inside(locations.parse("memory://remote/folder"), file)


def test_a_protocol_without_its_package_says_what_to_install(monkeypatch):
    known = {"class": "no_such_package.Filesystem", "err": "Install no_such_package"}
    monkeypatch.setitem(known_implementations, "beyond", known)
    with pytest.raises(CurationError, match="Install no_such_package"):
        locations.parse("beyond://bucket/data")


def test_an_unknown_protocol_is_named():
    with pytest.raises(CurationError, match="'zzz' is not a protocol known"):
        locations.parse("zzz://bucket/data")


def test_a_file_url_is_a_local_path(tmp_path):
    assert locations.parse(f"file://{tmp_path}") == tmp_path
    assert locations.is_local(locations.parse("data/sample"))
