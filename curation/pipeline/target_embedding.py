"""A target, read and embedded by the very models that embedded the dataset."""

from __future__ import annotations

from collections.abc import Sequence

from curation import formatting
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
    """The target's items and their embeddings by every model.

    Ready-made embeddings are taken for those of the first model.

    Args:
        staging: where a target is read that is new or comes from elsewhere now. One that is read
            again from its source is so in place: only what has changed is embedded.
        named: a model that the workspace cannot find by itself.

    Raises:
        CurationError: the source cannot be read or holds nothing usable, or a model cannot be had.
    """
    source, there = str(locations.resolve(target.source)), target.name in workspace.targets()
    known = targets.info(workspace.target(target.name)).source if there else source
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
    is_same = there and known == source
    store = targets.read(workspace if is_same else staging, target, models[0], progress)
    _embed(store, target.name, encoders, device, progress)
    return store


def _embed(
    store: Store, name: str, encoders: dict[str, Encoders], device: str, progress: Progress
) -> None:
    found = devices.names(device)
    progress.say(f"Device: {devices.describe(found)}")
    root = locations.parse(targets.info(store).image_root)
    receipts = [store.samples.receipt(shard) for shard in range(store.shard_count())]

    def to_fetch(images: int) -> None:
        told = formatting.plural(images, "image")
        progress.say(f"Web: {told} to fetch, each from its own address")

    for model, ways in encoders.items():
        label = f"Target {name}" + (f" by {model}" if len(encoders) > 1 else "")
        with progress.bar(label, sum(r.rows for r in receipts if r), "item") as bar:
            embed.embed(
                store,
                root,
                ways,
                devices=found,
                executor=EXECUTORS["local"](),
                advance=bar.update,
                to_fetch=to_fetch,
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
