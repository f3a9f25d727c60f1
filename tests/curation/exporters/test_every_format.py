import decimal
import json
import subprocess
import sys
from pathlib import Path

import pytest

from curation import uids
from curation.errors import CurationError
from curation.exporters import EXPORTERS
from curation.exporters.export import export
from curation.selection.recipe import Recipe
from curation.selection.select import select
from curation.storage.atomic import sha256_of
from tests import make
from tests.curation.exporters import read_back
from tests.curation.exporters.conftest import CAPTIONS, SELECTED, WHEN, WITH_IMAGES

EVERY_FORMAT = pytest.mark.parametrize("format", list(EXPORTERS))
TABLES = ("parquet", "csv", "jsonl")
WITH_PICTURES = ("webdataset", "imagefolder", "huggingface")
EVERY_TABLE = pytest.mark.parametrize("format", [*TABLES, *WITH_PICTURES])


def test_the_formats_are_shown_in_this_order():
    assert list(EXPORTERS) == ["datacomp", "parquet", "csv", "jsonl", "txt", *WITH_PICTURES]


@EVERY_FORMAT
def test_every_format_holds_the_selected_uids_repeats_kept(world, tmp_path, format):
    exported = world.export(format, tmp_path)
    expected = WITH_IMAGES if format in WITH_PICTURES else SELECTED
    written = read_back.uids_of(format, exported.path)
    assert written == [make.uid(n) for n in expected]
    assert exported.digest == world.selection.digest
    if expected == SELECTED:
        assert uids.digest(uids.to_words(written)) == exported.digest


@EVERY_FORMAT
def test_an_empty_selection_is_an_empty_export(world, tmp_path, format):
    exported = world.nothing(format, tmp_path)
    assert read_back.uids_of(format, exported.path) == []
    assert (exported.path.is_dir(), exported.left_out) == (format in WITH_PICTURES, ())
    assert json.loads(exported.manifest.read_text())["files"]


@EVERY_TABLE
def test_captions_survive_quotes_line_ends_and_every_script(world, tmp_path, format):
    rows = read_back.rows(format, world.export(format, tmp_path).path)
    expected = WITH_IMAGES if format in WITH_PICTURES else SELECTED
    assert [row["caption"] for row in rows] == [CAPTIONS[n] for n in expected]


@EVERY_FORMAT
def test_the_manifest_has_the_hash_of_every_file(world, tmp_path, format):
    exported = world.export(format, tmp_path, shard_size=2)
    own_files = {exported.recipe, exported.manifest}
    files = {f for f in tmp_path.rglob("*") if f.is_file()} - own_files
    assert json.loads(exported.manifest.read_text())["files"] == {
        file.relative_to(tmp_path).as_posix(): sha256_of(file) for file in files
    }


@EVERY_FORMAT
def test_the_same_selection_gives_the_same_bytes(world, tmp_path, format):
    files = [
        json.loads(world.export(format, tmp_path / name).manifest.read_text())["files"]
        for name in ("one", "two")
    ]
    assert files[0] == files[1]


@EVERY_FORMAT
def test_progress_adds_up_to_what_is_selected(world, tmp_path, format):
    steps: list[int] = []
    world.export(format, tmp_path, advance=steps.append)
    assert sum(steps) == len(SELECTED)


@EVERY_TABLE
def test_every_type_of_column_can_be_written(every_type, tmp_path, format):
    catalog, when = every_type, WHEN
    path = tmp_path / f"out{EXPORTERS[format].extension}"
    export(catalog, select(Recipe("all"), catalog), format, path, columns=list(catalog.columns))
    (row,) = read_back.rows(format, path)
    assert set(catalog.columns) <= set(row)
    as_text = {
        "when": "2020-01-02 03:04:05.000000+0000",
        "naive": "2020-01-02 03:04:05.000000",
        "day": "2020-01-02",
        "at": "03:04:05.000000",
        "bytes": "ff00",
        "long": "2 days, 0:00:00",
        "list": "[1, 2]",
        "record": '{"a": "ü"}',
    }
    if format in ("parquet", "huggingface"):
        assert (row["when"], row["bytes"], row["day"]) == (when, b"\xff\x00", when.date())
        assert (row["flag"], row["infinite"], row["nan"]) == (True, float("inf"), None)
        assert (row["decimal"], row["large"]) == (decimal.Decimal("1.50"), 2**63 - 1)
    else:
        assert {name: row[name] for name in as_text} == as_text
        flag, missing = ("true", "") if format == "csv" else (True, None)
        assert (row["flag"], row["nothing"], row["nan"]) == (flag, missing, missing)
    if format not in ("parquet", "huggingface", "csv"):
        assert (row["infinite"], row["decimal"], row["large"]) == (None, 1.5, 2**63 - 1)


@EVERY_FORMAT
def test_an_unwritable_path_is_named_and_no_partial_file_is_left(world, tmp_path, format):
    (tmp_path / "file.txt").write_text("mine")
    with pytest.raises(CurationError, match=r"cannot write .*file\.txt/out"):
        world.export(format, tmp_path / "file.txt")
    assert [f.name for f in tmp_path.iterdir()] == ["file.txt"]
    assert (tmp_path / "file.txt").read_text() == "mine"


# Files cannot grow beyond 4 kB, as on a full disk. A process cannot raise RLIMIT_FSIZE again, hence
# a process of its own.
ON_A_FULL_DISK = """
import json, resource, signal, sys
from pathlib import Path
from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.exporters.export import export
from curation.exporters import EXPORTERS
from curation.selection.recipe import Recipe
from curation.selection.select import select

catalog = Catalog(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
errors = {}
for format, exporter in EXPORTERS.items():
    try:
        path = Path(sys.argv[2], format, f"out{exporter.extension}")
        export(catalog, select(Recipe("all"), catalog), format, path)
    except CurationError as error:
        errors[format] = str(error)
print(json.dumps(errors))
"""


@pytest.fixture(scope="module")
def full_disk(tmp_path_factory):
    """The folder of the exports, and the error of each format."""
    folder = tmp_path_factory.mktemp("full")
    make.jpeg(folder / "source" / "a.jpg")
    # Uids without a pattern, which would be compressed away.
    rows = [{"file_name": "a.jpg", "uid": uids.from_key(str(n))} for n in range(400)]
    workspace = make.workspace(folder, rows)
    command = [sys.executable, "-c", ON_A_FULL_DISK, workspace.catalog, folder / "out"]
    here = Path(__file__).resolve().parents[3]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=here)
    assert done.returncode == 0, done.stderr
    return folder / "out", json.loads(done.stdout)


@EVERY_FORMAT
def test_a_full_disk_is_reported_in_one_line_and_no_file_is_left(full_disk, format):
    folder, errors = full_disk
    path = folder / format / f"out{EXPORTERS[format].extension}"
    assert errors[format] == (
        f"cannot write {path}: File too large; check the free space and your permissions, "
        "or choose another folder"
    )
    assert list(path.parent.iterdir()) == []
