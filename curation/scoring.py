"""The score stage: embeddings into ``scores/``, one folder a score and model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation import __version__, targets, uids
from curation.errors import CurationError
from curation.files import atomic, fingerprint
from curation.progress import Progress
from curation.scores import SCORES, Score
from curation.scores.base import Column, Data, Shard, check_parameters
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


def run(workspace: Workspace, request: Request, progress: Progress) -> None:
    """Compute every requested score that is not there yet, shard by shard.

    Raises:
        CurationError: a score is unknown, a parameter out of range, or a target missing.
    """
    names = request.scores or _default_scores(request)
    unknown = [name for name in names if name not in SCORES]
    if unknown:
        raise CurationError(
            f"there is no score {unknown[0]!r}; there are {', '.join(sorted(SCORES))}"
        )
    checked = {name: check_parameters(SCORES[name], request.parameters) for name in names}
    for name, parameters in checked.items():
        _run_one(workspace, SCORES[name], parameters, request, progress)


def _default_scores(request: Request) -> tuple[str, ...]:
    return tuple(n for n, s in SCORES.items() if request.targets or "target" not in s.needs)


def _run_one(
    workspace: Workspace,
    score: Score,
    parameters: Mapping[str, Any],
    request: Request,
    progress: Progress,
) -> None:
    uses_targets = "target" in score.needs
    if uses_targets and not request.targets:
        raise CurationError(f"the score {score.name} needs --target NAME=SOURCE")
    names = request.targets if uses_targets else ()
    suffix = "" if request.model == workspace.info().model else f"_{request.model}"
    folder = workspace.scores(score.name + suffix)
    embeddings = workspace.embeddings(request.model)
    receipts = [embeddings.receipt(shard) for shard in range(workspace.shard_count())]
    marks = [r.fingerprint for r in receipts if r]
    target_marks = [targets.mark(workspace.target(name), request.model) for name in names]
    # A pool is drawn from the whole dataset, so a score depends on every shard.
    mark = fingerprint(VERSION, score.name, sorted(parameters.items()), names, target_marks, marks)
    pending = [s for s in range(len(marks)) if not folder.is_done(s, mark)]
    if not pending and (folder.path / "score.toml").is_file():
        progress.say(f"{score.title}: done before")
        return
    shards = [_shard(workspace, embeddings, shard, score) for shard in range(len(marks))]
    total = sum(r.rows for r in receipts if r) * score.passes(parameters)
    made = score.columns(parameters, names)
    if len({column.name for column in made}) < len(made):
        raise CurationError(f"the parameters of {score.name} give two columns one name")
    # Until every shard is made anew, the score is not whole and is not published.
    (folder.path / "score.toml").unlink(missing_ok=True)
    with progress.bar(score.title, total) as bar:
        data = Data(
            shards,
            {name: targets.load(workspace.target(name), request.model) for name in names},
            request.device,
            bar.update,
        )
        scorer = score.prepare(data, parameters)
        for shard in pending:
            folder.discard(shard)
            columns = scorer(shards[shard])
            _write(folder, shard, {k + suffix: v for k, v in columns.items()})
            folder.finish(shard, Receipt(mark, len(shards[shard])))
    folder.trim(len(marks))
    write_record(
        workspace,
        folder,
        score=score.name,
        model=request.model,
        source=score.source,
        parameters=parameters,
        columns=[
            replace(
                c,
                name=c.name + suffix,
                title=f"{c.title} · {request.model}" if suffix else c.title,
                of=c.of + suffix if c.of else None,
            )
            for c in score.columns(parameters, names)
        ],
    )


def _shard(workspace: Workspace, embeddings: ShardFolder, index: int, score: Score) -> Shard:
    samples = workspace.samples.file(index, "parquet")

    def words() -> uids.Words:
        return uids.to_words(pq.read_table(samples, columns=["uid"]).column("uid"))

    text = embeddings.file(index, "text.npy") if "text" in score.needs else None
    return Shard(index, words, embeddings.file(index, "image.npy"), text)


def _write(folder: ShardFolder, shard: int, columns: Mapping[str, Any]) -> None:
    table = pa.table({name: np.asarray(v, dtype=np.float32) for name, v in columns.items()})
    with atomic(folder.file(shard, "parquet")) as partial:
        pq.write_table(table, partial)


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
    folder = workspace.embeddings(model) if model else workspace.samples
    receipts = [folder.receipt(shard) for shard in range(workspace.shard_count())]
    return fingerprint([r.fingerprint for r in receipts if r])


def score_folders(workspace: Workspace) -> list[Path]:
    """The folders of finished scores, plain ones before imported ones and other models'."""
    order = {name: position for position, name in enumerate(SCORES)}
    folders = [f.parent for f in workspace.scores_root.glob("*/score.toml")]
    return sorted(folders, key=lambda f: (order.get(f.name, len(order)), f.name))
