"""Adding, replacing and removing targets of a scored workspace; the dataset is not read again.

A target has a folder ``targets/<target>/`` and score folders ``scores/<score>.<target>/``. Adding
one makes these folders, removing one deletes them, and no other target is measured again. All
folders take effect together: a target that cannot be used changes nothing, and a run that is
stopped leaves the old target or the new one (see ``staging``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from curation.catalog.catalog import Catalog
from curation.catalog.columns import ALL_TARGETS
from curation.errors import CurationError
from curation.models.encoder import ModelSpec
from curation.pipeline import (
    all_targets,
    publish,
    recorded_model,
    score,
    score_folders,
    target_embedding,
    targets,
)
from curation.pipeline.score_folders import Measurement, ScoreRecord
from curation.pipeline.staging import commit, staged
from curation.pipeline.targets import TargetSource
from curation.progress import Progress
from curation.scores import SCORES
from curation.scores.base import Floats, check_parameters
from curation.scores.norm_sim import SCORE
from curation.selection.decisions import Decisions
from curation.selection.recipe_columns import selections_using
from curation.storage.workspace import Store, Workspace


@dataclass(frozen=True)
class AddOptions:
    """How to measure against a target; what is not given is as with the other targets.

    Attributes:
        norms, sides: NormSim's ``p`` and ``target_side``.
        model: embeds the target where the workspace does not record its own model.

    Raises:
        CurationError: a norm or a side is out of range.
    """

    norms: tuple[float, ...] = ()
    sides: tuple[str, ...] = ()
    model: ModelSpec | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        check_parameters(SCORE, {"p": self.norms, "target_side": self.sides})


@dataclass(frozen=True)
class Change:
    """The result of a change.

    Attributes:
        columns: NormSim's columns toward the target that was added, or all that were removed.
        is_new: False where everything was done before.
    """

    columns: tuple[str, ...]
    is_new: bool = True


def add(
    workspace: Workspace, target: TargetSource, options: AddOptions, progress: Progress
) -> Change:
    """Measure a scored dataset against one more target by NormSim, or replace a target.

    Columns of other scores toward a target that is replaced are deleted, with a warning.

    Raises:
        CurationError: the target or the model cannot be used, or the dataset has changed since it
            was scored. All scores are then as they were.
    """
    with workspace.lock(), staged(workspace, target.name) as staging:
        records = score_folders.finished(workspace)
        models = _models(workspace, records)
        before = _columns(workspace)
        measured = _measurements(workspace, records)
        old = workspace.target(target.name)
        old_marks = {model: targets.mark(old, model) for model in models}
        store = target_embedding.read(
            workspace, staging, target, models, options.model, options.device, progress
        )
        is_replaced = any(targets.mark(store, m) != mark for m, mark in old_marks.items())
        added = [
            Measurement(SCORE, _parameters(store, model, measured, options, progress), model, store)
            for model in models
            if any(store.embeddings(model).path.glob("[0-9]*.npy"))
        ]
        others = [m for m in measured if m.target_name == target.name and m.score is not SCORE]
        kept = [m for m in measured if m.target_name != target.name]
        kept += [] if is_replaced else others
        for model in models:
            same = [m for m in (*kept, *added) if m.score is SCORE and m.model == model]
            all_targets.check_distinct(same)
        made = _make(workspace, staging, [*kept, *added], options.device, progress)
        dropped = _folders_toward(workspace, target.name, [*kept, *added]) if is_replaced else []
        moved = [f"targets/{target.name}"] if store.path != old.path else []
        commit(workspace, [*moved, *made], [*dropped, *_earlier_layout(workspace, records)])
        columns = tuple(
            score_folders.of_model(workspace, column, measurement.model).name
            for measurement in added
            for column in measurement.columns()
        )
        if not made and _is_published(workspace):
            progress.say(f"Target {target.name}: nothing to do")
            return Change(columns, is_new=False)
        publish.publish(workspace, progress)
        if is_replaced:
            _warn_dropped(workspace, others, progress)
        changed = {n for n, toward in before.items() if toward in (target.name, ALL_TARGETS)}
        _warn_selections(workspace, before, changed if made else set(), progress)
    return Change(columns)


def remove(workspace: Workspace, name: str, progress: Progress) -> Change:
    """Delete a target, its embeddings and every column toward it.

    Raises:
        CurationError: there is no such target.
    """
    with workspace.lock(), staged(workspace, name) as staging:
        records = score_folders.finished(workspace)
        before = _columns(workspace)
        gone = [column for column, target in before.items() if target == name]
        if name == ALL_TARGETS or not (gone or name in workspace.targets()):
            known = ", ".join(workspace.targets()) or "none"
            raise CurationError(f"there is no target {name!r}; there are: {known}")
        kept = [m for m in _measurements(workspace, records) if m.target_name != name]
        made = _make(workspace, staging, kept, "auto", progress)
        folders = _folders_toward(workspace, name, kept)
        deleted = [*folders, *_earlier_layout(workspace, records), f"targets/{name}"]
        commit(workspace, made, deleted)
        publish.publish(workspace, progress)
        changed = {column for column, target in before.items() if target == ALL_TARGETS}
        _warn_selections(workspace, before, changed if gone else set(), progress)
    return Change(tuple(gone))


def _models(workspace: Workspace, records: Sequence[ScoreRecord]) -> list[str]:
    """The primary model, and the others that have a NormSim."""
    primary = workspace.info().model
    recorded_model.is_ready_made(workspace, primary)  # raises where there are no embeddings
    others = {record.model for record in records if record.score == SCORE.name} - {primary}
    return [primary, *sorted(others)]


def _measurements(workspace: Workspace, records: Sequence[ScoreRecord]) -> list[Measurement]:
    """What the workspace measures against targets now.

    Raises:
        CurationError: NormSim is of an earlier state of the dataset.
    """
    found: list[Measurement] = []
    for record in _toward_targets(records):
        if record.dataset == score_folders.dataset_mark(workspace, record.model):
            found += score_folders.measurements(workspace, record)
        elif record.score == SCORE.name:
            raise CurationError(
                f"the scores in {workspace.path} are of an earlier state of the dataset; "
                "run its `score` command again first"
            )
    return found


def _toward_targets(records: Sequence[ScoreRecord]) -> list[ScoreRecord]:
    return [r for r in records if r.score in SCORES and "target" in SCORES[r.score].needs]


def _parameters(
    store: Store,
    model: str,
    measured: Sequence[Measurement],
    options: AddOptions,
    progress: Progress,
) -> dict[str, Any]:
    """NormSim's parameters toward a target: as asked for, as before, or as with most targets."""
    name = store.path.name
    target = targets.load(store, model)
    has = {"image": _is_usable(target.image), "text": _is_usable(target.text)}
    if not any(has.values()):
        raise CurationError(f"the target {name} has no item that can be used")
    has["both"] = all(has.values())
    settings = {
        m.target_name: (m.parameters["p"], m.parameters["target_side"])
        for m in measured
        if m.score is SCORE and m.model == model
    }
    defaults = check_parameters(SCORE, {})
    usual = Counter(settings.values()).most_common(1) or [
        ((defaults["p"], defaults["target_side"]), 0)
    ]
    norms, sides = settings.get(name, usual[0][0])
    sides = options.sides or tuple(side for side in sides if has[side])
    if not sides:
        side, noun, other = (
            ("image", "images", "captions") if has["image"] else ("text", "captions", "images")
        )
        progress.say(f"Target {name} has no {other}: it is measured by its {noun}")
        sides = (side,)
    return {"p": options.norms or norms, "target_side": sides}


def _is_usable(rows: Floats | None) -> bool:
    return rows is not None and bool(np.isfinite(rows).all(axis=1).any())


def _make(
    workspace: Workspace,
    staging: Workspace,
    measurements: Sequence[Measurement],
    device: str,
    progress: Progress,
) -> list[str]:
    """Score what is not up to date into the staging folder; the folders made there."""
    pending = [m for m in measurements if not m.is_done(workspace)]
    for measurement in pending:
        stage = workspace.embeddings(measurement.model)
        if any(stage.receipt(shard) is None for shard in range(workspace.shard_count())):
            raise CurationError(
                f"{workspace.path} is not embedded to the end; run its `score` command again first"
            )
    names = [measurement.folder_name(workspace) for measurement in pending]
    for measurement, name in zip(pending, names, strict=True):
        score.make(workspace, measurement, staging.scores(name), progress, device=device)
    return [f"scores/{name}" for name in names]


def _folders_toward(workspace: Workspace, target: str, kept: Sequence[Measurement]) -> list[str]:
    """The score folders toward a target, finished or not, besides those that are kept."""
    names = {measurement.folder_name(workspace) for measurement in kept}
    folders = sorted(path.name for path in workspace.scores_root.glob(f"*.{target}"))
    return [f"scores/{name}" for name in folders if name not in names]


def _earlier_layout(workspace: Workspace, records: Sequence[ScoreRecord]) -> list[str]:
    """The folders of all targets that folders of one target each replace now."""
    return [
        f"scores/{record.path.name}"
        for record in _toward_targets(records)
        if score_folders.is_earlier_layout(record) and not record.outdated_by(workspace)
    ]


def _is_published(workspace: Workspace) -> bool:
    records = workspace.scores_root.glob("*/score.toml")
    newest = max((record.stat().st_mtime_ns for record in records), default=0)
    return workspace.catalog.is_file() and workspace.catalog.stat().st_mtime_ns >= newest


def _columns(workspace: Workspace) -> dict[str, str]:
    """The catalog's columns, and the target that they measure against or ""."""
    if not workspace.catalog.is_file():
        return {}
    return {name: column.target for name, column in Catalog.of(workspace).columns.items()}


def _warn_dropped(
    workspace: Workspace, measurements: Sequence[Measurement], progress: Progress
) -> None:
    """Name the columns of other scores that went with the former content of a target."""
    for measurement in measurements:
        names = [
            score_folders.of_model(workspace, column, measurement.model).name
            for column in measurement.columns()
        ]
        progress.warn(
            f"{' and '.join(names)} measured against the former {measurement.target_name} and "
            f"{'is' if len(names) == 1 else 'are'} deleted; "
            f"`score --score {measurement.score.name}` makes such columns again"
        )


def _warn_selections(
    workspace: Workspace, before: Mapping[str, str], changed: set[str], progress: Progress
) -> None:
    """Name the saved selections that refer to columns that are gone, or have other values now."""
    decisions, now = Decisions.of(workspace), _columns(workspace)
    for name, columns in selections_using(decisions, set(before) - set(now)).items():
        progress.warn(
            f"the saved selection {name} refers to {' and '.join(columns)}, which "
            f"{'is' if len(columns) == 1 else 'are'} gone: it can no longer be applied"
        )
    for name, columns in selections_using(decisions, changed & set(now)).items():
        progress.warn(
            f"the saved selection {name} refers to {' and '.join(columns)}, whose values have "
            "changed: it may choose other samples now"
        )
