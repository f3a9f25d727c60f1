"""The score stage: embeddings into ``scores/``, one folder a score and model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation import __version__, adopting, devices, targets, uids
from curation.errors import CurationError
from curation.executors import EXECUTORS
from curation.files import atomic, fingerprint
from curation.progress import Progress
from curation.scores import SCORES, Score
from curation.scores.base import Column, Data, Scorer, Shard, check_parameters
from curation.workspace import Receipt, ShardFolder, Workspace, now, write_toml

# Raise it when a score's values change for the same parameters, so that they are made again.
VERSION = 1


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
    """Compute every requested score that is not there yet, shard by shard.

    Raises:
        CurationError: a score is unknown, a parameter out of range, or a target missing.
    """
    checked = check(request.scores, request.parameters, bool(request.targets))
    for name, parameters in checked.items():
        _run_one(workspace, SCORES[name], parameters, request, progress)


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
        # The model's temperature goes with every run.
        if value not in (None, ()) and parameter != "temperature" and not set(users) & set(names):
            raise CurationError(
                f"--{parameter.replace('_', '-')} is for the score {' or '.join(users)}, "
                "which is not made: name it with --score"
            )
    return {name: check_parameters(SCORES[name], parameters) for name in names}


def _run_one(
    workspace: Workspace,
    score: Score,
    parameters: Mapping[str, Any],
    request: Request,
    progress: Progress,
) -> None:
    names = request.targets if "target" in score.needs else ()
    # What looks at no embedding is of no model.
    model = request.model if score.needs & {"image", "text"} else ""
    suffix = "" if model in ("", workspace.info().model) else f"_{model}"
    folder = workspace.scores(score.name + suffix)
    stage = workspace.embeddings(model) if model else workspace.samples
    receipts = [stage.receipt(shard) for shard in range(workspace.shard_count())]
    marks = [r.fingerprint for r in receipts if r]
    target_marks = [targets.mark(workspace.target(name), request.model) for name in names]
    # A pool is drawn from the whole dataset, so a score depends on every shard.
    mark = fingerprint(VERSION, score.name, sorted(parameters.items()), names, target_marks, marks)
    pending = [s for s in range(len(marks)) if not folder.is_done(s, mark)]
    if not pending and (folder.path / "score.toml").is_file():
        progress.say(f"{score.title}: done before")
        return
    shards = [
        _shard(workspace, r.rows, shard, model, score) for shard, r in enumerate(receipts) if r
    ]
    total = sum(r.rows for r in receipts if r) * score.passes(parameters)
    made = score.columns(parameters, names)
    named = [column.name for column in made]
    if len(set(named)) < len(named):
        twice = next(name for name in named if named.count(name) > 1)
        raise CurationError(
            f"the parameters and targets of {score.name} give two columns one name: {twice}"
        )
    # Until every shard is made anew, the score is not whole and is not published.
    (folder.path / "score.toml").unlink(missing_ok=True)
    with progress.bar(score.title, total) as bar:
        data = Data(
            shards,
            {name: targets.load(workspace.target(name), request.model) for name in names},
            devices.names(request.device),
            bar.update,
        )
        task = partial(_score_shard, folder, score.prepare(data, parameters), made, suffix, mark)
        executor = EXECUTORS[request.executor]()
        for _ in executor.map(task, [shards[number] for number in pending], data.devices):
            pass
    folder.trim(len(marks))
    write_record(
        workspace,
        folder,
        score=score.name,
        model=model,
        source=score.source,
        parameters=parameters,
        columns=[
            replace(
                c,
                name=c.name + suffix,
                title=f"{c.title} · {model}" if suffix else c.title,
                of=c.of + suffix if c.of else None,
            )
            for c in made
        ],
    )


def _shard(workspace: Workspace, rows: int, index: int, model: str, score: Score) -> Shard:
    file = workspace.samples.file(index, "parquet")

    def columns(names: Sequence[str]) -> pa.Table:
        there = pq.read_schema(file).names
        return pq.read_table(file, columns=[name for name in names if name in there])

    def words() -> uids.Words:
        return uids.to_words(columns(["uid"]).column("uid"))

    embeddings = workspace.embeddings(model)
    image, text = (
        adopting.place(embeddings, index, side) if side in score.needs else None
        for side in ("image", "text")
    )
    return Shard(index, rows, words, image, text, columns)


def _score_shard(
    folder: ShardFolder,
    scorer: Scorer,
    columns: Sequence[Column],
    suffix: str,
    mark: str,
    shard: Shard,
    device: str,
) -> None:
    folder.discard(shard.index)
    values = scorer(shard, device)
    table = pa.table(
        {
            column.name + suffix: pa.array(values[column.name], type=pa.type_for_alias(column.type))
            for column in columns
        }
    )
    with atomic(folder.file(shard.index, "parquet")) as unfinished:
        pq.write_table(table, unfinished)
    folder.finish(shard.index, Receipt(mark, len(shard)))


def write_record(
    workspace: Workspace,
    folder: ShardFolder,
    *,
    score: str,
    model: str,
    source: str,
    parameters: Mapping[str, Any],
    columns: Sequence[Column],
) -> None:
    """score.toml, which makes a score whole: all that is needed to get the same numbers again."""
    write_toml(
        folder.path / "score.toml",
        {
            "score": score,
            "model": model,
            "source": source,
            "version": __version__,
            "created": now(),
            "dataset": dataset_mark(workspace, model),
            "parameters": {
                k: list(v) if isinstance(v, tuple) else v for k, v in parameters.items()
            },
            "columns": [
                {k: v for k, v in asdict(column).items() if v is not None} for column in columns
            ],
        },
    )


def dataset_mark(workspace: Workspace, model: str) -> str:
    """Changes when a sample does, or its embedding by ``model`` ("" for scores without one).

    A score of another state of the dataset is not published.
    """
    folders = [workspace.samples, *([workspace.embeddings(model)] if model else [])]
    receipts = [f.receipt(shard) for f in folders for shard in range(workspace.shard_count())]
    return fingerprint([r.fingerprint if r else None for r in receipts])


def score_folders(workspace: Workspace) -> list[Path]:
    """The folders of finished scores, plain ones before imported ones and other models'."""
    order = {name: position for position, name in enumerate(SCORES)}
    folders = [f.parent for f in workspace.scores_root.glob("*/score.toml")]
    return sorted(folders, key=lambda f: (order.get(f.name, len(order)), f.name))
