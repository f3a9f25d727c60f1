"""The nearest neighbors of one sample, in the dataset and in a target.

NumPy on memory-mapped embeddings: comparing one vector with a matrix takes no longer than importing
torch.
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

# The number of neighbors returned.
NEAREST = 6
# The largest dataset compared in full, in numbers per side: 2 million embeddings of length 512,
# which takes some seconds.
MOST = 1 << 30

_OTHER: Mapping[Side, Side] = {"image": "text", "text": "image"}
# Cosines that differ by less count as equal: the same caption or image twice.
_SAME = 1e-6
# Rows per chunk: few enough that their float32 copy stays in the CPU cache.
_CHUNK = 4096

# The candidates: the whole dataset, the first pool of negatives that the scores used, or a random
# pool that they did not use.
Among = Literal["dataset", "pool", "substitute"]


@dataclass(frozen=True)
class Confused:
    """The captions that match an image best other than its own, or the images for a caption.

    Attributes:
        rowids, cosines: the best matches, best first.
        own: the cosine of the sample's own pair.
        better: the number of candidates that match better than its own.
        compared: the number of candidates, without its own.
        among: where the candidates come from.
    """

    rowids: list[int]
    cosines: list[float]
    own: float
    better: int
    compared: int
    among: Among


def most_confused(workspace: Workspace, catalog: Catalog, rowid: int, side: Side) -> Confused:
    """The captions closest to a sample's image, or the images closest to its caption.

    The candidates are the whole dataset. If that is too large for an interactive request, they are
    a pool of as many samples as a batch of negCLIPLoss has.

    Args:
        side: the side of the sample; the candidates are of the other side.

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
            known = part.rowids >= 0
            cosines[part.rowids[known]] = _cosines(part.rows, left)[known]
    else:
        cosines = embedding_store.load(workspace, catalog, other, rowids) @ left
    others = (rowids != rowid) & ~np.isnan(cosines)
    rowids, cosines = rowids[others], cosines[others]
    best = _largest(cosines)
    better = int(np.count_nonzero(cosines > own + _SAME))
    return Confused(rowids[best].tolist(), cosines[best].tolist(), own, better, len(rowids), among)


@dataclass(frozen=True)
class NearestItems:
    """The items of a target that are nearest to an image, by |cosine| as in NormSim.

    Attributes:
        side: the side of the target that was compared: captions if it has no images.
        rows: the row numbers of the items in the target, nearest first.
        cosines: the signed cosine of each.
        items: uid, caption and image location of each; empty if the target was given as embeddings.
    """

    target: str
    side: Side
    rows: list[int]
    cosines: list[float]
    items: list[dict[str, Any]]


def target_names(catalog: Catalog) -> list[str]:
    """The names of the targets that the catalog's scores refer to, sorted."""
    return sorted({c.target for c in catalog.scores if c.target} - {ALL_TARGETS})


def nearest_items(workspace: Workspace, catalog: Catalog, rowid: int, target: str) -> NearestItems:
    """The items of a target that are nearest to a sample's image.

    Raises:
        CurationError: the embeddings of the target or the dataset cannot be read, they are of
            different models, or this sample has no embedding.
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
    rows = best.tolist()
    return NearestItems(target, side, rows, cosines[best].tolist(), _items(store, rows))


def item_thumbnails(
    workspace: Workspace, nearest: NearestItems, from_the_web: bool = False
) -> list[bytes | None]:
    """JPEG thumbnails of the items, cached in the target's folder; None without an image.

    Args:
        from_the_web: also download images that have a URL only.

    Raises:
        CurationError: the target no longer exists.
    """
    store = workspace.target(nearest.target)
    root = locations.parse(targets.info(store).image_root)
    return thumbnails.load(Workspace(store.path), root, nearest.items, from_the_web)


def _to_compare(catalog: Catalog, dim: int) -> tuple[Among, Rowids]:
    if len(catalog) * dim <= MOST:
        return "dataset", np.arange(len(catalog))
    column = catalog.columns.get(SCORE.name)
    recorded = column.parameters if column else None
    parameters = check_parameters(SCORE, recorded or {})
    # The same draw as the first pool of ``scores.pools``.
    keys = uids.draw_keys(catalog.uids.words, parameters["seed"], 0)
    size = min(parameters["batch_size"], len(keys))
    pool = np.sort(np.argpartition(keys, size - 1)[:size])
    was_used = recorded is not None and parameters["negatives"] == "pool"
    return "pool" if was_used else "substitute", pool


def _of_target(store: Store, model: str, side: Side, left: Floats) -> Iterator[Floats]:
    """The cosines of a target's items, shard by shard; NaN for items that lack this side."""
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
    """Uid, caption and image location of a target's rows; empty if it was given as embeddings."""
    items: dict[int, dict[str, Any]] = {}
    start = 0
    for shard in range(store.shard_count()):
        file = pq.ParquetFile(store.samples.file(shard, "parquet"))
        stop = start + file.metadata.num_rows
        if in_shard := [row for row in wanted if start <= row < stop]:
            names = [n for n in ("uid", "caption", *COLUMNS) if n in file.schema_arrow.names]
            table = file.read(columns=names).take([row - start for row in in_shard])
            items |= dict(zip(in_shard, table.to_pylist(), strict=True))
        start = stop
    return [items[row] for row in wanted if row in items]


def _cosines(rows: Rows, left: Floats) -> Floats:
    """The cosine of each row (N, d) with a unit vector (d,); NaN for unusable rows."""
    result = np.empty(len(rows), dtype=np.float32)
    for part in chunks(len(rows), _CHUNK):
        with np.errstate(all="ignore"):
            plain = np.asarray(rows[part], dtype=np.float32)
            squares = np.einsum("ij,ij->i", plain, plain)
            result[part] = plain @ left / np.sqrt(squares)
        # Rows of zero, non-finite or extreme length are rare: normalize only them.
        odd = part.start + np.flatnonzero(~((squares > 1e-4) & (squares < 1e4)))
        if len(odd):
            scaled, bad = unit(rows[odd])
            result[odd] = np.where(bad, np.nan, scaled @ left)
    return result


def _largest(values: Floats) -> NDArray[np.int64]:
    """Indices of the ``NEAREST`` largest values, largest first; NaN is excluded."""
    known = np.flatnonzero(~np.isnan(values))
    if len(known) > NEAREST:
        known = known[np.argpartition(-values[known], NEAREST)[:NEAREST]]
    return known[np.lexsort((known, -values[known]))]
