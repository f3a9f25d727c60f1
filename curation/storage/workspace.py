"""A dataset's folder on disk: where each file lives, and what state it is in.

    <workspace>/
      workspace.toml                   source, reader, primary model, schema version
      samples/00000.parquet            one row a sample
      embeddings/<model>/00000.image.npy, 00000.text.npy, model.toml
      scores/<score>/00000.parquet, score.toml
      targets/<target>/samples/…, embeddings/…
      catalog.duckdb                   published from the above; replaced whole, never edited
      curation.duckdb                  what a curator decided: selections, imported uid lists
      exports/

A shard's stage is done when its receipt (``00000.json``, written last) carries the fingerprint
of what it was made from. So a killed run goes on where it stopped, and changed input is redone.
"""

from __future__ import annotations

import fcntl
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

from curation.errors import CurationError
from curation.storage.atomic import atomic

SCHEMA = 1
LOCK = ".lock"

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


@dataclass(frozen=True)
class Receipt:
    """What a finished stage of a shard says of itself."""

    fingerprint: str
    rows: int
    skipped: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    # Ready-made embeddings, of either side, that are not of unit length.
    not_unit: int = 0
    # What the shard was read from, where the fingerprint says what came of it.
    source: str = ""
    # Whether the next run tries again what could not be read.
    again: bool = False


class ShardFolder:
    """A folder with files ``00000.<suffix>``, one set a shard, each with its receipt."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def file(self, shard: int, suffix: str) -> Path:
        return self.path / f"{shard:05d}.{suffix}"

    def receipt(self, shard: int) -> Receipt | None:
        """The shard's receipt; None where the stage has not been finished."""
        try:
            return Receipt(**json.loads(self.file(shard, "json").read_bytes()))
        except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
            return None  # not there, or cut off with the power

    def is_done(self, shard: int, fingerprint: str) -> bool:
        receipt = self.receipt(shard)
        return receipt is not None and receipt.fingerprint == fingerprint

    def finish(self, shard: int, receipt: Receipt) -> None:
        with atomic(self.file(shard, "json")) as partial:
            partial.write_text(json.dumps(asdict(receipt)))

    def discard(self, shard: int) -> None:
        """Take the receipt away before the shard's files are made anew."""
        self.file(shard, "json").unlink(missing_ok=True)

    def trim(self, shards: int) -> None:
        """Delete what is left of shards that the source no longer has."""
        for file in self.path.glob("[0-9]*.*"):
            number = file.name.partition(".")[0]
            if number.isdigit() and int(number) >= shards:
                file.unlink()


class Store:
    """Samples and their embeddings: of a dataset, or of a target."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def samples(self) -> ShardFolder:
        return ShardFolder(self.path / "samples")

    def embeddings(self, model: str) -> ShardFolder:
        return ShardFolder(self.path / "embeddings" / model)

    def shard_count(self) -> int:
        """How many shards have been read.

        Raises:
            CurationError: some are missing in between: reading was interrupted.
        """
        numbers = sorted(int(f.stem) for f in self.samples.path.glob("[0-9]*.json"))
        if numbers != list(range(len(numbers))):
            raise CurationError(
                f"{self.path} has not been read to the end; run its `score` command again"
            )
        return len(numbers)


@dataclass(frozen=True)
class WorkspaceInfo:
    """workspace.toml: where the dataset comes from and which model its plain columns are of."""

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
            CurationError: there is none, or a newer version of this project made it.
        """
        workspace = cls(path)
        if not path.is_dir():
            raise CurationError(f"{path} is not a workspace: there is no such folder")
        if not (path / "workspace.toml").is_file():
            raise CurationError(
                f"{path} is not a workspace: it has no workspace.toml; "
                "make one with `python -m curation score SOURCE --workspace DIR`"
            )
        schema = read_toml(path / "workspace.toml").get("schema", SCHEMA)
        if not isinstance(schema, int) or schema > SCHEMA:
            raise CurationError(f"{path} was made by a newer version of this project; update")
        workspace.info()
        return workspace

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep other processes from scoring or importing into this workspace meanwhile.

        Half-written files that a killed run left are cleared away.

        Raises:
            CurationError: another process is at it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / LOCK).open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CurationError(
                    f"another process is writing into {self.path}; wait for it, or stop it"
                ) from None
            for folder in ("samples", "embeddings/*", "scores/*", "targets/*/*", "targets/*/*/*"):
                for left in self.path.glob(f"{folder}/.*.partial"):
                    left.unlink(missing_ok=True)
            yield

    def info(self) -> WorkspaceInfo:
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
    """The time in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def check_name(name: str, what: str) -> str:
    """``name`` if it can be part of a column's name.

    Raises:
        CurationError: it cannot.
    """
    if not _NAME.match(name):
        raise CurationError(
            f"{name!r} cannot name a {what}: use lower-case letters, digits and _, "
            "beginning with a letter"
        )
    return name


def read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise CurationError(f"{path} cannot be read: {error}") from None


def write_toml(path: Path, values: Mapping[str, Any]) -> None:
    with atomic(path) as partial:
        partial.write_text(
            tomli_w.dumps({k: v for k, v in values.items() if v is not None}), encoding="utf-8"
        )
