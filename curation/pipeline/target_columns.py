"""A score's columns by target: what there are, with a target more or less, and `all` anew.

Each target's columns depend on no other target. So those that are there are copied, and only what
is new is computed; the files are the very ones that ``score`` with all of the targets would write.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.catalog.columns import ALL_TARGETS
from curation.errors import CurationError
from curation.executors import EXECUTORS
from curation.models import devices
from curation.pipeline import score as scoring
from curation.pipeline import target_settings, targets
from curation.pipeline.target_settings import Setting, toward
from curation.progress import Progress
from curation.scores import SCORES
from curation.scores.base import Column, Data, Scorer, Shard, Target, check_parameters
from curation.scores.norm_sim import SCORE, together
from curation.storage.atomic import fingerprint
from curation.storage.workspace import ShardFolder, Store, Workspace, read_toml


@dataclass(frozen=True)
class Standing:
    """NormSim of one model, as it is in a workspace.

    Attributes:
        settings: of the targets it measures against, by name, in the order of their columns.
        is_current: whether what is there was made of the targets and embeddings that are there.
    """

    model: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    is_current: bool = True


def standing(workspace: Workspace, model: str) -> Standing:
    """What NormSim of this model measures against.

    Raises:
        CurationError: it is of an earlier state of the dataset.
    """
    folder = scoring.folder_of(workspace, SCORE, model)
    if not (folder.path / "score.toml").is_file():
        return Standing(model)
    record = read_toml(folder.path / "score.toml")
    if record["dataset"] != scoring.dataset_mark(workspace, model):
        raise CurationError(
            f"the scores in {workspace.path} are of an earlier state of the dataset; "
            "run its `score` command again first"
        )
    parameters = check_parameters(SCORE, record["parameters"])
    norms, sides = parameters["p"], parameters["target_side"]
    there = {column["name"] for column in record["columns"]}
    settings = {}
    for name in dict.fromkeys(column["target"] for column in record["columns"]):
        pairs = [
            (p, side)
            for side in sides
            for p in norms
            if scoring.of_model(workspace, toward(p, side, [name])[0], model).name in there
        ]
        # One whose files somebody deleted is measured against no more.
        if name != ALL_TARGETS and name in workspace.targets():
            found = [set(part) for part in zip(*pairs, strict=True)]
            settings[name] = Setting(
                tuple(p for p in norms if p in found[0]),
                tuple(side for side in sides if side in found[1]),
            )
    stores = {name: workspace.target(name) for name in settings}
    marked = mark(workspace, model, settings, stores)
    count = range(workspace.shard_count())
    return Standing(model, settings, all(folder.is_done(shard, marked) for shard in count))


def mark(
    workspace: Workspace,
    model: str,
    settings: Mapping[str, Setting],
    stores: Mapping[str, Store],
) -> str:
    """The fingerprint of NormSim's shards; that of ``score``, where it would make the same."""
    kinds = list(dict.fromkeys(settings.values()))
    made = scoring.mark(workspace, SCORE, target_settings.parameters(settings), stores, model)
    return made if len(kinds) == 1 else fingerprint(made, sorted(settings.items(), key=_name))


def build(
    workspace: Workspace,
    into: ShardFolder,
    was: Standing,
    settings: Mapping[str, Setting],
    stores: Mapping[str, Store],
    anew: Collection[str],
    device: str,
    progress: Progress,
) -> None:
    """Write NormSim toward these targets ``into`` a folder; goes on where it was stopped.

    Args:
        was: what is there, from which the columns of all but the targets ``anew`` are taken.
        stores: where the targets' embeddings are, by name.

    Raises:
        CurationError: a target has nothing on a side, or its embeddings have another length.
    """
    model = was.model
    every = scoring.shards(workspace, SCORE, model)
    if len(every) < workspace.shard_count():
        raise CurationError(
            f"{workspace.path} is not embedded to the end; run its `score` command again first"
        )
    # What is copied and not of what is there now is made anew by the next ``score``.
    is_known = was.is_current or set(anew) >= set(settings)
    marked = mark(workspace, model, settings, stores) if is_known else ""
    made = target_settings.columns(settings)
    pending = [shard for shard in every if not into.is_done(shard.index, marked)]
    groups = _groups({name: settings[name] for name in anew})
    loaded = {name: targets.load(stores[name], model) for name in anew}
    total = sum(map(len, every)) * max(1, len(groups))
    with progress.bar(SCORE.title, total) as bar:
        # Dropping a target computes nothing, and torch takes seconds to load.
        places = devices.names(device) if groups else ("cpu",)
        scorers = [
            SCORE.prepare(Data(every, _some(loaded, names), places, bar.update), setting.parameters)
            for setting, names in groups.items()
        ]
        old = scoring.folder_of(workspace, SCORE, model)
        task = partial(_score_shard, workspace, old, into, scorers, made, settings, model, marked)
        for _ in EXECUTORS["local"]().map(task, pending, places):
            pass
        if not groups:
            bar.update(total)
    into.trim(len(every))
    scoring.write_record(
        workspace,
        into,
        score=SCORE.name,
        model=model,
        source=SCORE.source,
        parameters=target_settings.parameters(settings),
        columns=[scoring.of_model(workspace, column, model) for column in made],
    )


def without(workspace: Workspace, folder: ShardFolder, into: ShardFolder, target: str) -> bool:
    """Write another score than NormSim ``into`` a folder without a target; False: nothing left."""
    record = read_toml(folder.path / "score.toml")
    kept = [Column(**c) for c in record["columns"] if c.get("target") != target]
    if not kept:
        return False
    score, model = SCORES[record["score"]], record["model"]
    parameters = check_parameters(score, record["parameters"])
    names = dict.fromkeys(c.get("target") for c in record["columns"] if c.get("target"))
    stores = {name: workspace.target(name) for name in names}
    before = scoring.mark(workspace, score, parameters, stores, model)
    after = scoring.mark(workspace, score, parameters, _without(stores, target), model)
    for shard in scoring.shards(workspace, score, model):
        table = pq.read_table(folder.file(shard.index, "parquet"))
        marked = after if folder.is_done(shard.index, before) else ""
        scoring.write_shard(into, shard, table.select([c.name for c in kept]), marked)
    scoring.write_record(
        workspace,
        into,
        score=score.name,
        model=model,
        source=record["source"],
        parameters=parameters,
        columns=kept,
    )
    return True


def _score_shard(
    workspace: Workspace,
    old: ShardFolder,
    into: ShardFolder,
    scorers: Sequence[Scorer],
    made: Sequence[Column],
    settings: Mapping[str, Setting],
    model: str,
    marked: str,
    shard: Shard,
    device: str,
) -> None:
    values: dict[str, Any] = {}
    for scorer in scorers:
        values |= scorer(shard, device)
    before = old.file(shard.index, "parquet")
    own = {column.name: scoring.of_model(workspace, column, model).name for column in made}
    kept = [c.name for c in made if c.name not in values and c.target != ALL_TARGETS]
    if kept:
        table = pq.read_table(before, columns=[own[name] for name in kept])
        values |= {name: table.column(own[name]).combine_chunks() for name in kept}
    # Over every target, those that were computed together now and those that were there.
    for column, p, side, names in target_settings.shared(settings):
        each = {
            toward(p, side, [n])[0].name: np.asarray(values[toward(p, side, [n])[0].name])
            for n in names
        }
        with np.errstate(invalid="ignore"):
            values[column.name] = together(each, (p,), (side,), names)[column.name]
    arrays = [pa.array(values[c.name], type=pa.type_for_alias(c.type)) for c in made]
    into.discard(shard.index)
    scoring.write_shard(into, shard, pa.table(arrays, list(own.values())), marked)


def _groups(settings: Mapping[str, Setting]) -> dict[Setting, list[str]]:
    groups: dict[Setting, list[str]] = {}
    for name, setting in settings.items():
        groups.setdefault(setting, []).append(name)
    return groups


def _some(loaded: Mapping[str, Target], names: Sequence[str]) -> dict[str, Target]:
    return {name: loaded[name] for name in names}


def _without(stores: Mapping[str, Store], target: str) -> dict[str, Store]:
    return {name: store for name, store in stores.items() if name != target}


def _name(item: tuple[str, Setting]) -> str:
    return item[0]
