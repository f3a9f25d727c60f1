"""A small random CLIP, generated pictures, and a workspace scored with them."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import pytest

# No test may reach a model hub.
os.environ["HF_HUB_OFFLINE"] = "1"

from curation.models import encoder
from curation.models.encoder import Encoder, ModelSpec
from curation.pipeline.run import Job, score_dataset
from curation.pipeline.targets import TargetSource
from curation.storage.workspace import Workspace
from tests import make

PAIRS = 36


def _make_model(folder: Path, seed: int) -> Path:
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
    folder.mkdir(parents=True)
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
    return folder


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _make_model(tmp_path_factory.mktemp("models") / "tiny", seed=0)


@pytest.fixture(scope="session")
def second_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _make_model(tmp_path_factory.mktemp("models") / "other", seed=1)


@pytest.fixture(scope="session")
def tiny(model_folder: Path) -> Encoder:
    return encoder.load(ModelSpec(str(model_folder)), "cpu")


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures with metadata.csv, one truncated picture among them."""
    folder = tmp_path_factory.mktemp("source") / "photos"
    folder.mkdir()
    with (folder / "metadata.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file_name", "caption", "swapped"])
        for number in range(PAIRS):
            make.jpeg(folder / f"{number:03d}.jpg", number)
            swapped = "true" if number % 5 == 0 else "false"
            writer.writerow([f"{number:03d}.jpg", f'"picture" {number},\nof patches', swapped])
        make.truncated_jpeg(folder / "broken.jpg", PAIRS)
        writer.writerow(["broken.jpg", "cut off", "false"])
    return folder


@pytest.fixture(scope="session")
def target_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("targets")
    for name, start in (("dots", 100), ("lines", 200)):
        for number in range(5):
            make.jpeg(root / name / f"{number}.jpg", start + number)
    return {"dots": root / "dots", "lines": root / "lines"}


@pytest.fixture(scope="session")
def job(source: Path, target_folders: dict[str, Path], model_folder: Path) -> Job:
    """What `score` is asked in these tests; its workspace is to be replaced."""
    return Job(
        source=source,
        workspace=Path("replaced"),
        model=ModelSpec(str(model_folder)),
        targets=tuple(TargetSource(name, path) for name, path in target_folders.items()),
        parameters={"batch_size": 16, "batches": 3},
        device="cpu",
    )


@pytest.fixture(scope="session")
def scored(job: Job, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A scored workspace that no test changes."""
    from dataclasses import replace

    folder = tmp_path_factory.mktemp("scored") / "workspace"
    score_dataset(replace(job, workspace=folder), make.QUIET)
    return Workspace.open(folder)


@pytest.fixture
def scored_copy(scored: Workspace, tmp_path: Path) -> Workspace:
    """A scored workspace of a test's own."""
    shutil.copytree(scored.path, tmp_path / "workspace")
    return Workspace.open(tmp_path / "workspace")


@pytest.fixture(scope="session")
def sample_workspaces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of workspaces with one: the sample that ships, scored with the model that ships."""
    root = Path(__file__).resolve().parent.parent / "data"
    folder = tmp_path_factory.mktemp("workspaces")
    score_dataset(
        Job(
            source=root / "sample",
            workspace=folder / "sample",
            targets=tuple(TargetSource(n, root / "targets" / n) for n in ("animals", "food")),
            device="cpu",
        ),
        make.QUIET,
    )
    return folder


@pytest.fixture(scope="session")
def sample_workspace(sample_workspaces: Path) -> Workspace:
    return Workspace.open(sample_workspaces / "sample")
