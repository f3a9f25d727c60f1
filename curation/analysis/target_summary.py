"""A target for display: its source, its items, and the NormSim columns that refer to it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.catalog.catalog import Catalog
from curation.catalog.columns import ALL_TARGETS, ColumnInfo
from curation.images import thumbnails
from curation.images.location import COLUMNS
from curation.pipeline import targets
from curation.scores.base import check_parameters
from curation.scores.norm_sim import SCORE
from curation.storage import locations, matrices
from curation.storage.workspace import Store, Workspace

_SIDES = {"image": "", "text": "captions", "both": "images and captions"}


@dataclass(frozen=True)
class TargetSummary:
    """The source and the size of a target.

    Attributes:
        created: when it was added, as ISO 8601 in UTC.
        images, captions: the number of items that have an image, and that have a caption.
        skipped: the number of items that could not be used.
        is_ready_made: it was given as embeddings, so its items cannot be shown.
    """

    name: str
    source: str
    created: str
    images: int
    captions: int
    skipped: int
    is_ready_made: bool


def summarize(workspace: Workspace, name: str, model: str) -> TargetSummary:
    """The summary of a target, as embedded by a model.

    Raises:
        CurationError: the target no longer exists, or its files are damaged.
    """
    store = workspace.target(name)
    info = targets.info(store)
    folder = store.embeddings(model)
    count = store.shard_count()
    if not count:
        held = {side: folder.file(0, f"{side}.npy") for side in ("image", "text")}
        rows = {s: len(matrices.open_matrix(f)) if f.is_file() else 0 for s, f in held.items()}
        return TargetSummary(name, info.source, info.created, rows["image"], rows["text"], 0, True)
    images = captions = 0
    for shard in range(count):
        table = _read(store, shard, ("image_file", "url", "caption"))
        refs = [
            pc.is_valid(table.column(n)) for n in ("image_file", "url") if n in table.schema.names
        ]
        images += pc.sum(pc.or_(refs[0], refs[-1])).as_py() or 0
        captions += pc.sum(pc.greater(pc.utf8_length(table.column("caption")), 0)).as_py() or 0
    stages = (store.samples, folder)
    receipts = [stage.receipt(shard) for stage in stages for shard in range(count)]
    skipped = sum(receipt.skipped for receipt in receipts if receipt)
    return TargetSummary(name, info.source, info.created, images, captions, skipped, False)


@dataclass(frozen=True)
class Item:
    """An item of a target; ``picture`` is a JPEG thumbnail, or None without an image."""

    text: str
    picture: bytes | None


def load_items(
    workspace: Workspace, name: str, start: int, count: int, from_the_web: bool = False
) -> list[Item]:
    """``count`` items of a target from row ``start`` on; empty if it was given as embeddings.

    Args:
        from_the_web: also download images that have a URL only.

    Raises:
        CurationError: the target no longer exists.
    """
    store = workspace.target(name)
    rows: list[dict[str, Any]] = []
    before = 0
    for shard in range(store.shard_count()):
        held = pq.read_metadata(store.samples.file(shard, "parquet")).num_rows
        first, last = max(start - before, 0), min(start + count - before, held)
        if first < last:
            table = _read(store, shard, ("uid", "caption", *COLUMNS))
            rows += table.slice(first, last - first).to_pylist()
        before += held
    root = locations.parse(targets.info(store).image_root)
    pictures = thumbnails.load(Workspace(store.path), root, rows, from_the_web)
    return [
        Item(str(row["caption"] or row.get("image_file") or ""), picture)
        for row, picture in zip(rows, pictures, strict=True)
    ]


def measures_by_target(catalog: Catalog) -> dict[str, dict[str, ColumnInfo]]:
    """NormSim's columns by target, ``all`` last, then by measure, such as ``inf_image``.

    A measure names norm, side and model, so it is comparable between targets.
    """
    measures: dict[str, dict[str, ColumnInfo]] = {}
    for column in catalog.scores:
        if column.score == SCORE.name and column.target:
            measures.setdefault(column.target, {})[_measure(catalog, column)] = column
    return dict(sorted(measures.items(), key=lambda item: (item[0] == ALL_TARGETS, item[0])))


def comparable_measures(
    a: Mapping[str, ColumnInfo], b: Mapping[str, ColumnInfo]
) -> dict[str, tuple[ColumnInfo, ColumnInfo]]:
    """Pairs of columns of two targets that can be compared, by the measure of ``a``.

    If ``b`` has no column for that side (a target of captions only), its other side is used.
    """
    pairs = {}
    for measure, column in a.items():
        norm, _, model = _parts(measure)
        others = [c for m, c in b.items() if (_parts(m)[0], _parts(m)[2]) == (norm, model)]
        if measure in b or others:
            pairs[measure] = column, b[measure] if measure in b else others[0]
    return pairs


def measure_title(measure: str) -> str:
    """The label of a measure: ``NormSim∞`` or ``NormSim₂, captions``."""
    p, side, model = _parts(measure)
    sign = {"inf": "∞", "2": "₂"}.get(p, f" p={p}")
    parts = [f"NormSim{sign}", _SIDES[side], model]
    return ", ".join(part for part in parts if part)


def _parts(measure: str) -> tuple[str, str, str]:
    norm, side, model = [*measure.split("_", 2), ""][:3]
    return norm, side, model


def _measure(catalog: Catalog, column: ColumnInfo) -> str:
    """Norm, side, and the model unless it is the dataset's first: ``inf_image_vit_b_32``."""
    model = "" if column.model == catalog.dataset.model else f"_{column.model}"
    parameters: Mapping[str, Any] = check_parameters(SCORE, column.parameters or {})
    for p in parameters["p"]:
        for side in parameters["target_side"]:
            made = SCORE.columns({"p": (p,), "target_side": (side,)}, [column.target])[0]
            if column.name in (made.name, f"{made.name}_{column.model}"):
                return f"{'inf' if math.isinf(p) else format(p, 'g')}_{side}{model}"
    return f"inf_image{model}"


def _read(store: Store, shard: int, names: tuple[str, ...]) -> Any:
    """Columns of a target's samples; those that earlier versions did not write are left out."""
    file = pq.ParquetFile(store.samples.file(shard, "parquet"))
    return file.read(columns=[name for name in names if name in file.schema_arrow.names])
