"""Builders of test data: pictures, tables of pairs, workspaces, catalogs."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from curation.catalog.catalog import Catalog
from curation.pipeline import import_scores, publish
from curation.pipeline.read import read_shard
from curation.progress import Progress
from curation.readers import Options, open_source
from curation.readers.base import ShardSamples
from curation.storage.workspace import Workspace, WorkspaceInfo, now

QUIET = Progress(quiet=True)

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(file.stem for file in (ROOT / "pages").glob("*.py"))


def picture(seed: int = 0, size: tuple[int, int] = (40, 30)) -> Image.Image:
    """A few coarse random patches: pictures of different seeds embed differently."""
    patches = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, format: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def jpeg(path: Path, seed: int = 0, size: tuple[int, int] = (40, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(picture(seed, size)))
    return path


def truncated_jpeg(path: Path, seed: int = 0) -> Path:
    """A JPEG whose header is whole and whose pixels break off."""
    data = encoded(picture(seed, (200, 200)))
    path.write_bytes(data[: len(data) // 2])
    return path


def uid(number: int) -> str:
    return f"{number:032x}"


def pairs(folder: Path, rows: Sequence[Mapping[str, object]], name: str = "pairs.jsonl") -> Path:
    """A JSONL table of pairs; a row that names no image gets a picture of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, row in enumerate(rows):
        record = {"uid": uid(number), "file_name": f"{number:03d}.jpg", "caption": f"pair {number}"}
        record |= row
        if "file_name" not in row:
            jpeg(folder / f"{number:03d}.jpg", number)
        lines.append(json.dumps(record))
    table = folder / name
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


def read(source: Path, **options: object) -> ShardSamples:
    """The result of reading a source of one shard."""
    reader = open_source(source, options=Options(**options))
    (shard,) = reader.shards()
    return reader.read(shard)


def workspace(
    folder: Path, rows: Sequence[Mapping[str, object]], shard_size: int = 10_000
) -> Workspace:
    """A published workspace without a model: samples, and the columns of their source."""
    source = pairs(folder / "source", rows)
    reader = open_source(source, options=Options(shard_size=shard_size))
    made = Workspace(folder / "workspace")
    root = str(reader.image_root)
    made.write_info(WorkspaceInfo(str(source), reader.name, root, "none", now()))
    for shard in reader.shards():
        read_shard(made, reader, shard)
    publish.publish(made, QUIET)
    return made


def catalog(
    folder: Path,
    scores: Mapping[str, Sequence[float | None]],
    rows: Sequence[Mapping[str, object]] | None = None,
) -> tuple[Workspace, Catalog]:
    """A catalog whose samples have the uids 0, 1, 2, … and these scores (None is missing)."""
    count = len(next(iter(scores.values())))
    made = workspace(folder, rows or [{}] * count)
    table = folder / "scores.jsonl"
    table.write_text(
        "\n".join(
            json.dumps({"uid": uid(n)} | {name: values[n] for name, values in scores.items()})
            for n in range(count)
        )
    )
    import_scores.import_scores(made, table)
    publish.publish(made, QUIET)
    return made, Catalog.of(made)


def published(table: Path) -> Catalog:
    """The catalog of a table of pairs as it is read, without scores."""
    reader = open_source(table)
    made = Workspace(table.parent / "w")
    made.write_info(WorkspaceInfo("s", "table", str(table.parent), "none", now()))
    read_shard(made, reader, reader.shards()[0])
    publish.publish(made, QUIET)
    return Catalog.of(made)


def chosen(catalog: Catalog, mask: np.ndarray) -> list[int]:
    """The numbers of the samples in a mask."""
    uids = [row["uid"] for row in catalog.rows(np.flatnonzero(mask))]
    return sorted(int(text, 16) for text in uids)
