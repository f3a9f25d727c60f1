"""Targets: sets of reference images that NormSim measures nearness to."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from curation import reading
from curation.errors import CurationError
from curation.files import atomic, sha256_of
from curation.progress import Progress
from curation.readers import Options, open_source
from curation.scores.base import Floats, Target
from curation.workspace import Store, Workspace, check_name, now, read_toml, write_toml

# A target given as ready-made embeddings is one shard of this model.
_READY_MADE = ".npy"


@dataclass(frozen=True)
class TargetSource:
    """A target as the user names it: ``NAME=SOURCE``."""

    name: str
    source: Path

    @classmethod
    def parse(cls, text: str) -> TargetSource:
        """Raises:
        CurationError: the text is not NAME=SOURCE.
        """
        name, equals, source = text.partition("=")
        if not equals or not source:
            raise CurationError(
                f"--target takes NAME=SOURCE, as in animals=data/targets/animals; got {text!r}"
            )
        return cls(check_name(name, "target"), Path(source))


@dataclass(frozen=True)
class TargetInfo:
    """target.toml: where a target comes from."""

    name: str
    source: str
    image_root: str
    created: str


def read(workspace: Workspace, target: TargetSource, model: str, progress: Progress) -> Store:
    """List a target's images in the workspace; ready-made embeddings are copied as ``model``'s.

    Raises:
        CurationError: the source cannot be read or holds no usable image.
    """
    store = workspace.target(target.name)
    info_file = store.path / "target.toml"
    source = str(target.source.resolve())
    if info_file.is_file() and info(store).source != source:
        progress.say(f"Target {target.name} now comes from {source}")
        shutil.rmtree(store.path)
    if target.source.suffix == _READY_MADE:
        _copy_embeddings(target.source, store, model)
        image_root = target.source.parent
    else:
        image_root = _read_images(store, target, progress)
    found = TargetInfo(target.name, source, str(image_root), now())
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
    sides: list[Floats | None] = []
    for side in ("image", "text"):
        files = sorted(store.embeddings(model).path.glob(f"*.{side}.npy"))
        parts = [np.load(file, allow_pickle=False) for file in files]
        sides.append(np.concatenate(parts).astype(np.float32) if parts else None)
    target = Target(*sides)
    if target.image is None and target.text is None:
        raise CurationError(f"the target {store.path.name} has no embeddings of the model {model}")
    return target


def mark(store: Store, model: str) -> list[str]:
    """What tells that a target's embeddings have changed."""
    folder = store.embeddings(model)
    receipts = [r.read_text() for r in sorted(folder.path.glob("[0-9]*.json"))]
    return receipts or [sha256_of(f) for f in sorted(folder.path.glob("*.image.npy"))]


def _read_images(store: Store, target: TargetSource, progress: Progress) -> Path:
    options = Options(captions_required=False)
    reader = open_source(target.source, options=options)
    shards = reader.shards()
    receipts = [reading.read_shard(store, reader, shard) for shard in shards]
    store.samples.trim(len(shards))
    if not sum(receipt.rows for receipt in receipts):
        raise CurationError(f"the target {target.name} has no usable image in {target.source}")
    skipped = sum(receipt.skipped for receipt in receipts)
    if skipped:
        progress.warn(f"target {target.name}: {skipped} images skipped")
    return reader.image_root


def _copy_embeddings(source: Path, store: Store, model: str) -> None:
    try:
        rows = np.load(source, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CurationError(f"{source} is not a .npy array of numbers: {error}") from None
    if not isinstance(rows, np.ndarray) or rows.dtype.kind not in "fiu":
        raise CurationError(f"{source} is not a .npy array of numbers")
    if rows.ndim != 2 or not len(rows):
        raise CurationError(f"{source} has shape {rows.shape}; a target is a matrix (M, d)")
    with atomic(store.embeddings(model).file(0, "image.npy")) as partial, partial.open("wb") as f:
        np.save(f, rows, allow_pickle=False)
