"""A target more or less in a scored workspace: NormSim follows; the dataset is not read again.

What is new is made beside the workspace's files, in ``.retarget``, and takes their place once it
is whole: a target that cannot be used changes nothing, and a stopped run goes on where it stopped.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curation.catalog.columns import ALL_TARGETS
from curation.errors import CurationError
from curation.models.encoder import ModelSpec
from curation.pipeline import (
    publish,
    recorded_model,
    score,
    target_columns,
    target_embedding,
    target_settings,
    targets,
)
from curation.pipeline.target_columns import Standing
from curation.pipeline.target_settings import Setting
from curation.pipeline.targets import TargetSource
from curation.progress import Progress
from curation.scores.base import Floats, check_parameters
from curation.scores.norm_sim import SCORE
from curation.selection.decisions import Decisions
from curation.selection.recipe_columns import selections_using
from curation.storage.atomic import atomic
from curation.storage.workspace import ShardFolder, Store, Workspace, read_toml

_BESIDE = ".retarget"


@dataclass(frozen=True)
class Wish:
    """How to measure against a target; what is not said is as with the other targets.

    Attributes:
        norms, sides: NormSim's ``p`` and ``target_side``.
        model: what embeds the target, where the workspace cannot tell.
    """

    norms: tuple[float, ...] = ()
    sides: tuple[str, ...] = ()
    model: ModelSpec | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        check_parameters(SCORE, {"p": self.norms, "target_side": self.sides})


@dataclass(frozen=True)
class Change:
    """What came of it: the target's columns of NormSim, and whether anything was to be done."""

    columns: tuple[str, ...]
    anew: bool = True


def add(workspace: Workspace, target: TargetSource, wish: Wish, progress: Progress) -> Change:
    """Measure a scored dataset against one more target, or against what has become of one.

    Raises:
        CurationError: the target or the model cannot be used, or the workspace is not scored to
            the end. All scores are then as they were.
    """
    with workspace.lock(), _beside(workspace, target.name) as beside:
        was = [target_columns.standing(workspace, model) for model in _models(workspace)]
        before = _columns(workspace)
        old = workspace.target(target.name)
        marks = {s.model: targets.mark(old, s.model) for s in was}
        models = [standing.model for standing in was]
        store = target_embedding.read(
            workspace, beside, target, models, wish.model, wish.device, progress
        )
        has_changed = any(targets.mark(store, s.model) != marks[s.model] for s in was)
        columns: list[str] = []
        anew = False
        for standing in was:
            model = standing.model
            settings = _settings(store, standing, target.name, wish, progress)
            if target.name in settings:
                own = target_settings.columns({target.name: settings[target.name]})
                columns += [score.of_model(workspace, column, model).name for column in own]
            is_same = settings == standing.settings and targets.mark(store, model) == marks[model]
            if not (is_same and standing.is_current):
                _make(workspace, beside, standing, settings, store, wish, progress)
                anew = True
        if has_changed:
            _drop_from_others(workspace, beside, target.name, progress)
        _install(beside, workspace)
        if not anew and _is_published(workspace):
            progress.say(f"Target {target.name}: nothing to do")
            return Change(tuple(columns), anew=False)
        publish.publish(workspace, progress)
        changed = {n for n, about in before.items() if about in (target.name, ALL_TARGETS)}
        _tell(workspace, before, changed if anew else set(), progress)
    return Change(tuple(columns))


def remove(workspace: Workspace, name: str, progress: Progress) -> Change:
    """Forget a target: its columns, its images' embeddings, its part in `all`.

    Raises:
        CurationError: there is no such target.
    """
    with workspace.lock(), _beside(workspace, name) as beside:
        before = _columns(workspace)
        gone = [column for column, target in before.items() if target == name]
        if name == ALL_TARGETS or not (gone or name in workspace.targets()):
            known = ", ".join(workspace.targets()) or "none"
            raise CurationError(f"there is no target {name!r}; there are: {known}")
        for model in _models(workspace):
            standing = target_columns.standing(workspace, model)
            settings = {n: s for n, s in standing.settings.items() if n != name}
            if name in standing.settings:
                _make(workspace, beside, standing, settings, None, Wish(), progress)
        _drop_from_others(workspace, beside, name)
        _install(beside, workspace)
        shutil.rmtree(workspace.target(name).path, ignore_errors=True)
        publish.publish(workspace, progress)
        changed = {column for column, target in before.items() if target == ALL_TARGETS}
        _tell(workspace, before, changed if gone else set(), progress)
    return Change(tuple(gone))


@contextmanager
def _beside(workspace: Workspace, target: str) -> Iterator[Workspace]:
    """Where new files are made: laid out as a workspace; kept if the process is stopped."""
    beside = Workspace(workspace.path / _BESIDE)
    for other in beside.path.glob("targets/*"):
        if other.name != target:
            shutil.rmtree(beside.path)
            break
    try:
        yield beside
    except CurationError:
        shutil.rmtree(beside.path, ignore_errors=True)
        raise
    shutil.rmtree(beside.path, ignore_errors=True)


def _install(beside: Workspace, workspace: Workspace) -> None:
    """Put what is whole in its place."""
    for folder in sorted(beside.path.glob("targets/*")) + sorted(beside.path.glob("scores/*")):
        with atomic(workspace.path / folder.relative_to(beside.path)) as partial:
            folder.rename(partial)


def _models(workspace: Workspace) -> list[str]:
    """The first model, and the others that have a NormSim."""
    first = workspace.info().model
    recorded_model.is_ready_made(workspace, first)
    others = sorted(f.parent.name for f in workspace.path.glob("embeddings/*/model.toml"))
    measured = [m for m in others if m != first and _record(workspace, m).is_file()]
    return [first, *measured]


def _record(workspace: Workspace, model: str) -> Path:
    return score.folder_of(workspace, SCORE, model).path / "score.toml"


def _settings(
    store: Store, was: Standing, name: str, wish: Wish, progress: Progress
) -> dict[str, Setting]:
    """How each target is to be measured against: those that are there as before."""
    others = {n: s for n, s in was.settings.items() if n != name}
    if not any(store.embeddings(was.model).path.glob("[0-9]*.npy")):
        return others
    target = targets.load(store, was.model)
    has = {"image": _usable(target.image), "text": _usable(target.text)}
    if not any(has.values()):
        raise CurationError(f"the target {name} has no item that can be used")
    has["both"] = all(has.values())
    usual = was.settings.get(name) or target_settings.usual(was.settings)
    sides = wish.sides or tuple(side for side in usual.sides if has[side])
    if not sides:
        side, noun, other = (
            ("image", "images", "captions") if has["image"] else ("text", "captions", "images")
        )
        progress.say(f"Target {name} has no {other}: its {noun} are measured against")
        sides = (side,)
    return target_settings.merged(others, name, Setting(wish.norms or usual.norms, sides))


def _usable(rows: Floats | None) -> bool:
    return rows is not None and bool(np.isfinite(rows).all(axis=1).any())


def _make(
    workspace: Workspace,
    beside: Workspace,
    was: Standing,
    settings: Mapping[str, Setting],
    store: Store | None,
    wish: Wish,
    progress: Progress,
) -> None:
    """NormSim toward these targets, beside; ``store`` holds the one that is new."""
    folder = score.folder_of(workspace, SCORE, was.model)
    if not settings:
        shutil.rmtree(folder.path, ignore_errors=True)
        return
    stores = {name: workspace.target(name) for name in settings}
    fresh: set[str] = set()
    if store is not None:
        stores |= {store.path.name: store} if store.path.name in settings else {}
        fresh = {store.path.name} & set(settings) if was.is_current else set(settings)
    into = ShardFolder(beside.scores_root / folder.path.name)
    target_columns.build(
        workspace, into, was, settings, stores, sorted(fresh), wish.device, progress
    )


def _drop_from_others(
    workspace: Workspace, beside: Workspace, name: str, progress: Progress | None = None
) -> None:
    """Scores other than NormSim that measured against a target that is another one now, or gone."""
    for path in score.score_folders(workspace):
        record = read_toml(path / "score.toml")
        named = [c["name"] for c in record["columns"] if c.get("target") == name]
        is_stale = record["dataset"] != score.dataset_mark(workspace, record["model"])
        if not named or record["score"] == SCORE.name or is_stale:
            continue
        into = ShardFolder(beside.scores_root / path.name)
        if not target_columns.without(workspace, ShardFolder(path), into, name):
            shutil.rmtree(path)
        if progress is not None:
            progress.warn(
                f"{' and '.join(named)} measured against what the target {name} was, and "
                f"{'is' if len(named) == 1 else 'are'} gone; `score --score {record['score']}` "
                "makes such columns again"
            )


def _is_published(workspace: Workspace) -> bool:
    made = [(f / "score.toml").stat().st_mtime_ns for f in score.score_folders(workspace)]
    return workspace.catalog.is_file() and workspace.catalog.stat().st_mtime_ns >= max(made)


def _columns(workspace: Workspace) -> dict[str, str]:
    """The columns of every finished score, and the target that they measure against or ""."""
    records = [read_toml(f / "score.toml") for f in score.score_folders(workspace)]
    return {c["name"]: c.get("target", "") for record in records for c in record["columns"]}


def _tell(
    workspace: Workspace, before: Mapping[str, str], changed: set[str], progress: Progress
) -> None:
    """Name the saved selections that a change matters to."""
    decisions, now = Decisions.of(workspace), _columns(workspace)
    for name, named in selections_using(decisions, set(before) - set(now)).items():
        progress.warn(
            f"the saved selection {name} refers to {' and '.join(named)}, which "
            f"{'is' if len(named) == 1 else 'are'} gone: it cannot be made again as it is"
        )
    for name, named in selections_using(decisions, changed & set(now)).items():
        progress.warn(
            f"the saved selection {name} refers to {' and '.join(named)}, whose values are others "
            "now: so may be the samples that it chooses"
        )
