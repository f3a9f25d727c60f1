"""Read → embed → score → publish: the whole way of a dataset, in one screen."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from curation import devices, encoder, publish, scoring, targets, wording
from curation.embedding import embed_shard
from curation.encoder import Encoder, ModelSpec
from curation.errors import CurationError
from curation.executors import EXECUTORS
from curation.progress import Progress
from curation.readers import Options, Reader, open_source
from curation.readers.base import SourceShard
from curation.reading import read_shard
from curation.targets import TargetSource
from curation.workspace import LOCK, Receipt, Store, Workspace, WorkspaceInfo, now, write_toml


@dataclass(frozen=True)
class Job:
    """What ``score`` is asked to do."""

    source: Path
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


@dataclass(frozen=True)
class Summary:
    """What came of it."""

    samples: int
    skipped: int
    columns: tuple[str, ...]
    seconds: Mapping[str, float]


def run(job: Job, progress: Progress) -> Summary:
    """Score a dataset into a workspace; what an earlier run finished is used again.

    Raises:
        CurationError: the source, the model or a parameter is not usable; what was finished
            until then stays.
    """
    began = time.perf_counter()
    progress.say(f"Device: {devices.describe(devices.pick(job.device))}")
    reader = open_source(job.source, job.reader, job.options)
    shards = reader.shards()
    workspace = _checked(job)
    with workspace.writing():
        _write_info(workspace, job, reader)
        read = _read(job, workspace, reader, shards, progress)
        model = _load_model(job, workspace, progress)
        mark = job.model.fingerprint()
        embedded = _embed(workspace, reader.image_root, model, mark, "Embedding", progress)
        if all(receipt.rows == receipt.skipped for receipt in embedded):
            raise _nothing_usable(workspace, job.source)
        _embed_targets(job, workspace, model, mark, progress)
        temperature = job.parameters.get("temperature")
        request = scoring.Request(
            scores=job.scores,
            parameters={
                **job.parameters,
                "temperature": model.temperature if temperature is None else temperature,
            },
            targets=tuple(workspace.targets()),
            model=job.model.slug,
            device=job.device,
            executor=job.executor,
        )
        scoring.run(workspace, request, progress)
        published = publish.publish(workspace, progress)
    seconds: dict[str, float] = {}
    for receipt in (*read, *embedded):
        for stage, spent in receipt.seconds.items():
            seconds[stage] = seconds.get(stage, 0.0) + spent
    seconds["in all"] = time.perf_counter() - began
    return Summary(published.samples, published.skipped, published.columns, seconds)


def _read(
    job: Job,
    workspace: Workspace,
    reader: Reader,
    shards: Sequence[SourceShard],
    progress: Progress,
) -> list[Receipt]:
    progress.say(
        f"Source: {job.source}, read as {reader.name}, {wording.plural(len(shards), 'shard')}"
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


def _load_model(job: Job, workspace: Workspace, progress: Progress) -> Encoder:
    model = encoder.load(job.model, job.device)
    _record_model(workspace, model)
    progress.say(
        f"Model: {job.model.slug}, {model.dim} dimensions, temperature {model.temperature:.4g}"
    )
    return model


def _embed_targets(
    job: Job, workspace: Workspace, model: Encoder, mark: str, progress: Progress
) -> None:
    """The targets named, and those of earlier runs: this may be another model."""
    for target in job.targets:
        targets.read(workspace, target, job.model.slug, progress)
    for name in workspace.targets():
        store = workspace.target(name)
        if store.shard_count():
            root = Path(targets.info(store).image_root)
            _embed(store, root, model, mark, f"Target {name}", progress, texts=False)


def _checked(job: Job) -> Workspace:
    """The workspace, if the folder is new, empty, or a workspace of the same source."""
    source, folder = str(job.source.resolve()), job.workspace
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


def _write_info(workspace: Workspace, job: Job, reader: Reader) -> None:
    primary, created = job.model.slug, now()
    if (workspace.path / "workspace.toml").is_file():
        info = workspace.info()
        created = info.created
        # A model that could not be loaded has left no embeddings: it was not the first.
        if workspace.embeddings(info.model).path.is_dir():
            primary = info.model
    source, root = str(job.source.resolve()), str(reader.image_root)
    workspace.write_info(WorkspaceInfo(source, reader.name, root, primary, created))


def _embed(
    store: Store,
    image_root: Path,
    model: Encoder,
    mark: str,
    label: str,
    progress: Progress,
    texts: bool = True,
) -> list[Receipt]:
    shards = range(store.shard_count())
    receipts = [store.samples.receipt(shard) for shard in shards]
    with progress.bar(label, sum(r.rows for r in receipts if r)) as bar:
        done = [
            embed_shard(store, shard, image_root, model, mark, with_texts=texts, advance=bar.update)
            for shard in shards
        ]
    store.embeddings(model.spec.slug).trim(len(shards))
    return done


def _record_model(workspace: Workspace, model: Encoder) -> None:
    write_toml(
        workspace.embeddings(model.spec.slug).path / "model.toml",
        {
            "name": model.spec.folder.name if model.spec.folder else model.spec.name,
            "pretrained": model.spec.pretrained,
            "dim": model.dim,
            "temperature": model.temperature,
        },
    )


def _nothing_usable(workspace: Workspace, source: Path) -> CurationError:
    reasons = publish.skipped_reasons(workspace)
    first = f"; the first: {reasons[0][0]}: {reasons[0][1]}" if reasons else ""
    return CurationError(
        f"{source} has no usable sample: {wording.count(len(reasons))} skipped{first}"
    )
