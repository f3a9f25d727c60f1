"""The folder of a scored dataset: its files, and which shards of each stage are done.

    <workspace>/
      workspace.toml                   source, reader, primary model, schema version
      samples/00000.parquet            one row a sample
      embeddings/<model>/00000.image.npy, 00000.text.npy, model.toml
      scores/<score>[_<model>][.<target>]/00000.parquet, score.toml
      targets/<target>/target.toml, samples/…, embeddings/…
      thumbnails/                      small pictures, made when first shown
      catalog.duckdb                   published from the above; replaced whole, never edited
      curation.duckdb                  the curator's decisions: selections, marks, uid lists
      exports/

A stage of a shard is done when its receipt (``00000.json``, written last) has the fingerprint of
the current input. So a killed run resumes where it stopped, and changed input is processed again.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tomli_w
from filelock import FileLock, Timeout

from curation.errors import CurationError
from curation.storage.atomic import atomic

SCHEMA = 1
LOCK = ".lock"

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


@dataclass(frozen=True)
class Receipt:
    """The record of a finished stage of a shard.

    Attributes:
        fingerprint: identifies the input and the settings.
        rows, skipped: how many rows the stage wrote, and how many it left out.
        seconds: the time that each part of the stage took.
        not_unit: how many ready-made embeddings of either side are not of unit length.
        source: identifies the source's files, where the fingerprint identifies what was read.
        again: whether the next run tries to read the skipped samples again.
    """

    fingerprint: str
    rows: int
    skipped: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    not_unit: int = 0
    source: str = ""
    again: bool = False


class ShardFolder:
    """A folder with files ``00000.<suffix>``, one set a shard, and a receipt for each set."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def file(self, shard: int, suffix: str) -> Path:
        return self.path / f"{shard:05d}.{suffix}"

    def receipt(self, shard: int) -> Receipt | None:
        """The shard's receipt; None if the stage is not finished or the receipt is damaged."""
        try:
            return Receipt(**json.loads(self.file(shard, "json").read_bytes()))
        except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
            return None

    def is_done(self, shard: int, fingerprint: str) -> bool:
        """Whether the stage is finished for this input."""
        receipt = self.receipt(shard)
        return receipt is not None and receipt.fingerprint == fingerprint

    def finish(self, shard: int, receipt: Receipt) -> None:
        """Write the receipt, after all other files of the shard."""
        with atomic(self.file(shard, "json")) as partial:
            partial.write_text(json.dumps(asdict(receipt)))

    def discard(self, shard: int) -> None:
        """Delete the receipt, before the shard's files are replaced."""
        self.file(shard, "json").unlink(missing_ok=True)

    def trim(self, shards: int) -> None:
        """Delete the files of shards from number ``shards`` on, which the source no longer has."""
        for file in self.path.glob("[0-9]*.*"):
            number = file.name.partition(".")[0]
            if number.isdigit() and int(number) >= shards:
                file.unlink()


class Store:
    """The samples of a dataset or a target, and their embeddings."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def samples(self) -> ShardFolder:
        return ShardFolder(self.path / "samples")

    def embeddings(self, model: str) -> ShardFolder:
        return ShardFolder(self.path / "embeddings" / model)

    def shard_count(self) -> int:
        """The number of shards that have been read.

        Raises:
            CurationError: their numbers have gaps, because reading was interrupted.
        """
        numbers = sorted(int(f.stem) for f in self.samples.path.glob("[0-9]*.json"))
        if numbers != list(range(len(numbers))):
            raise CurationError(
                f"{self.path} has not been read to the end; run its `score` command again"
            )
        return len(numbers)


@dataclass(frozen=True)
class WorkspaceInfo:
    """The content of workspace.toml.

    Attributes:
        source: the path or URL of the dataset.
        reader: the name of the reader.
        image_root: the folder that image paths are relative to.
        model: the model of the columns that name no model.
        created: ISO 8601, UTC.
        schema: the version of the workspace's layout.
    """

    source: str
    reader: str
    image_root: str
    model: str
    created: str
    schema: int = SCHEMA


class Workspace(Store):
    """One dataset, scored."""

    @classmethod
    def open(cls, path: Path) -> Workspace:
        """The workspace at ``path``.

        Raises:
            CurationError: it is not a workspace, or a newer version of this project made it.
        """
        workspace = cls(path)
        if not path.is_dir():
            raise CurationError(f"{path} is not a workspace: there is no such folder")
        if not (path / "workspace.toml").is_file():
            raise CurationError(
                f"{path} is not a workspace: it has no workspace.toml; "
                "make one with `clip-curation score SOURCE --workspace DIR`"
            )
        schema = read_toml(path / "workspace.toml").get("schema", SCHEMA)
        if not isinstance(schema, int) or schema > SCHEMA:
            raise CurationError(
                f"{path} was made by a newer version of this project: install that version"
            )
        workspace.info()
        return workspace

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from writing into this workspace during the block.

        Partial files that a killed run left are deleted first.

        Raises:
            CurationError: another process holds the lock.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            acquired = FileLock(self.path / LOCK).acquire(timeout=0)
        except Timeout:
            raise CurationError(
                f"another process is writing into {self.path}; wait for it, or stop it"
            ) from None
        with acquired:
            for folder in ("samples", "embeddings/*", "scores/*", "targets/*/*", "targets/*/*/*"):
                for partial in self.path.glob(f"{folder}/.*.partial"):
                    partial.unlink(missing_ok=True)
            yield

    def info(self) -> WorkspaceInfo:
        """Read workspace.toml.

        Raises:
            CurationError: the file is missing or damaged.
        """
        file = self.path / "workspace.toml"
        try:
            return WorkspaceInfo(**read_toml(file))
        except TypeError as error:
            raise CurationError(f"{file} is damaged: {error}") from None

    def write_info(self, info: WorkspaceInfo) -> None:
        write_toml(self.path / "workspace.toml", asdict(info))

    @property
    def catalog(self) -> Path:
        return self.path / "catalog.duckdb"

    @property
    def curation(self) -> Path:
        return self.path / "curation.duckdb"

    @property
    def exports(self) -> Path:
        return self.path / "exports"

    @property
    def thumbnails(self) -> Path:
        return self.path / "thumbnails"

    @property
    def scores_root(self) -> Path:
        return self.path / "scores"

    def scores(self, name: str) -> ShardFolder:
        return ShardFolder(self.scores_root / name)

    def target(self, name: str) -> Store:
        return Store(self.path / "targets" / name)

    def targets(self) -> list[str]:
        return sorted(f.parent.name for f in self.path.glob("targets/*/target.toml"))


def now() -> str:
    """The current time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def check_name(name: str, what: str) -> str:
    """Return ``name`` if it can be part of a column's name.

    Args:
        what: what it names, for the message.

    Raises:
        CurationError: it has other characters than lower-case letters, digits and _.
    """
    if not _NAME.match(name):
        raise CurationError(
            f"{name!r} cannot name a {what}: use lower-case letters, digits and _, "
            "beginning with a letter"
        )
    return name


def read_toml(path: Path) -> dict[str, Any]:
    """Raises:
    CurationError: the file is missing or damaged.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise CurationError(f"{path} cannot be read: {error}") from None


def write_toml(path: Path, values: Mapping[str, Any]) -> None:
    """Write a TOML file atomically, without the values that are None."""
    with atomic(path) as partial:
        partial.write_text(
            tomli_w.dumps({k: v for k, v in values.items() if v is not None}), encoding="utf-8"
        )
