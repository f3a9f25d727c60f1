"""Targets: sets of reference images or captions that scores measure against.

In: a source of images, captions or embeddings. Out: ``targets/<target>/``, laid out as a dataset's
samples and embeddings, with target.toml, written last. A target is read again completely when its
source is another one.
"""

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

# Sources that hold embeddings: they become one shard of the dataset's model, without samples.
READY_MADE = (".npy", ".npz")
_SIDES = ("image", "text")


@dataclass(frozen=True)
class TargetSource:
    """A target as given on the command line: ``NAME=SOURCE``."""

    name: str
    source: Location

    @classmethod
    def parse(cls, text: str) -> TargetSource:
        """Raises:
        CurationError: the text is not NAME=SOURCE, or the name is reserved or not allowed.
        """
        name, equals, source = text.partition("=")
        if not equals or not source:
            raise CurationError(
                f"--target takes NAME=SOURCE, as in animals=data/targets/animals; got {text!r}"
            )
        if name == ALL_TARGETS:
            raise CurationError(
                f"{ALL_TARGETS!r} cannot name a target, because it means all targets together; "
                f"got {text!r}; choose another name"
            )
        return cls(check_name(name, "target"), locations.parse(source))


@dataclass(frozen=True)
class TargetInfo:
    """target.toml: the source of a target."""

    name: str
    source: str
    image_root: str
    created: str


def read(workspace: Workspace, target: TargetSource, model: str, progress: Progress) -> Store:
    """Read a target into the workspace; ready-made embeddings are copied as those of ``model``.

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
        # Left by another source, or by a run that was stopped here.
        shutil.rmtree(store.path, ignore_errors=True)
    created = info(store).created if info_file.is_file() else now()
    if target.source.suffix.lower() in READY_MADE:
        _copy_embeddings(target, store, model, progress)
        image_root = target.source.parent
    else:
        image_root = _read_samples(store, target, progress)
    write_toml(info_file, asdict(TargetInfo(target.name, source, str(image_root), created)))
    return store


def info(store: Store) -> TargetInfo:
    """The content of target.toml."""
    return TargetInfo(**read_toml(store.path / "target.toml"))


def load(store: Store, model: str) -> Target:
    """A target's embeddings by this model, one row for each of its items, in their order.

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
        loaded = [_load_rows(folder.file(shard, f"{side}.npy")) for side in _SIDES]
        shape = next(rows.shape for rows in loaded if rows is not None)
        for side, rows in enumerate(loaded):
            has_side[side] |= rows is not None
            # NaN where only this shard lacks the side, so that rows stay with their items.
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
    """The targets to measure against: those named now, and those of earlier runs that still fit.

    Targets of earlier runs that do not fit are skipped with a warning.
    """
    dim = read_toml(workspace.embeddings(model).path / "model.toml")["dim"]
    fit = []
    for name in workspace.targets():
        store = workspace.target(name)
        misfit = None if name in named else _misfit(store, model, dim, sides)
        if misfit is None:
            fit.append(name)
        else:
            progress.warn(
                f"the target {name} of an earlier run is left out: {misfit}; "
                f"name it again with --target, or delete {store.path}"
            )
    return tuple(fit)


def _misfit(store: Store, model: str, dim: int, sides: Sequence[str]) -> str | None:
    """Why this dataset cannot be measured against a target; None if it can."""
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


def _load_rows(file: Path) -> Floats | None:
    return np.load(file, allow_pickle=False).astype(np.float32) if file.is_file() else None


def mark(store: Store, model: str) -> list[str]:
    """Changes when a target's embeddings by this model do."""
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
            "same (M, d), one row for each item (NaN where it has no image or no caption)"
        )
    for side, rows in sides.items():
        checked = check(rows)
        unusual = {
            "not of unit length and are normalized": checked.not_unit,
            "zero and are left out": len(checked.zero),
        }
        for what, count in unusual.items():
            if count:
                progress.warn(
                    f"target {target.name}: {count} of {len(rows)} {side} embeddings are {what}"
                )
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
            sides = {"image": held}
        else:
            with held:
                sides = {side: held[side] for side in _SIDES if side in held.files}
                if not sides:
                    members = ", ".join(held.files) or "none"
                    raise CurationError(
                        f"{source} has the members {members}; expected image, text or both"
                    )
    except matrices.DAMAGED as error:
        raise CurationError(f"{source} is not a {kind} array of numbers: {error}") from None
    if any(rows.dtype.kind not in "fiu" for rows in sides.values()):
        raise CurationError(f"{source} is not a {kind} array of numbers")
    return sides
