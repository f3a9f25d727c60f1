"""model.toml: the model that embedded a workspace, recorded there and loaded again from it.

Whether a model loaded again is still the one that made the embeddings is checked by their receipts.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from curation.errors import CurationError
from curation.models.encoder import PRECISIONS, Encoder, Encoders, ModelSpec
from curation.storage.atomic import fingerprint
from curation.storage.workspace import ShardFolder, Workspace, read_toml, write_toml


def record(workspace: Workspace, model: Encoder) -> None:
    """Write what loads a model again, from any working directory."""
    write_toml(
        workspace.embeddings(model.spec.slug).path / "model.toml",
        {
            "name": model.spec.folder.name if model.spec.folder else model.spec.name,
            **location(model.spec),
            "dim": model.dim,
            "temperature": model.temperature,
            "precision": model.precision,
        },
    )


def location(model: ModelSpec) -> Mapping[str, str | None]:
    """A model's folder, and its tag or checkpoint file, with absolute paths."""
    tag = model.pretrained
    if tag is not None and Path(tag).is_file():
        tag = str(Path(tag).resolve())
    folder = None if model.folder is None else str(model.folder.resolve())
    return {"folder": folder, "pretrained": tag}


def is_ready_made(workspace: Workspace, model: str) -> bool:
    """Whether the dataset's embeddings came with the source and were not made here.

    Raises:
        CurationError: the dataset has no embeddings of this model.
    """
    return _read(workspace, model).get("precision") == "ready-made"


def spec(workspace: Workspace, model: str) -> ModelSpec:
    """The recorded model of embeddings that were made here.

    Raises:
        CurationError: the dataset has no embeddings of this model, the model's folder has gone, or
            an earlier version did not record it.
    """
    recorded = _read(workspace, model)
    name, folder, tag = recorded["name"], recorded.get("folder"), recorded.get("pretrained")
    if folder is not None:
        if not Path(folder).is_dir():
            raise CurationError(
                f"the model {model} is not in {folder} any more; put it back, or name its new "
                "folder with --model"
            )
        return ModelSpec(folder, tag)
    # An architecture has a tag or a checkpoint, unless a hub's name says all: else this was a
    # folder, and an earlier version recorded only its last part.
    if tag is not None or ":" in name:
        return ModelSpec(name, tag)
    if ModelSpec().slug == model:
        return ModelSpec()
    raise CurationError(
        f"an earlier version did not record the folder of the model {model}; name it with --model, "
        "or run the dataset's `score` command again, which records it and embeds nothing again"
    )


def encoders(workspace: Workspace, model: str, named: ModelSpec | None = None) -> Encoders:
    """The model of a workspace's embeddings, in the precision that they were computed in.

    Args:
        named: the model where it is not recorded, or is elsewhere now.

    Raises:
        CurationError: the model is not known, or is not the one that made the embeddings.
    """
    if is_ready_made(workspace, model):
        if named is None:
            raise CurationError(
                f"the embeddings of this dataset ({model}) came ready-made: give the target's "
                "embeddings as a .npy or .npz, or name the model that made the dataset's with "
                "--model and --pretrained"
            )
        # Ready-made embeddings have no receipt of a model to compare with.
        return Encoders(ModelSpec(named.name, named.pretrained, alias=model))
    known = named or spec(workspace, model)
    for precision in PRECISIONS if known.slug == model else ():
        found = Encoders(known, precision)
        if _made_by(workspace, model, found.mark()):
            return found
    raise CurationError(
        f"{known.name} is not the model {model} that embedded this dataset, or has changed since; "
        "name that model with --model and --pretrained, or run the `score` command again to embed "
        "the dataset with this one"
    )


def _read(workspace: Workspace, model: str) -> dict[str, Any]:
    file = workspace.embeddings(model).path / "model.toml"
    if not file.is_file():
        raise CurationError(
            f"{workspace.path} has no embeddings of the model {model}; "
            "run its `score` command to the end first"
        )
    return read_toml(file)


def _made_by(workspace: Workspace, model: str, mark: str) -> bool:
    """Whether the first shard was embedded by the model of this mark."""
    from curation.pipeline import embed

    source, folder = workspace.samples.receipt(0), workspace.embeddings(model)
    done = folder.receipt(0)
    if source is None or done is None:
        return False
    whole = fingerprint(embed.VERSION, source.fingerprint, mark, embed.sides(workspace))
    partly = fingerprint(whole, "to be tried again", _failed_rows(folder))
    return done.fingerprint in (whole, partly)


def _failed_rows(folder: ShardFolder) -> list[int]:
    """The rows of the first shard that have no embedding."""
    file = folder.file(0, "skipped.parquet")
    rows: list[int] = pq.read_table(file).column("row").to_pylist() if file.is_file() else []
    return rows
