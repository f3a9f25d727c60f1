"""Read, embed, score, publish: the stages that take a dataset to its catalog."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from curation import formatting
from curation.errors import CurationError
from curation.executors import EXECUTORS
from curation.models import devices
from curation.models.batch_encoder import Clock
from curation.models.encoder import Encoders, ModelSpec
from curation.pipeline import embed, publish, ready_made, recorded_model, score, staging, targets
from curation.pipeline.read import read_shard
from curation.pipeline.targets import TargetSource
from curation.progress import Progress
from curation.readers import Options, Reader, open_source
from curation.readers.base import BringsEmbeddings, SourceShard
from curation.storage import locations
from curation.storage.locations import Location
from curation.storage.workspace import (
    LOCK,
    Receipt,
    Store,
    Workspace,
    WorkspaceInfo,
    now,
)


@dataclass(frozen=True)
class Job:
    """What ``score`` is asked to do."""

    source: Location
    workspace: Path
    reader: str = "auto"
    options: Options = field(default_factory=Options)
    model: ModelSpec = field(default_factory=ModelSpec)
    targets: tuple[TargetSource, ...] = ()
    scores: tuple[str, ...] = ()
    # Values of the scores' parameters by name; what is missing takes the default.
    parameters: Mapping[str, Any] = field(default_factory=dict)
    device: str = "auto"
    executor: str = "local"
    # What embeddings are computed in: one of encoder.PRECISIONS.
    precision: str = "auto"


@dataclass(frozen=True)
class Summary:
    """The result of a run.

    Attributes:
        seconds: by stage, ``in all`` last; for embedding, the mean over the devices. Work that an
            earlier run did is not counted.
        embedded: samples of the dataset embedded in this run.
        embedding_seconds: the wall time of embedding them.
        workers: decoding threads for each device; ``decode`` is the time of each.
    """

    samples: int
    skipped: int
    columns: tuple[str, ...]
    seconds: Mapping[str, float]
    embedded: int = 0
    embedding_seconds: float = 0.0
    workers: int = 1


def score_dataset(job: Job, progress: Progress) -> Summary:
    """Score a dataset into a workspace, reusing what earlier runs finished.

    Raises:
        CurationError: the source, the model or a parameter is not usable. Finished shards are kept.
    """
    began = time.perf_counter()
    device_names = devices.names(job.device)
    progress.say(f"Device: {devices.describe(device_names)}")
    unused = devices.unused_gpu(device_names)
    if unused:
        progress.warn(unused)
    job = _with_image_root(job)
    reader = open_source(job.source, job.reader, job.options)
    # With ready-made embeddings, a model is used only if it is given.
    may_embed = job.model != ModelSpec() or not isinstance(reader, BringsEmbeddings)
    if isinstance(reader, BringsEmbeddings):
        job = _with_features(job, reader)
    shards = reader.shards()
    workspace = _checked(job)
    # Refuse wrong requests before the long work.
    score.check(job.scores, job.parameters, bool(job.targets or workspace.targets()))
    with workspace.lock():
        staging.finish(workspace)
        _write_info(workspace, job, reader)
        read = _read(job, workspace, reader, shards, progress)
        models = Encoders(job.model, job.precision)
        started = time.perf_counter()
        if isinstance(reader, BringsEmbeddings):
            embedded = ready_made.adopt(
                workspace, reader, shards, EXECUTORS[job.executor](), progress
            )
            temperature = ready_made.TEMPERATURE
        else:
            model = models.on(device_names[0])
            progress.say(
                f"Model: {model.spec.slug}, {model.dim} dimensions, "
                f"temperature {model.temperature:.4g}, computed in {model.precision}"
            )
            recorded_model.record(workspace, model)
            temperature = model.temperature
            started = time.perf_counter()
            embedded = _embed(workspace, reader.image_root, models, job, "Embedding", progress)
        embedding_seconds = time.perf_counter() - started
        if all(receipt.rows == receipt.skipped for receipt in embedded):
            raise _nothing_usable(workspace, job.source)
        embedded_targets = _embed_targets(job, workspace, models if may_embed else None, progress)
        clock = Clock()
        for receipts, side_by_side in ((read, 1), (embedded + embedded_targets, len(device_names))):
            for stage, spent in (item for r in receipts for item in r.seconds.items()):
                clock.add(stage, spent / side_by_side)
        with clock.stage("scores"):
            named = [target.name for target in job.targets]
            sides = job.parameters.get("target_side") or ("image",)
            fitting = targets.fitting(workspace, named, job.model.slug, sides, progress)
            score.run(workspace, _request(job, fitting, temperature), progress)
        with clock.stage("catalog"):
            published = publish.publish(workspace, progress)
    clock.add("in all", time.perf_counter() - began)
    return Summary(
        published.samples,
        published.skipped,
        published.columns,
        clock.seconds,
        embedded=sum(receipt.rows for receipt in embedded if receipt.seconds),
        embedding_seconds=embedding_seconds,
        workers=devices.workers_each(device_names),
    )


def _read(
    job: Job,
    workspace: Workspace,
    reader: Reader,
    shards: Sequence[SourceShard],
    progress: Progress,
) -> list[Receipt]:
    progress.say(
        f"Source: {job.source}, read as {reader.name}, {formatting.plural(len(shards), 'shard')}"
    )
    receipts: list[Receipt] = []
    with progress.bar("Reading", len(shards), "shard") as bar:
        executor = EXECUTORS[job.executor]()
        for receipt in executor.map(partial(read_shard, workspace, reader), shards):
            receipts.append(receipt)
            bar.update(1)
    workspace.samples.trim(len(shards))
    if not sum(receipt.rows for receipt in receipts):
        raise _nothing_usable(workspace, job.source)
    return receipts


def _embed_targets(
    job: Job, workspace: Workspace, models: Encoders | None, progress: Progress
) -> list[Receipt]:
    """Embed the targets of this run and of earlier runs, which may have had another model.

    Without models, the targets of earlier runs are used as they are.
    """
    for target in job.targets:
        targets.read(workspace, target, job.model.slug, progress)
    receipts: list[Receipt] = []
    for name in workspace.targets():
        store = workspace.target(name)
        if models is not None and store.shard_count():
            root = locations.parse(targets.info(store).image_root)
            receipts += _embed(store, root, models, job, f"Target {name}", progress)
    return receipts


def _request(job: Job, names: tuple[str, ...], temperature: float) -> score.Request:
    given = job.parameters.get("temperature")
    return score.Request(
        scores=job.scores,
        parameters={
            **job.parameters,
            "temperature": temperature if given is None else given,
        },
        targets=names,
        model=job.model.slug,
        device=job.device,
        executor=job.executor,
    )


def _checked(job: Job) -> Workspace:
    """The workspace, if the folder is new, empty, or a workspace of the same source."""
    source, folder = str(locations.resolve(job.source)), job.workspace
    if (folder / "workspace.toml").is_file():
        held = Workspace.open(folder).info().source
        if held != source:
            raise CurationError(
                f"{folder} holds {held}, not {source}; "
                "give another --workspace, or delete that folder"
            )
    elif folder.exists() and (not folder.is_dir() or any(f.name != LOCK for f in folder.iterdir())):
        raise CurationError(f"{folder} exists and is not a workspace; give a new or empty folder")
    return Workspace(folder)


def _with_image_root(job: Job) -> Job:
    """The job with the image root of the earlier run, where none is named."""
    if job.options.image_root is not None or not (job.workspace / "workspace.toml").is_file():
        return job
    info = Workspace.open(job.workspace).info()
    if info.source != str(locations.resolve(job.source)):
        return job
    return replace(job, options=replace(job.options, image_root=locations.parse(info.image_root)))


def _write_info(workspace: Workspace, job: Job, reader: Reader) -> None:
    primary, created = job.model.slug, now()
    if (workspace.path / "workspace.toml").is_file():
        info = workspace.info()
        created = info.created
        # A model that could not be loaded has left no embeddings: it was not the first.
        if workspace.embeddings(info.model).path.is_dir():
            primary = info.model
    source, root = str(locations.resolve(job.source)), str(reader.image_root)
    workspace.write_info(WorkspaceInfo(source, reader.name, root, primary, created))


def _with_features(job: Job, reader: BringsEmbeddings) -> Job:
    """The job under the name of its ready-made embeddings; a model is for targets only."""
    others = [t.name for t in job.targets if t.source.suffix.lower() not in targets.READY_MADE]
    if others and job.model == ModelSpec():
        raise CurationError(
            f"the target {others[0]} is to be embedded by the model that made the dataset's "
            f"{reader.features}: name it with --model and --pretrained, or give the target's "
            "embeddings as a .npy or .npz"
        )
    return replace(job, model=replace(job.model, alias=reader.features))


def _embed(
    store: Store, image_root: Location, models: Encoders, job: Job, label: str, progress: Progress
) -> list[Receipt]:
    return embed.embed_with_progress(
        store,
        image_root,
        models,
        devices=devices.names(job.device),
        executor=EXECUTORS[job.executor](),
        label=label,
        progress=progress,
    )


def _nothing_usable(workspace: Workspace, source: Location) -> CurationError:
    reasons = publish.skipped_reasons(workspace)
    first = f"; the first: {reasons[0][0]}: {reasons[0][1]}" if reasons else ""
    return CurationError(
        f"{source} has no usable sample: {formatting.count(len(reasons))} skipped{first}"
    )
