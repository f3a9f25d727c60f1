"""The model that embedded a workspace, loaded again by what model.toml and the receipts tell."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from curation.errors import CurationError
from curation.models.encoder import PRECISIONS, Encoders, ModelSpec
from curation.storage.atomic import fingerprint
from curation.storage.workspace import ShardFolder, Workspace, read_toml


def is_ready_made(workspace: Workspace, model: str) -> bool:
    """Whether the dataset's embeddings came with it, and no model made them here.

    Raises:
        CurationError: the dataset has no embeddings of this model.
    """
    return _told(workspace, model).get("precision") == "ready-made"


def encoders(workspace: Workspace, model: str, named: ModelSpec | None = None) -> Encoders:
    """The model of a workspace's embeddings, in the precision that they were computed in.

    Args:
        named: the model, where model.toml cannot tell where it lies, or it lies elsewhere now.

    Raises:
        CurationError: it is not known where the model lies, or it is another one than that which
            made the embeddings.
    """
    if is_ready_made(workspace, model):
        if named is None:
            raise CurationError(
                f"the embeddings of this dataset ({model}) came ready-made: give the target's "
                "embeddings as a .npy or .npz, or name the model that made the dataset's with "
                "--model and --pretrained"
            )
        # What made the dataset's embeddings has left no receipt to check this by.
        return Encoders(ModelSpec(named.name, named.pretrained, alias=model))
    spec = named or _spec(workspace, model)
    for precision in PRECISIONS if spec.slug == model else ():
        found = Encoders(spec, precision)
        if _made_by(workspace, model, found.mark()):
            return found
    raise CurationError(
        f"{spec.name} is not the model {model} that embedded this dataset, or not any more; "
        "name that one with --model and --pretrained, or run the `score` command again to embed "
        "the dataset with this one"
    )


def _told(workspace: Workspace, model: str) -> dict[str, object]:
    file = workspace.embeddings(model).path / "model.toml"
    if not file.is_file():
        raise CurationError(
            f"{workspace.path} has no embeddings to measure a target against; "
            "run its `score` command to the end first"
        )
    return read_toml(file)


def _spec(workspace: Workspace, model: str) -> ModelSpec:
    told = _told(workspace, model)
    name, folder, tag = str(told["name"]), told.get("folder"), told.get("pretrained")
    pretrained = None if tag is None else str(tag)
    if folder is not None:
        if not Path(str(folder)).is_dir():
            raise CurationError(
                f"the model {model} is not in {folder} any more; put it back, or say with --model "
                "where it is"
            )
        return ModelSpec(str(folder), pretrained)
    # An architecture needs a tag or a checkpoint, unless it is a hub's: else this was a folder.
    if pretrained is not None or ":" in name:
        return ModelSpec(name, pretrained)
    if ModelSpec().slug == model:
        return ModelSpec()
    raise CurationError(
        f"an earlier version did not record where the model {model} lies; say it with --model"
    )


def _made_by(workspace: Workspace, model: str, mark: str) -> bool:
    """Whether the first shard was embedded by the model of this mark."""
    from curation.pipeline import embed

    made = embed.sides(workspace)
    source, folder = workspace.samples.receipt(0), workspace.embeddings(model)
    done = folder.receipt(0)
    if source is None or done is None:
        return False
    whole = fingerprint(embed.VERSION, source.fingerprint, mark, made)
    return done.fingerprint in (whole, fingerprint(whole, "to be tried again", _failed(folder)))


def _failed(folder: ShardFolder) -> list[int]:
    """The rows of the first shard that have no embedding."""
    listed = folder.file(0, "skipped.parquet")
    rows: list[int] = pq.read_table(listed).column("row").to_pylist() if listed.is_file() else []
    return rows
