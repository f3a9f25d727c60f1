"""What one sample is confused with, and what of a target it is near: NumPy on mapped embeddings.

One vector against a matrix is done in the time that torch takes to load.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from curation import uids
from curation.analysis import embedding_store
from curation.analysis.embedding_store import Rowids, Side
from curation.catalog.catalog import Catalog
from curation.catalog.columns import ALL_TARGETS
from curation.errors import CurationError
from curation.images import thumbnails
from curation.images.location import COLUMNS
from curation.pipeline import targets
from curation.scores.base import Floats, check_parameters
from curation.scores.neg_clip_loss import SCORE
from curation.scores.shared.normalize import chunks, unit
from curation.storage import locations
from curation.storage.matrices import Rows, open_matrix
from curation.storage.workspace import Store, Workspace

# How many neighbours are told.
NEAREST = 6
# Numbers of a side that are looked over whole, some seconds' work: 2 million embeddings of 512.
MOST = 1 << 30

_OTHER: Mapping[Side, Side] = {"image": "text", "text": "image"}
# Cosines that differ by less are of one caption, or one picture, twice.
_SAME = 1e-6
# Rows that stay in the cache while they are widened, squared and multiplied.
_CHUNK = 4096

# What a sample was compared with: everything, a pool that its score was made with, or another.
Among = Literal["dataset", "pool", "substitute"]


@dataclass(frozen=True)
class Confused:
    """The captions that an image fits best besides its own, or the images that a caption does.

    Attributes:
        rowids, cosines: the best of them, best first.
        own: the cosine of the sample's own pair.
        better: how many of them fit better than its own.
        compared: how many there were to compare with, without its own.
    """

    rowids: list[int]
    cosines: list[float]
    own: float
    better: int
    compared: int
    among: Among


def most_confused(workspace: Workspace, catalog: Catalog, rowid: int, side: Side) -> Confused:
    """What a sample's image (or caption) is most confused with.

    Compared with the whole dataset, unless that is too large to look over while somebody waits:
    then with a pool of as many samples as a batch of negCLIPLoss has.

    Raises:
        CurationError: the embeddings cannot be read, or this sample has none.
    """
    other = _OTHER[side]
    (left,), (right,) = (
        embedding_store.load(workspace, catalog, s, [rowid]) for s in (side, other)
    )
    own = float(left @ right)
    if math.isnan(own):
        raise CurationError("this sample has no usable embeddings to compare with others")
    among, rowids = _to_compare(catalog, len(left))
    if among == "dataset":
        cosines = np.full(len(catalog), np.nan, dtype=np.float32)
        for part in embedding_store.iter_shards(workspace, catalog, other):
            there = part.rowids >= 0
            cosines[part.rowids[there]] = _cosines(part.rows, left)[there]
    else:
        cosines = embedding_store.load(workspace, catalog, other, rowids) @ left
    others = (rowids != rowid) & ~np.isnan(cosines)
    rowids, cosines = rowids[others], cosines[others]
    best = _largest(cosines)
    better = int(np.count_nonzero(cosines > own + _SAME))
    return Confused(rowids[best].tolist(), cosines[best].tolist(), own, better, len(rowids), among)


@dataclass(frozen=True)
class NearestItems:
    """The items of a target that an image is nearest to, by |cosine| as NormSim has it.

    Attributes:
        side: whether the target's images were compared, or, where it has none, its captions.
        places: their rows in the target.
        items: what was read of them; nothing where a target was given as embeddings.
    """

    target: str
    side: Side
    places: list[int]
    cosines: list[float]
    items: list[dict[str, Any]]


def target_names(catalog: Catalog) -> list[str]:
    """The targets that the catalog's scores measure against."""
    return sorted({c.target for c in catalog.scores if c.target} - {ALL_TARGETS})


def nearest_items(workspace: Workspace, catalog: Catalog, rowid: int, target: str) -> NearestItems:
    """The items of a target that a sample's image is nearest to.

    Raises:
        CurationError: the embeddings of either cannot be read, or this sample has none.
    """
    (left,) = embedding_store.load(workspace, catalog, "image", [rowid])
    if np.isnan(left).any():
        raise CurationError("this sample's image has no usable embedding")
    store = workspace.target(target)
    folder = store.embeddings(catalog.dataset.model)
    side: Side = "image" if any(folder.path.glob("[0-9]*.image.npy")) else "text"
    cosines = np.concatenate(
        [np.empty(0, np.float32), *_of_target(store, catalog.dataset.model, side, left)]
    )
    best = _largest(np.abs(cosines))
    found = best.tolist()
    return NearestItems(target, side, found, cosines[best].tolist(), _items(store, found))


def item_thumbnails(
    workspace: Workspace, found: NearestItems, from_the_web: bool = False
) -> list[bytes | None]:
    """Thumbnails of a target's items, kept with the target.

    Raises:
        CurationError: the target is not there any more.
    """
    store = workspace.target(found.target)
    root = locations.parse(targets.info(store).image_root)
    return thumbnails.load(Workspace(store.path), root, found.items, from_the_web)


def _to_compare(catalog: Catalog, dim: int) -> tuple[Among, Rowids]:
    if len(catalog) * dim <= MOST:
        return "dataset", np.arange(len(catalog))
    column = catalog.columns.get(SCORE.name)
    told = column.parameters if column else None
    parameters = check_parameters(SCORE, told or {})
    # As ``scores.pools`` draws the first of them.
    keys = uids.draw_keys(catalog.uids.words, parameters["seed"], 0)
    size = min(parameters["batch_size"], len(keys))
    pool = np.sort(np.argpartition(keys, size - 1)[:size])
    was_used = told is not None and parameters["negatives"] == "pool"
    return "pool" if was_used else "substitute", pool


def _of_target(store: Store, model: str, side: Side, left: Floats) -> Iterator[Floats]:
    """The cosines of a target's items shard by shard; NaN of those that lack this side."""
    folder = store.embeddings(model)
    shards = sorted({int(file.name.split(".")[0]) for file in folder.path.glob("[0-9]*.npy")})
    if not shards:
        raise CurationError(f"the target {store.path.name} has no embeddings of the model {model}")
    for shard in shards:
        files = {s: folder.file(shard, f"{s}.npy") for s in _OTHER}
        held = {s: open_matrix(file) for s, file in files.items() if file.is_file()}
        rows = next(iter(held.values()))
        if rows.shape[1] != len(left):
            raise CurationError(
                f"the target {store.path.name} has embeddings of length {rows.shape[1]}, the "
                f"dataset of length {len(left)}: score again, both with one model"
            )
        missing = np.full(len(rows), np.nan, dtype=np.float32)
        yield _cosines(held[side], left) if side in held else missing


def _items(store: Store, wanted: Sequence[int]) -> list[dict[str, Any]]:
    """What was read of a target's items; nothing where they were given as embeddings."""
    found: dict[int, dict[str, Any]] = {}
    start = 0
    for shard in range(store.shard_count()):
        file = pq.ParquetFile(store.samples.file(shard, "parquet"))
        stop = start + file.metadata.num_rows
        if mine := [place for place in wanted if start <= place < stop]:
            there = [n for n in ("uid", "caption", *COLUMNS) if n in file.schema_arrow.names]
            rows = file.read(columns=there).take([place - start for place in mine])
            found |= dict(zip(mine, rows.to_pylist(), strict=True))
        start = stop
    return [found[place] for place in wanted if place in found]


def _cosines(rows: Rows, left: Floats) -> Floats:
    """The cosine of each row (N, d) with a unit vector (d,); NaN where a row is not usable."""
    result = np.empty(len(rows), dtype=np.float32)
    for part in chunks(len(rows), _CHUNK):
        with np.errstate(all="ignore"):
            plain = np.asarray(rows[part], dtype=np.float32)
            squares = np.einsum("ij,ij->i", plain, plain)
            result[part] = plain @ left / np.sqrt(squares)
        # Rows that are far from unit length, or none: rare, and not worth a pass over all.
        odd = part.start + np.flatnonzero(~((squares > 1e-4) & (squares < 1e4)))
        if len(odd):
            scaled, bad = unit(rows[odd])
            result[odd] = np.where(bad, np.nan, scaled @ left)
    return result


def _largest(values: Floats) -> NDArray[np.int64]:
    """Where the largest values are, largest first; NaN is none."""
    known = np.flatnonzero(~np.isnan(values))
    if len(known) > NEAREST:
        known = known[np.argpartition(-values[known], NEAREST)[:NEAREST]]
    return known[np.lexsort((known, -values[known]))]
