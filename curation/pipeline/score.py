"""The score stage: samples and embeddings in, ``scores/<score>[_<model>][.<target>]/`` out.

Each folder gets a Parquet file and a receipt for each shard, then ``score.toml``. A shard is scored
again when its receipt does not match: another parameter, another sample or embedding anywhere in
the dataset, another embedding of the target. The folder counts as unfinished meanwhile.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation import uids
from curation.errors import CurationError
from curation.executors import EXECUTORS
from curation.models import devices
from curation.pipeline import all_targets, ready_made, score_folders, targets
from curation.pipeline.score_folders import Measurement
from curation.progress import Progress
from curation.scores import SCORES
from curation.scores.base import Column, Data, Scorer, Shard, check_parameters
from curation.storage.atomic import atomic
from curation.storage.workspace import Receipt, ShardFolder, Workspace


@dataclass(frozen=True)
class Request:
    """Which scores to make, of which model, with which parameters and targets."""

    scores: tuple[str, ...]
    parameters: Mapping[str, Any]
    targets: tuple[str, ...]
    model: str
    device: str = "auto"
    executor: str = "local"


def run(workspace: Workspace, request: Request, progress: Progress) -> None:
    """Make every requested score that is not up to date, shard by shard.

    Folders of these scores and this model toward other targets are deleted.

    Raises:
        CurationError: a score is unknown, a parameter is out of range, or a target is missing or
            cannot be used.
    """
    checked = check(request.scores, request.parameters, bool(request.targets))
    for name, parameters in checked.items():
        measurements = _measurements(workspace, name, parameters, request)
        all_targets.check_distinct(measurements)
        _delete_others(workspace, measurements)
        for measurement in measurements:
            folder = workspace.scores(measurement.folder_name(workspace))
            make(
                workspace,
                measurement,
                folder,
                progress,
                device=request.device,
                executor=request.executor,
            )


def check(
    scores: Sequence[str], parameters: Mapping[str, Any], has_targets: bool
) -> dict[str, dict[str, Any]]:
    """The scores to make (the default ones where none is named), each with its parameters.

    Raises:
        CurationError: a score is unknown or lacks a target, a parameter is out of range, or
            belongs to none of these scores.
    """
    names = scores or [
        name
        for name, score in SCORES.items()
        if score.default and (has_targets or "target" not in score.needs)
    ]
    for name in names:
        if name not in SCORES:
            raise CurationError(f"there is no score {name!r}; there are {', '.join(SCORES)}")
        if "target" in SCORES[name].needs and not has_targets:
            raise CurationError(f"the score {name} needs --target NAME=SOURCE")
    for parameter, value in parameters.items():
        users = [n for n, s in SCORES.items() if parameter in {p.name for p in s.parameters}]
        # Every run passes the model's temperature, whichever scores it makes.
        if value not in (None, ()) and parameter != "temperature" and not set(users) & set(names):
            raise CurationError(
                f"--{parameter.replace('_', '-')} is for the score {' or '.join(users)}, "
                "which is not made: name it with --score"
            )
    return {name: check_parameters(SCORES[name], parameters) for name in names}


def make(
    workspace: Workspace,
    measurement: Measurement,
    folder: ShardFolder,
    progress: Progress,
    *,
    device: str = "auto",
    executor: str = "local",
) -> None:
    """Write the shards of one score that ``folder`` lacks, then its score.toml.

    Raises:
        CurationError: the target has no usable item on a side, or embeddings of another length.
    """
    score, target = measurement.score, measurement.target
    title = f"{score.title} ({measurement.target_name})" if target else score.title
    mark = measurement.mark(workspace)
    shards = _shards(workspace, measurement)
    pending = [shard for shard in shards if not folder.is_done(shard.index, mark)]
    if not pending and score_folders.is_finished(folder):
        progress.say(f"{title}: done before")
        return
    score_folders.open_again(folder)
    columns = measurement.columns()
    names = [
        score_folders.of_model(workspace, column, measurement.model).name for column in columns
    ]
    if pending:
        total = sum(map(len, shards)) * score.passes(measurement.parameters)
        loaded = (
            {measurement.target_name: targets.load(target, measurement.model)} if target else {}
        )
        with progress.bar(title, total) as bar:
            data = Data(shards, loaded, devices.names(device), bar.update)
            scorer = score.prepare(data, measurement.parameters)
            task = partial(_score_shard, folder, scorer, columns, names, mark)
            for _ in EXECUTORS[executor]().map(task, pending, data.devices):
                pass
    folder.trim(len(shards))
    score_folders.write_record(
        workspace,
        folder,
        score=score.name,
        model=measurement.model,
        source=score.source,
        parameters=measurement.parameters,
        columns=[score_folders.of_model(workspace, c, measurement.model) for c in columns],
        target=target,
    )


def _measurements(
    workspace: Workspace, name: str, parameters: Mapping[str, Any], request: Request
) -> list[Measurement]:
    score = SCORES[name]
    model = request.model if score.needs & {"image", "text"} else ""
    if "target" not in score.needs:
        return [Measurement(score, parameters, model)]
    stores = [workspace.target(target) for target in request.targets]
    return [Measurement(score, parameters, model, store) for store in stores]


def _delete_others(workspace: Workspace, measurements: Sequence[Measurement]) -> None:
    """Delete this score's folders toward other targets, and an earlier version's of all targets."""
    if measurements[0].target is None:
        return
    kept = {measurement.folder_name(workspace) for measurement in measurements}
    stem = measurements[0].folder_name(workspace).removesuffix(measurements[0].target_name)
    for path in workspace.scores_root.glob("*"):
        if f"{path.name}.".startswith(stem) and path.name not in kept:
            shutil.rmtree(path)


def _shards(workspace: Workspace, measurement: Measurement) -> list[Shard]:
    stage = score_folders.embeddings_or_samples(workspace, measurement.model)
    receipts = [stage.receipt(shard) for shard in range(workspace.shard_count())]
    return [_shard(workspace, r.rows, n, measurement) for n, r in enumerate(receipts) if r]


def _shard(workspace: Workspace, rows: int, index: int, measurement: Measurement) -> Shard:
    file = workspace.samples.file(index, "parquet")

    def columns(names: Sequence[str]) -> pa.Table:
        present = pq.read_schema(file).names
        return pq.read_table(file, columns=[name for name in names if name in present])

    def words() -> uids.Words:
        return uids.to_words(columns(["uid"]).column("uid"))

    embeddings = workspace.embeddings(measurement.model)
    image, text = (
        ready_made.location(embeddings, index, side) if side in measurement.score.needs else None
        for side in ("image", "text")
    )
    return Shard(index, rows, words, image, text, columns)


def _score_shard(
    folder: ShardFolder,
    scorer: Scorer,
    columns: Sequence[Column],
    names: Sequence[str],
    mark: str,
    shard: Shard,
    device: str,
) -> None:
    """Write a shard's columns under ``names``, and its receipt after them."""
    folder.discard(shard.index)
    values = scorer(shard, device)
    arrays = [pa.array(values[c.name], type=pa.type_for_alias(c.type)) for c in columns]
    with atomic(folder.file(shard.index, "parquet")) as partial_file:
        pq.write_table(pa.table(arrays, list(names)), partial_file)
    folder.finish(shard.index, Receipt(mark, len(shard)))
