"""The score stage: embeddings into ``scores/``, one folder a score and model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation import __version__, uids
from curation.errors import CurationError
from curation.executors import EXECUTORS
from curation.models import devices
from curation.pipeline import ready_made, targets
from curation.progress import Progress
from curation.scores import SCORES, Score
from curation.scores.base import Column, Data, Scorer, Shard, check_parameters
from curation.storage.atomic import atomic, fingerprint
from curation.storage.workspace import Receipt, ShardFolder, Store, Workspace, now, write_toml

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
    folder = folder_of(workspace, score, model)
    marked = mark(workspace, score, parameters, {n: workspace.target(n) for n in names}, model)
    every = shards(workspace, score, model)
    pending = [shard for shard in every if not folder.is_done(shard.index, marked)]
    if not pending and (folder.path / "score.toml").is_file():
        progress.say(f"{score.title}: done before")
        return
    total = sum(map(len, every)) * score.passes(parameters)
    made = score.columns(parameters, names)
    check_distinct(score, made)
    # Until every shard is made anew, the score is not whole and is not published.
    (folder.path / "score.toml").unlink(missing_ok=True)
    with progress.bar(score.title, total) as bar:
        data = Data(
            every,
            {name: targets.load(workspace.target(name), request.model) for name in names},
            devices.names(request.device),
            bar.update,
        )
        own = [of_model(workspace, column, model) for column in made]
        task = partial(_score_shard, folder, score.prepare(data, parameters), made, own, marked)
        executor = EXECUTORS[request.executor]()
        for _ in executor.map(task, pending, data.devices):
            pass
    folder.trim(len(every))
    write_record(
        workspace,
        folder,
        score=score.name,
        model=model,
        source=score.source,
        parameters=parameters,
        columns=own,
    )


def folder_of(workspace: Workspace, score: Score, model: str) -> ShardFolder:
    """Where a score of a model lies; the plain name is the primary model's."""
    return workspace.scores(score.name + _suffix(workspace, model))


def of_model(workspace: Workspace, column: Column, model: str) -> Column:
    """A column as it is called in the catalog: another model than the primary one is named."""
    suffix = _suffix(workspace, model)
    if not suffix:
        return column
    return replace(
        column,
        name=column.name + suffix,
        title=f"{column.title} · {model}",
        of=column.of + suffix if column.of else None,
    )


def mark(
    workspace: Workspace,
    score: Score,
    parameters: Mapping[str, Any],
    measured: Mapping[str, Store],
    model: str,
) -> str:
    """The fingerprint of a score's shards: what it was made from.

    Args:
        measured: the targets that it measures against, by name.
    """
    stage = _stage(workspace, model)
    receipts = [stage.receipt(shard) for shard in range(workspace.shard_count())]
    marks = [r.fingerprint for r in receipts if r]
    target_marks = [targets.mark(store, model) for store in measured.values()]
    # A pool is drawn from the whole dataset, so a score depends on every shard.
    return fingerprint(
        VERSION, score.name, sorted(parameters.items()), tuple(measured), target_marks, marks
    )


def shards(workspace: Workspace, score: Score, model: str) -> list[Shard]:
    """What a score looks at, shard by shard."""
    stage = _stage(workspace, model)
    receipts = [stage.receipt(shard) for shard in range(workspace.shard_count())]
    return [_shard(workspace, r.rows, n, model, score) for n, r in enumerate(receipts) if r]


def check_distinct(score: Score, columns: Sequence[Column]) -> None:
    """Raises:
    CurationError: two columns have one name.
    """
    names = [column.name for column in columns]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise CurationError(
            f"the parameters and targets of {score.name} give two columns one name: {twice}"
        )


def _suffix(workspace: Workspace, model: str) -> str:
    return "" if model in ("", workspace.info().model) else f"_{model}"


def _stage(workspace: Workspace, model: str) -> ShardFolder:
    return workspace.embeddings(model) if model else workspace.samples


def _shard(workspace: Workspace, rows: int, index: int, model: str, score: Score) -> Shard:
    file = workspace.samples.file(index, "parquet")

    def columns(names: Sequence[str]) -> pa.Table:
        there = pq.read_schema(file).names
        return pq.read_table(file, columns=[name for name in names if name in there])

    def words() -> uids.Words:
        return uids.to_words(columns(["uid"]).column("uid"))

    embeddings = workspace.embeddings(model)
    image, text = (
        ready_made.place(embeddings, index, side) if side in score.needs else None
        for side in ("image", "text")
    )
    return Shard(index, rows, words, image, text, columns)


def _score_shard(
    folder: ShardFolder,
    scorer: Scorer,
    columns: Sequence[Column],
    own: Sequence[Column],
    marked: str,
    shard: Shard,
    device: str,
) -> None:
    folder.discard(shard.index)
    values = scorer(shard, device)
    made = [pa.array(values[c.name], type=pa.type_for_alias(c.type)) for c in columns]
    write_shard(folder, shard, pa.table(made, [column.name for column in own]), marked)


def write_shard(folder: ShardFolder, shard: Shard, table: pa.Table, marked: str) -> None:
    """A shard's scores, and the receipt after them."""
    with atomic(folder.file(shard.index, "parquet")) as unfinished:
        pq.write_table(table, unfinished)
    folder.finish(shard.index, Receipt(marked, len(shard)))


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
