"""Exact search: the samples whose images are nearest to a text, an image or a sample, by cosine."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from curation import extras
from curation.analysis import embedding_store
from curation.analysis.embedding_store import Rowids, Rows, ShardRows, Side
from curation.analysis.rough_cosines import RoughCosines, threads
from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.images import decode
from curation.models.encoder import Encoder, ModelSpec
from curation.pipeline import recorded_model
from curation.scores.shared.normalize import chunks
from curation.storage.workspace import Workspace

Vector: TypeAlias = NDArray[np.floating[Any]]

# Rows per chunk: few enough that their float32 copy stays in the CPU cache.
CHUNK = 2048
# Rows per task of a thread: few enough that the threads finish at about the same time.
PIECE = 16 * CHUNK


@dataclass(frozen=True)
class Matches:
    """Samples, nearest first; ties in the order of the catalog.

    Attributes:
        rowids: int64 (n,).
        cosines: float32 (n,).
    """

    rowids: Rowids
    cosines: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.rowids)


def nearest(
    workspace: Workspace, catalog: Catalog, query: Vector, wanted: int, model: str | None = None
) -> Matches:
    """The ``wanted`` samples whose images are nearest to an embedding; an exact, full scan.

    Samples without an embedding are left out. The cosines are computed in float64.

    Args:
        query: shape (d,), of any nonzero norm.
        wanted: the number of samples, one or more.
        model: by default the model of the catalog's columns that name no model.

    Raises:
        CurationError: the query is zero or not finite, or of another length than the dataset's
            embeddings; or as ``embedding_store.iter_shards``.
    """
    unit = _unit(query)
    pool = threads()
    best = Matches(np.empty(0, np.int64), np.empty(0, np.float32))
    for part in embedding_store.iter_shards(workspace, catalog, "image", model):
        if part.rows.shape[1] != len(unit):
            raise CurationError(
                f"the query has an embedding of length {len(unit)}, the images have embeddings of "
                f"length {part.rows.shape[1]}: they are of different models"
            )
        search = partial(_nearest_in, part, unit, wanted, best)
        for matches in pool.map(search, chunks(len(part.rows), PIECE)):
            best = _best(best, matches, wanted)
    return best


def embed_text(encoder: Encoder, text: str) -> Vector:
    """The embedding of a text, shape (d,)."""
    vector: Vector = encoder.encode_texts([text]).rows()[0]
    return vector


def embed_image(encoder: Encoder, data: bytes) -> Vector:
    """The embedding of an encoded image, shape (d,), preprocessed like the dataset's images.

    Raises:
        CurationError: the image does not decode.
    """
    import torch

    picture = decode.rgb(
        data, at_least=2 * encoder.input_side, longer_side=encoder.fits_longer_side
    )
    pixels = torch.tensor(encoder.preprocess(decode.crop_extreme_aspect(picture)))
    vector: Vector = encoder.encode_images(pixels[None]).rows()[0]
    return vector


def sample_embedding(workspace: Workspace, catalog: Catalog, rowid: int, side: Side) -> Vector:
    """The embedding of a sample's image or caption, shape (d,).

    Raises:
        CurationError: the sample has none, or as ``embedding_store.iter_shards``.
    """
    vector: Vector = embedding_store.load(workspace, catalog, side, [rowid])[0]
    if not np.isfinite(vector).all():
        what = "image" if side == "image" else "caption"
        raise CurationError(f"this sample has no embedding of its {what}")
    return vector


def query_model(workspace: Workspace, catalog: Catalog) -> ModelSpec:
    """The model that encodes queries: that of the catalog's columns that name no model.

    Raises:
        CurationError: the embeddings came ready-made, or as ``recorded_model.spec``.
    """
    extras.require_embedding("Searching by text or image")
    name = catalog.dataset.model
    if recorded_model.is_ready_made(workspace, name):
        raise CurationError(
            f"The embeddings of this dataset ({name}) came ready-made, without a model that could "
            "embed a text or another image. Search for images similar to one of its samples."
        )
    return recorded_model.spec(workspace, name)


def _nearest_in(
    part: ShardRows, unit: NDArray[np.float64], wanted: int, before: Matches, piece: slice
) -> Matches:
    """The best matches in a piece of a shard that can still enter the best so far, ``before``."""
    best = Matches(np.empty(0, np.int64), np.empty(0, np.float32))
    rough = RoughCosines(unit, CHUNK)
    cutoff = _kth(before.cosines, wanted)
    for start in range(piece.start, piece.stop, CHUNK):
        chunk = slice(start, min(start + CHUNK, piece.stop))
        cosines = rough.of(part.rows[chunk])
        cosines[part.rowids[chunk] < 0] = np.nan
        lowest = max(cutoff, _kth(cosines, wanted), _kth(best.cosines, wanted)) - rough.error
        candidates = start + np.flatnonzero(cosines >= lowest)
        matches = Matches(part.rowids[candidates], _cosines(part.rows[candidates], unit))
        best = _best(best, matches, wanted)
    return best


def _cosines(rows: Rows, unit: NDArray[np.float64]) -> NDArray[np.float32]:
    """Exact cosines: equal rows have equal cosines, whatever chunk they are in."""
    wide = rows.astype(np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    cosines: NDArray[np.float64] = np.einsum("ij,j->i", wide, unit) / lengths
    return cosines.astype(np.float32)


def _unit(query: Vector) -> NDArray[np.float64]:
    wide = np.asarray(query, dtype=np.float64)
    length = float(np.sqrt(wide @ wide))
    if not np.isfinite(length) or length == 0:
        raise CurationError("the embedding of the query is zero or not finite")
    unit: NDArray[np.float64] = wide / length
    return unit


def _kth(cosines: NDArray[np.float32], k: int) -> float:
    """The k-th highest cosine, NaN excluded; −∞ if fewer than k are left."""
    if len(cosines) < k:
        return -np.inf
    ordered = np.partition(-cosines, k - 1)  # NaN comes last
    return float(-ordered[k - 1]) if not np.isnan(ordered[k - 1]) else -np.inf


def _best(before: Matches, more: Matches, wanted: int) -> Matches:
    """The best of both; the rows of ``more`` come later in the catalog."""
    if not len(more):
        return before
    rowids = np.concatenate([before.rowids, more.rowids])
    cosines = np.concatenate([before.cosines, more.cosines])
    order = np.argsort(-cosines, kind="stable")[:wanted]
    return Matches(rowids[order], cosines[order])
