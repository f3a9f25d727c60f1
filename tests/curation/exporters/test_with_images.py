import json
import threading
import time
from dataclasses import replace

import pytest

from curation import uids
from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.exporters import with_images
from curation.exporters.base import ExportRequest, LeftOut
from curation.exporters.export import export
from curation.images.location import ImageRef
from curation.pipeline import publish
from curation.pipeline.read import read_shard
from curation.readers import open_source
from curation.selection.decisions import Decisions
from curation.selection.recipe import Recipe
from curation.selection.select import select
from curation.storage import locations
from curation.storage.workspace import Workspace, WorkspaceInfo, now
from tests import make
from tests.curation.exporters import read_back

EVERY_FORMAT = pytest.mark.parametrize("format", ["webdataset", "imagefolder", "huggingface"])


def request_for(catalog, columns=("uid",), recipe=None):
    selection = select(recipe or Recipe("all"), catalog)
    return ExportRequest(catalog, selection, columns, locations.parse(catalog.dataset.image_root))


def samples(catalog, **options):
    request = request_for(catalog, **options)
    return with_images.Samples(request, request.columns)


@EVERY_FORMAT
def test_a_missing_image_is_left_out_and_listed_in_the_manifest(world, tmp_path, format):
    exported = world.export(format, tmp_path)
    lost = LeftOut(make.uid(4), "file does not exist: 4.jpg")
    assert exported.left_out == (lost,)
    listed = json.loads(exported.manifest.read_text())["left_out"]
    assert listed == [{"of": "out", "uid": lost.uid, "reason": lost.reason}]


@EVERY_FORMAT
def test_if_no_image_can_be_read_the_error_has_the_first_reason(tmp_path, format):
    catalog = make.catalog(tmp_path, {"quality": [1.0, 0.5]})[1]
    for file in (tmp_path / "source").glob("*.jpg"):
        file.write_bytes(b"no picture any more")
    with pytest.raises(CurationError) as error:
        export(catalog, select(Recipe("all"), catalog), format, tmp_path / "new" / "out")
    assert str(error.value) == (
        "none of the 2 selected samples has an image that can be read; the first, "
        f"{make.uid(0)}: not an image in a supported format"
    )
    assert list((tmp_path / "new").iterdir()) == []


@EVERY_FORMAT
def test_a_sample_without_an_image_is_left_out(tmp_path, format, monkeypatch):
    catalog = make.catalog(tmp_path, {"quality": [1.0, 0.5]})[1]
    original = ImageRef.of
    is_first = {"000.jpg": None}
    monkeypatch.setattr(ImageRef, "of", lambda row: is_first.get(row["image_file"], original(row)))
    exported = export(catalog, select(Recipe("all"), catalog), format, tmp_path / "out")
    assert exported.left_out == (LeftOut(make.uid(0), "it has no image"),)
    assert read_back.uids_of(format, exported.path) == [make.uid(1)]


def test_an_address_that_does_not_answer_is_left_out(tmp_path):
    rows = [{}, {"file_name": "http://127.0.0.1:9/x.jpg"}]
    catalog = make.catalog(tmp_path, {"quality": [1.0, 0.5]}, rows)[1]
    exported = export(catalog, select(Recipe("all"), catalog), "imagefolder", tmp_path / "out")
    (lost,) = exported.left_out
    assert (lost.uid, lost.reason[:27]) == (make.uid(1), "image could not be fetched:")


def test_the_extension_is_that_of_the_format_whatever_the_file_is_called(tmp_path):
    formats = {
        "JPEG": "jpg",
        "PNG": "png",
        "WEBP": "webp",
        "GIF": "gif",
        "BMP": "bmp",
        "TIFF": "tif",
        "MPO": "jpg",
    }
    (tmp_path / "source").mkdir()
    rows = []
    for number, format in enumerate(formats):
        name = f"{number}.jpg"
        more = {"save_all": True, "append_images": [make.picture(9)]} if format == "MPO" else {}
        image = make.encoded(make.picture(number), format, **more)
        (tmp_path / "source" / name).write_bytes(image)
        rows.append({"file_name": name})
    catalog = Catalog.of(make.workspace(tmp_path, rows))
    assert [s.extension for s in samples(catalog)] == list(formats.values())


def test_columns_that_only_find_the_image_are_not_written(world):
    (first, *_) = samples(world.catalog, columns=["quality", "stars"])
    assert list(first.record) == first.row.schema.names == ["quality", "stars"]


def test_images_are_read_ahead_but_never_more_than_so_many(tmp_path, monkeypatch):
    make.jpeg(tmp_path / "source" / "a.jpg")
    rows = [{"file_name": "a.jpg"}] * (3 * with_images.AHEAD)
    catalog = Catalog.of(make.workspace(tmp_path, rows))
    held, most, lock = 0, 0, threading.Lock()
    read = ImageRef.read

    def counted(ref, root):
        nonlocal held, most
        with lock:
            held += 1
            most = max(most, held)
        return read(ref, root)

    monkeypatch.setattr(ImageRef, "read", counted)
    for number, _ in enumerate(samples(catalog)):
        if number % 8 == 0:
            time.sleep(0.02)  # what may be read ahead is read now
        with lock:
            held -= 1
    assert with_images.WORKERS < most <= with_images.AHEAD
    assert number == len(rows) - 1


def test_stopping_early_leaves_no_thread_running(world):
    before = threading.active_count()
    reading = iter(samples(world.catalog))
    next(reading)
    reading.close()
    assert threading.active_count() == before


def test_samples_come_in_runs_of_a_shard(world):
    (one, *_) = samples(world.catalog)
    many = [replace(one, uid=make.uid(n)) for n in range(5)]
    runs = [[s.uid for s in run] for run in with_images.shards(many, 2)]
    assert runs == [[make.uid(0), make.uid(1)], [make.uid(2), make.uid(3)], [make.uid(4)]]
    assert [list(run) for run in with_images.shards([], 2)] == [[]]
    assert [len(list(run)) for run in with_images.shards(many[:4], 2)] == [2, 2]


@EVERY_FORMAT
def test_images_inside_tars_and_table_cells_are_exported_too(tmp_path, world, format):
    """What one export holds, taken as a source of another."""
    for name in ("webdataset", "huggingface"):
        path = world.export(name, tmp_path / name).path
        source = path if name == "webdataset" else next((path / "data").iterdir())
        catalog = published(source, tmp_path / name / "workspace")
        again = export(catalog, select(Recipe("all"), catalog), format, tmp_path / f"{name}-2")
        assert again.left_out == ()
        assert read_back.uids_of(format, again.path) == [make.uid(n) for n in range(4)]
        images = [s.image for s in samples(catalog)]
        assert images == world.images[:4]


def published(source, folder):
    reader = open_source(source)
    made = Workspace(folder)
    root = str(reader.image_root)
    made.write_info(WorkspaceInfo(str(source), reader.name, root, "none", now()))
    for shard in reader.shards():
        read_shard(made, reader, shard)
    publish.publish(made, make.QUIET)
    return Catalog.of(made)


def test_a_sample_selected_a_thousand_times_is_written_as_often(tmp_path):
    workspace, catalog = make.catalog(tmp_path, {"quality": [1.0]})
    decisions = Decisions.of(workspace)
    decisions.save_uid_list("often", uids.to_words([make.uid(0)] * 1000), "a test")
    chosen = select(Recipe.parse("steps: [{union: often}]"), catalog, decisions)
    path = export(catalog, chosen, "imagefolder", tmp_path / "out").path
    assert len(list(path.rglob("*.jpg"))) == 1000
    assert (path / "images" / "00" / f"{make.uid(0)}-1000.jpg").is_file()
