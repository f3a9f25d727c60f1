"""The folders in ``scores/``: one for each score, model and target, and its score.toml.

    scores/clip_score/                 of the primary model
    scores/clip_score_<model>/         of another model
    scores/norm_sim.<target>/          a score that measures against targets has a folder for each
    scores/norm_sim_<model>.<target>/

A folder holds a Parquet file and a receipt for each shard, and ``score.toml``, written last: a
folder without it is unfinished and is not published.

Earlier versions kept all targets of a score in one folder (``scores/norm_sim/``). It is published
as it is until ``score``, ``add-target`` or ``remove-target`` replaces it with one for each target.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from curation import __version__
from curation.catalog.columns import ALL_TARGETS
from curation.errors import CurationError
from curation.pipeline import targets
from curation.scores import SCORES, Score
from curation.scores.base import Column, check_parameters
from curation.storage.atomic import fingerprint
from curation.storage.workspace import ShardFolder, Store, Workspace, now, read_toml, write_toml

# Increase it when a score's values change for the same parameters: every score is then made again.
VERSION = 1

_RECORD = "score.toml"


@dataclass(frozen=True)
class Measurement:
    """What one score folder holds, or is to hold.

    Attributes:
        model: whose embeddings it is made from; "" for scores that use none.
        target: the target it measures against; None for scores that need none.
    """

    score: Score
    parameters: Mapping[str, Any]
    model: str
    target: Store | None = None

    @property
    def target_name(self) -> str:
        return "" if self.target is None else self.target.path.name

    def folder_name(self, workspace: Workspace) -> str:
        """The name of its folder in ``scores/``."""
        stem = self.score.name + _suffix(workspace, self.model)
        return stem if self.target is None else f"{stem}.{self.target_name}"

    def columns(self) -> list[Column]:
        """Its columns, named as for the primary model."""
        names = () if self.target is None else (self.target_name,)
        return self.score.columns(self.parameters, names)

    def mark(self, workspace: Workspace) -> str:
        """The fingerprint of its shards: of everything that they are made from."""
        stage = embeddings_or_samples(workspace, self.model)
        receipts = [stage.receipt(shard) for shard in range(workspace.shard_count())]
        measured = [] if self.target is None else [targets.mark(self.target, self.model)]
        names = () if self.target is None else (self.target_name,)
        # A pool is drawn from the whole dataset, so every shard depends on all shards.
        marks = [receipt.fingerprint for receipt in receipts if receipt]
        parameters = sorted(self.parameters.items())
        return fingerprint(VERSION, self.score.name, parameters, names, measured, marks)

    def is_done(self, workspace: Workspace) -> bool:
        """Whether its folder in the workspace is finished and up to date."""
        folder = workspace.scores(self.folder_name(workspace))
        mark, shards = self.mark(workspace), range(workspace.shard_count())
        return is_finished(folder) and all(folder.is_done(shard, mark) for shard in shards)


@dataclass(frozen=True)
class ScoreRecord:
    """score.toml: what a finished folder holds, with all that is needed to make it again.

    Attributes:
        dataset: the ``dataset_mark`` of the samples and embeddings that it was made from.
        target: what it measures against; "" for none, and in an earlier version's folder.
        target_mark: the ``target_mark`` of that target.
    """

    path: Path
    score: str
    model: str
    source: str
    version: str
    created: str
    dataset: str
    parameters: Mapping[str, Any]
    columns: tuple[Column, ...]
    target: str = ""
    target_mark: str = ""

    def outdated_by(self, workspace: Workspace) -> str:
        """What has changed since: "the dataset", "the target NAME", or "" for nothing."""
        if self.dataset != dataset_mark(workspace, self.model):
            return "the dataset"
        store = workspace.target(self.target)
        if self.target and self.target_mark != target_mark(store, self.model):
            return f"the target {self.target}"
        return ""


def finished(workspace: Workspace) -> list[ScoreRecord]:
    """The records of the finished folders, in the order of their columns in the catalog.

    Raises:
        CurationError: a score.toml is damaged.
    """
    return in_order(_read(file) for file in workspace.scores_root.glob(f"*/{_RECORD}"))


def in_order(records: Iterable[ScoreRecord]) -> list[ScoreRecord]:
    """The primary model's scores before imported ones and other models'; all targets last."""
    order = {name: position for position, name in enumerate(SCORES)}

    def key(record: ScoreRecord) -> tuple[int, str, bool, str]:
        stem = record.path.name.removesuffix(f".{record.target}")
        is_all = record.target == ALL_TARGETS
        return order.get(stem, len(order)), stem, is_all, record.target

    return sorted(records, key=key)


def measurements(workspace: Workspace, record: ScoreRecord) -> list[Measurement]:
    """What a finished folder measures against each target: one, or several of an earlier version.

    Targets that the workspace no longer has are left out.
    """
    score = SCORES[record.score]
    parameters = check_parameters(score, record.parameters)
    if record.target:
        settings = {record.target: parameters}
    else:
        names = dict.fromkeys(
            c.target for c in record.columns if c.target not in (None, ALL_TARGETS)
        )
        settings = {n: _parameters_toward(workspace, record, parameters, n) for n in names if n}
    return [
        Measurement(score, settings[name], record.model, workspace.target(name))
        for name in settings
        if name in workspace.targets()
    ]


def is_earlier_layout(record: ScoreRecord) -> bool:
    """Whether a folder holds all targets of a score, as earlier versions wrote it."""
    return record.score in SCORES and "target" in SCORES[record.score].needs and not record.target


def is_finished(folder: ShardFolder) -> bool:
    """Whether a folder has its score.toml."""
    return (folder.path / _RECORD).is_file()


def open_again(folder: ShardFolder) -> None:
    """Mark a folder as unfinished, before its shards are made again."""
    (folder.path / _RECORD).unlink(missing_ok=True)


def write_record(
    workspace: Workspace,
    folder: ShardFolder,
    *,
    score: str,
    model: str,
    source: str,
    parameters: Mapping[str, Any],
    columns: Sequence[Column],
    target: Store | None = None,
) -> None:
    """Write score.toml, which makes a folder finished."""
    record = {
        "score": score,
        "model": model,
        "source": source,
        "version": __version__,
        "created": now(),
        "dataset": dataset_mark(workspace, model),
    }
    if target is not None:
        record |= {"target": target.path.name, "target_mark": target_mark(target, model)}
    settings = {k: list(v) if isinstance(v, tuple) else v for k, v in parameters.items()}
    described = [{k: v for k, v in asdict(c).items() if v is not None} for c in columns]
    write_toml(folder.path / _RECORD, {**record, "parameters": settings, "columns": described})


def dataset_mark(workspace: Workspace, model: str) -> str:
    """Changes when a sample does, or its embedding by ``model`` ("" for scores without one)."""
    folders = [workspace.samples, *([workspace.embeddings(model)] if model else [])]
    receipts = [f.receipt(shard) for f in folders for shard in range(workspace.shard_count())]
    return fingerprint([r.fingerprint if r else None for r in receipts])


def target_mark(target: Store, model: str) -> str:
    """Changes when a target's embeddings by ``model`` do."""
    return fingerprint(targets.mark(target, model))


def of_model(workspace: Workspace, column: Column, model: str) -> Column:
    """A column as the catalog names it: with the model, unless that is the primary one."""
    suffix = _suffix(workspace, model)
    if not suffix:
        return column
    return replace(
        column,
        name=column.name + suffix,
        title=f"{column.title} · {model}",
        of=column.of + suffix if column.of else None,
    )


def embeddings_or_samples(workspace: Workspace, model: str) -> ShardFolder:
    """The shards that a score of this model ("" for none) is made from."""
    return workspace.embeddings(model) if model else workspace.samples


def _read(file: Path) -> ScoreRecord:
    values = read_toml(file)
    try:
        columns = tuple(Column(**column) for column in values["columns"])
        return ScoreRecord(path=file.parent, **{**values, "columns": columns})
    except (KeyError, TypeError) as error:
        raise CurationError(
            f"{file} is damaged ({error}): delete {file.parent} and score it again"
        ) from None


def _parameters_toward(
    workspace: Workspace, record: ScoreRecord, parameters: Mapping[str, Any], target: str
) -> dict[str, Any]:
    """The norms and sides among ``parameters`` for which there is a column toward this target."""
    score = SCORES[record.score]
    present = {column.name for column in record.columns}
    several = [parameter.name for parameter in score.parameters if parameter.multiple]
    used: dict[str, set[Any]] = {name: set() for name in several}
    for values in product(*(parameters[name] for name in several)):
        single = {name: (value,) for name, value in zip(several, values, strict=True)}
        column = score.columns({**parameters, **single}, [target])[0]
        if of_model(workspace, column, record.model).name in present:
            for name, value in zip(several, values, strict=True):
                used[name].add(value)
    chosen = {name: tuple(v for v in parameters[name] if v in used[name]) for name in several}
    return {**parameters, **chosen}


def _suffix(workspace: Workspace, model: str) -> str:
    return "" if model in ("", workspace.info().model) else f"_{model}"
