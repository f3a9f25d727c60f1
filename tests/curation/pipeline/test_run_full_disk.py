"""A disk that is full: a real limit on the size of files, in a process of its own."""

import subprocess
import sys

import pytest

from curation.catalog.catalog import Catalog
from curation.storage.workspace import Workspace

LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
from curation.cli.main import main
main()
"""


def curation(limit, *arguments):
    """The command line where no file may be longer than ``limit`` bytes."""
    command = [sys.executable, "-c", LIMITED, str(limit), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("limit", "what"),
    [
        (3000, "samples/00000.parquet"),
        (4600, "embeddings/tiny/00000.image.npy"),
        (300_000, "catalog.duckdb"),
    ],
)
def test_a_run_that_cannot_write_says_which_file_and_leaves_nothing_half_written(
    source, model_folder, tmp_path, limit, what
):
    folder = tmp_path / "w"
    score = ("score", source, "-w", folder, "--model", model_folder, "--quiet")
    failed = curation(limit, *score)
    assert failed.returncode == 2
    assert failed.stderr.startswith(f"error: cannot write {folder / what}: ")
    assert failed.stderr.count("\n") == 1
    assert not (folder / what).exists()
    assert not list(folder.rglob("*.partial*"))
    # With room again, the same command goes on.
    assert curation(1 << 30, *score).returncode == 0
    assert len(Catalog.of(Workspace.open(folder))) == 36


def test_a_catalog_that_is_there_stays_when_the_new_one_cannot_be_written(
    scored_copy, source, model_folder
):
    before = scored_copy.catalog.read_bytes()
    score = (
        "score",
        source,
        "-w",
        scored_copy.path,
        "--model",
        model_folder,
        "--quiet",
        "--score",
        "clip_score",
    )
    assert curation(300_000, *score).returncode == 2
    assert scored_copy.catalog.read_bytes() == before
