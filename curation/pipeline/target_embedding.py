"""Reading a target, and embedding it by the models that embedded the dataset."""

from __future__ import annotations

from collections.abc import Sequence

from curation.errors import CurationError
from curation.executors import EXECUTORS
from curation.models import devices
from curation.models.encoder import Encoders, ModelSpec
from curation.pipeline import embed, recorded_model, targets
from curation.pipeline.targets import READY_MADE, TargetSource
from curation.progress import Progress
from curation.storage import locations
from curation.storage.workspace import Store, Workspace


def read(
    workspace: Workspace,
    staging: Workspace,
    target: TargetSource,
    models: Sequence[str],
    named: ModelSpec | None,
    device: str,
    progress: Progress,
) -> Store:
    """Read a target and embed it by every model; returns its store.

    Ready-made embeddings are taken for those of the first model.

    Args:
        staging: a new target, or one with another source, is read into this folder. A target with
            the same source is updated in the workspace: only changed shards are embedded again.
        named: the model where the workspace does not record it.

    Raises:
        CurationError: the source cannot be read or holds nothing usable, or a model is missing.
    """
    source, is_known = str(locations.resolve(target.source)), target.name in workspace.targets()
    known = targets.info(workspace.target(target.name)).source if is_known else source
    if known != source:
        progress.say(f"Target {target.name} is replaced: it came from {known}")
    if target.source.suffix.lower() in READY_MADE:
        if len(models) > 1:
            progress.warn(
                f"{source} is taken for embeddings of {models[0]}; NormSim of "
                f"{' and '.join(models[1:])} does not measure against {target.name}"
            )
        return targets.read(staging, target, models[0], progress)
    encoders = {model: _encoders(workspace, model, models, named) for model in models}
    is_same = is_known and known == source
    store = targets.read(workspace if is_same else staging, target, models[0], progress)
    _embed(store, target.name, encoders, device, progress)
    return store


def _embed(
    store: Store, name: str, encoders: dict[str, Encoders], device: str, progress: Progress
) -> None:
    device_names = devices.names(device)
    progress.say(f"Device: {devices.describe(device_names)}")
    root = locations.parse(targets.info(store).image_root)
    for model, encoder in encoders.items():
        embed.embed_with_progress(
            store,
            root,
            encoder,
            devices=device_names,
            executor=EXECUTORS["local"](),
            label=f"Target {name}" + (f" by {model}" if len(encoders) > 1 else ""),
            progress=progress,
            unit="item",
        )


def _encoders(
    workspace: Workspace, model: str, models: Sequence[str], named: ModelSpec | None
) -> Encoders:
    if named is None or recorded_model.is_ready_made(workspace, model):
        return recorded_model.encoders(workspace, model, named)
    if named.slug not in models:
        raise CurationError(
            f"this dataset was not embedded by {named.slug}, but by {' and '.join(models)}; "
            "a target has to be embedded by the same model"
        )
    return recorded_model.encoders(workspace, model, named if named.slug == model else None)
