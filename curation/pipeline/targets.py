"""Targets: sets of reference images or captions that NormSim measures nearness to."""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from curation.catalog.columns import ALL_TARGETS
from curation.errors import CurationError
from curation.pipeline.read import read_shard
from curation.progress import Progress
from curation.readers import Options, Reader, open_source
from curation.readers.captions import CaptionsReader
from curation.scores.base import Floats, Rows, Target
from curation.scores.shared.normalize import check
from curation.storage import locations, matrices
from curation.storage.atomic import atomic, fingerprint, sha256_of
from curation.storage.locations import Location
from curation.storage.workspace import (
    Receipt,
    Store,
    Workspace,
    check_name,
    now,
    read_toml,
    write_toml,
)

# A target given as ready-made embeddings is one shard of this model.
READY_MADE = (".npy", ".npz")
_SIDES = ("image", "text")


@dataclass(frozen=True)
class TargetSource:
    """A target as the user names it: ``NAME=SOURCE``."""

    name: str
    source: Location

    @classmethod
    def parse(cls, text: str) -> TargetSource:
        """Raises:
        CurationError: the text is not NAME=SOURCE, or the name is taken or cannot be one.
        """
        name, equals, source = text.partition("=")
        if not equals or not source:
            raise CurationError(
                f"--target takes NAME=SOURCE, as in animals=data/targets/animals; got {text!r}"
            )
        if name == ALL_TARGETS:
            raise CurationError(
                f"{ALL_TARGETS!r} cannot name a target: NormSim calls all targets together so; "
                f"got {text!r}"
            )
        return cls(check_name(name, "target"), locations.parse(source))


@dataclass(frozen=True)
class TargetInfo:
    """target.toml: where a target comes from."""

    name: str
    source: str
    image_root: str
    created: str


def read(workspace: Workspace, target: TargetSource, model: str, progress: Progress) -> Store:
    """List a target's items in the workspace; ready-made embeddings are copied as ``model``'s.

    The source is a folder or table of images, a ``.txt`` of captions, one a line, a ``.npy`` of
    image embeddings (M, d), or a ``.npz`` with members ``image`` and ``text``, or one of them.

    Raises:
        CurationError: the source cannot be read or holds nothing usable.
    """
    store = workspace.target(target.name)
    info_file = store.path / "target.toml"
    source = str(locations.resolve(target.source))
    if info_file.is_file() and info(store).source != source:
        progress.say(f"Target {target.name} now comes from {source}")
        info_file.unlink()
    if not info_file.is_file():
        # What an earlier source, or a run that was stopped here, has left.
        shutil.rmtree(store.path, ignore_errors=True)
    created = info(store).created if info_file.is_file() else now()
    if target.source.suffix.lower() in READY_MADE:
        _copy_embeddings(target, store, model, progress)
        image_root = target.source.parent
    else:
        image_root = _read_samples(store, target, progress)
    found = TargetInfo(target.name, source, str(image_root), created)
    write_toml(info_file, asdict(found))
    return store


def info(store: Store) -> TargetInfo:
    """What target.toml says."""
    return TargetInfo(**read_toml(store.path / "target.toml"))


def load(store: Store, model: str) -> Target:
    """A target's embeddings by this model, in the order of its samples.

    Raises:
        CurationError: the target has not been embedded with this model.
    """
    folder = store.embeddings(model)
    shards = sorted({int(file.name.split(".")[0]) for file in folder.path.glob("[0-9]*.npy")})
    if not shards:
        raise CurationError(f"the target {store.path.name} has no embeddings of the model {model}")
    sides: list[list[Floats]] = [[], []]
    has_side = [False, False]
    for shard in shards:
        found = [_side(folder.file(shard, f"{side}.npy")) for side in _SIDES]
        shape = next(rows.shape for rows in found if rows is not None)
        for side, rows in enumerate(found):
            has_side[side] |= rows is not None
            # Only this shard lacks the side: the others' rows stay with their samples.
            missing = np.full(shape, np.nan, dtype=np.float32)
            sides[side].append(missing if rows is None else rows)
    image, text = (np.concatenate(sides[k]) if has_side[k] else None for k in range(2))
    return Target(image, text)


def fitting(
    workspace: Workspace,
    named: Sequence[str],
    model: str,
    sides: Sequence[str],
    progress: Progress,
) -> tuple[str, ...]:
    """The targets to score by: those named, and those of earlier runs that fit what is asked now.

    One that cannot be used, and that no one names any more, is not to be in the way for good.
    """
    dim = read_toml(workspace.embeddings(model).path / "model.toml")["dim"]
    found = []
    for name in workspace.targets():
        store = workspace.target(name)
        misfit = None if name in named else _misfit(store, model, dim, sides)
        if misfit is None:
            found.append(name)
        else:
            progress.warn(
                f"the target {name} of an earlier run is left out: {misfit}; "
                f"name it again with --target, or delete {store.path}"
            )
    return tuple(found)


def _misfit(store: Store, model: str, dim: int, sides: Sequence[str]) -> str | None:
    """Why a target cannot be measured against with embeddings of this length; None if it can."""
    try:
        target = load(store, model)
    except CurationError as problem:
        return str(problem)
    for side in ("image", "text"):
        rows = target.image if side == "image" else target.text
        if rows is not None and rows.shape[1] != dim:
            return f"its embeddings have length {rows.shape[1]}, the dataset's {dim}"
        is_asked = side in sides or "both" in sides
        if is_asked and (rows is None or not np.isfinite(rows).all(axis=1).any()):
            return f"it has no {'images' if side == 'image' else 'captions'}"
    return None


def _side(file: Path) -> Floats | None:
    return np.load(file, allow_pickle=False).astype(np.float32) if file.is_file() else None


def mark(store: Store, model: str) -> list[str]:
    """What tells that a target's embeddings have changed."""
    folder = store.embeddings(model)
    numbers = sorted(int(r.stem) for r in folder.path.glob("[0-9]*.json"))
    receipts = [r.fingerprint for r in map(folder.receipt, numbers) if r]
    files = sorted(folder.path.glob("[0-9]*.npy"))
    return receipts or [f"{file.name} {sha256_of(file)}" for file in files]


def _read_samples(store: Store, target: TargetSource, progress: Progress) -> Location:
    options = Options(captions_required=False)
    reader: Reader
    if CaptionsReader.recognizes(target.source):
        reader, noun = CaptionsReader(target.source, options), "caption"
    else:
        reader, noun = open_source(target.source, options=options), "image"
    shards = reader.shards()
    receipts = [read_shard(store, reader, shard) for shard in shards]
    store.samples.trim(len(shards))
    if not sum(receipt.rows for receipt in receipts):
        raise CurationError(f"the target {target.name} has no usable {noun} in {target.source}")
    skipped = sum(receipt.skipped for receipt in receipts)
    if skipped:
        progress.warn(f"target {target.name}: {skipped} {noun}s skipped")
    return reader.image_root


def _copy_embeddings(target: TargetSource, store: Store, model: str, progress: Progress) -> None:
    source = target.source
    sides = _ready_made(source)
    shapes = {side: rows.shape for side, rows in sides.items()}
    for side, shape in shapes.items():
        if len(shape) != 2 or not all(shape):
            raise CurationError(f"{source}: {side} has shape {shape}; a target is a matrix (M, d)")
    if len(set(shapes.values())) > 1:
        raise CurationError(
            f"{source}: image has shape {shapes['image']}, text {shapes['text']}; expected the "
            "same (M, d), a row an item (NaN where it has no image or no caption)"
        )
    for side, rows in sides.items():
        found = check(rows)
        odd = {
            "not of unit length, brought to it": found.not_unit,
            "zero, and left out": len(found.zero),
        }
        for what, count in odd.items():
            if count:
                progress.warn(f"target {target.name}: {count} of {len(rows)} {side}s are {what}")
    folder, marks = store.embeddings(model), []
    folder.discard(0)
    for side in _SIDES:
        final = folder.file(0, f"{side}.npy")
        if side not in sides:
            final.unlink(missing_ok=True)
            continue
        with atomic(final) as partial:
            matrices.save(partial, sides[side])
        marks.append(f"{final.name} {sha256_of(final)}")
    folder.finish(0, Receipt(fingerprint(marks), len(sides[next(iter(sides))])))


def _ready_made(source: Location) -> dict[str, Rows]:
    """The matrices of a .npy (of images) or a .npz, by side."""
    kind = source.suffix.lower()
    try:
        if isinstance(source, Path):
            held = np.load(source, mmap_mode="r", allow_pickle=False)
        else:
            held = np.load(io.BytesIO(source.read_bytes()), allow_pickle=False)
        if isinstance(held, np.ndarray):
            found = {"image": held}
        else:
            with held:
                found = {side: held[side] for side in _SIDES if side in held.files}
                if not found:
                    members = ", ".join(held.files) or "none"
                    raise CurationError(
                        f"{source} has the members {members}; expected image, text or both"
                    )
    except matrices.DAMAGED as error:
        raise CurationError(f"{source} is not a {kind} array of numbers: {error}") from None
    if any(rows.dtype.kind not in "fiu" for rows in found.values()):
        raise CurationError(f"{source} is not a {kind} array of numbers")
    return found
