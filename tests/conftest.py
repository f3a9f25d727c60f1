"""A small random CLIP, generated pictures, and a workspace scored with them."""

from __future__ import annotations

import csv
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

# No test may reach a model hub.
os.environ["HF_HUB_OFFLINE"] = "1"
# Test processes that run side by side share the cores; torch and numpy read this at their import.
os.environ.setdefault(
    "OMP_NUM_THREADS",
    str(max(1, (os.cpu_count() or 1) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))),
)

from curation.models import encoder
from curation.models.encoder import Encoder, ModelSpec
from curation.pipeline.run import Job, score_dataset
from curation.pipeline.targets import TargetSource
from curation.storage.workspace import Workspace
from tests import make
from tests.once import make_once

PAIRS = 36


# Parallel processes take files in this order, all other files last. One file that needs the scored
# sample comes first, so that other processes have work until the sample is scored. Slow folders
# come before fast ones, so that all processes finish at about the same time.
FIRST = (
    "pages/test_shell.py",
    "producers/",
    "curation/jobs/",
    "curation/pipeline/",
    "browser/",
    "pages/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the folders that have a marker, and sort the files."""

    def rank(path: str) -> int:
        return next((n for n, start in enumerate(FIRST) if path.startswith(start)), len(FIRST))

    paths = {item: item.path.relative_to(make.ROOT / "tests").as_posix() for item in items}
    for item, path in paths.items():
        folder = path.partition("/")[0]
        if folder in ("browser", "producers"):
            item.add_marker(folder)
    items.sort(key=lambda item: rank(paths[item]))


def _make_model(folder: Path, seed: int) -> None:
    import torch
    from open_clip.model import CLIP
    from safetensors.torch import save_file

    config = {
        "embed_dim": 64,
        "vision_cfg": {
            "image_size": 64,
            "layers": 2,
            "width": 64,
            "patch_size": 16,
            "head_width": 32,
        },
        "text_cfg": {
            "context_length": 77,
            "vocab_size": 49408,
            "width": 64,
            "heads": 2,
            "layers": 1,
        },
    }
    torch.manual_seed(seed)
    model = CLIP(**config)
    save_file(
        {k: v.contiguous() for k, v in model.state_dict().items()},
        folder / "open_clip_model.safetensors",
    )
    preprocess = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": config, "preprocess_cfg": preprocess})
    )


def _make_source(folder: Path) -> None:
    """Pictures with metadata.csv, one truncated picture among them."""
    with (folder / "metadata.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file_name", "caption", "swapped"])
        for number in range(PAIRS):
            make.jpeg(folder / f"{number:03d}.jpg", number)
            swapped = "true" if number % 5 == 0 else "false"
            writer.writerow([f"{number:03d}.jpg", f'"picture" {number},\nof patches', swapped])
        make.truncated_jpeg(folder / "broken.jpg", PAIRS)
        writer.writerow(["broken.jpg", "cut off", "false"])


def _make_targets(folder: Path) -> None:
    for name, start in (("dots", 100), ("lines", 200)):
        for number in range(5):
            make.jpeg(folder / name / f"{number}.jpg", start + number)


def _score_sample(folder: Path) -> None:
    """Score the bundled sample with the bundled model."""
    data = make.ROOT / "data"
    targets = tuple(TargetSource(name, data / "targets" / name) for name in ("animals", "food"))
    score_dataset(
        Job(source=data / "sample", workspace=folder / "sample", targets=targets, device="cpu"),
        make.QUIET,
    )


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_once(tmp_path_factory, "tiny", lambda folder: _make_model(folder, seed=0))


@pytest.fixture(scope="session")
def second_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_once(tmp_path_factory, "other", lambda folder: _make_model(folder, seed=1))


@pytest.fixture(scope="session")
def tiny(model_folder: Path) -> Encoder:
    return encoder.load(ModelSpec(str(model_folder)), "cpu")


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures with metadata.csv, one truncated picture among them."""
    return make_once(tmp_path_factory, "photos", _make_source)


@pytest.fixture(scope="session")
def target_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = make_once(tmp_path_factory, "targets", _make_targets)
    return {name: folder / name for name in ("dots", "lines")}


@pytest.fixture(scope="session")
def job(source: Path, target_folders: dict[str, Path], model_folder: Path) -> Job:
    """The job that the tests run, each with a workspace of its own."""
    return Job(
        source=source,
        workspace=Path("replaced"),
        model=ModelSpec(str(model_folder)),
        targets=tuple(TargetSource(name, path) for name, path in target_folders.items()),
        parameters={"batch_size": 16, "batches": 3},
        device="cpu",
    )


@pytest.fixture(scope="session")
def scored_once(job: Job, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a scored workspace, shared by the test processes: only to be copied."""

    def score(folder: Path) -> None:
        score_dataset(replace(job, workspace=folder / "workspace"), make.QUIET)

    return make_once(tmp_path_factory, "scored", score)


@pytest.fixture(scope="session")
def scored(scored_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A scored workspace for tests that only read it."""
    return Workspace.open(_copy(scored_once, tmp_path_factory) / "workspace")


@pytest.fixture
def scored_copy(scored_once: Path, tmp_path: Path) -> Workspace:
    """A freshly scored workspace that a test may change."""
    shutil.copytree(scored_once / "workspace", tmp_path / "workspace")
    return Workspace.open(tmp_path / "workspace")


@pytest.fixture(scope="session")
def sample_workspaces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one workspace: the bundled sample, scored with the bundled model."""
    return _copy(make_once(tmp_path_factory, "workspaces", _score_sample), tmp_path_factory)


@pytest.fixture(scope="session")
def sample_workspace(sample_workspaces: Path) -> Workspace:
    return Workspace.open(sample_workspaces / "sample")


def _copy(shared: Path, factory: pytest.TempPathFactory) -> Path:
    """This process's copy: the app writes thumbnails, marks and exports into a workspace."""
    return shutil.copytree(shared, factory.mktemp(shared.name) / shared.name)
