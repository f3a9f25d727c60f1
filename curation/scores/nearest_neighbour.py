"""Nearest-neighbour selection: how high each image ranks for the target's items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation.scores import in_memory
from curation.scores.base import (
    Column,
    Data,
    Floats,
    Parameter,
    Rows,
    Score,
    Scorer,
    Side,
    check_parameters,
)
from curation.scores.shared import dataset_rows
from curation.scores.shared.normalize import chunks
from curation.scores.target_sides import TARGET_SIDE, Items, all_items, label, suffix

if TYPE_CHECKING:
    import torch

# Bytes of ranks in memory at a time; more items than fit take another pass.
_RANK_BYTES = 1 << 26
# Samples and items compared at once: 16 MB of float64.
_SAMPLES, _ITEMS = 16384, 128
# A key holds a cosine in steps of 2^-30 in its upper 32 bits and the sample in the lower 32.
_STEPS, _LOW = 2.0**30, 2**32
_NONE = -(2**63)


class NearestNeighbour:
    """Minus the best rank that a sample's cosine has in the pool for any item of the target."""

    name = "nearest_neighbour"
    title = "Nearest neighbour"
    help = (
        "Minus the best rank of the image over all items of the target, when the pool is ranked by "
        "cosine to each item: −1 is the nearest image of some item. Missing where it is not among "
        "the nearest of any item."
    )
    source = "Wang et al., NeurIPS 2024, arXiv 2405.19547, nearest-neighbour selection"
    needs: frozenset[Side] = frozenset({"image", "target"})
    default = False
    parameters: tuple[Parameter, ...] = (
        TARGET_SIDE,
        Parameter("depth", int, 1000, "how many nearest images of each item are ranked", minimum=1),
    )

    def columns(self, parameters: Mapping[str, Any], targets: Sequence[str]) -> list[Column]:
        return [
            Column(
                f"{self.name}_{suffix(target, side)}",
                f"{self.title} ({label(target, side)})",
                self.help,
                target=target,
                type="int32",
            )
            for target in targets
            for side in parameters["target_side"]
        ]

    def passes(self, parameters: Mapping[str, Any]) -> int:
        return 1

    def prepare(self, data: Data, parameters: Mapping[str, Any]) -> Scorer:
        """Rank all shards at once: the nearest images of an item can be in any of them."""
        from curation.scores.shared import float64

        every = all_items(data.targets, parameters["target_side"])
        ranks = float64.uid_ranks(data.shards)
        progress = _Compared(data, sum(len(items.rows) for items in every))
        columns = {}
        for items in every:
            if data.shards:
                items.check_length(data.shards[0].image.shape[1])
            best = _best(data, items, ranks, int(parameters["depth"]), progress)
            name = f"{self.name}_{suffix(items.target, items.side)}"
            columns[name] = pa.array(-best, mask=best == 0)
        return float64.look_up(data.shards, columns)


def nearest_neighbour(
    image: Rows, target: Rows, *, depth: int = 1000, device: str = "auto"
) -> Floats:
    """Minus the best rank of each image over the items of a target (arXiv 2405.19547).

    For each item, the usable images rank by their cosine to it, in float64 steps of 2^-30; of
    equal ones the earlier row is first.

    Args:
        image: image embeddings, shape (N, d).
        target: the target's embeddings, shape (M, d).
        depth: ranks 1 to ``depth`` of each item count, at most N.
        device: ``auto``, ``cuda`` or ``cpu`` (``mps`` has no float64 and means the CPU).

    Returns:
        Shape (N,), float32, from −1 (some item's nearest) to −depth; NaN where it is in no
        item's top ``depth``, and where an embedding is zero or not finite.

    Raises:
        CurationError: the lengths of the embeddings differ, the target is empty, or depth < 1.
    """
    parameters = check_parameters(SCORE, {"depth": depth})
    data = in_memory.data(image, target=target, device=device)
    found = pa.array(in_memory.score(SCORE, data, parameters)[f"{SCORE.name}_target"])
    return np.asarray(found.cast(pa.float32()).to_numpy(zero_copy_only=False))


class _Compared:
    """Progress of comparing every sample with every item, reported in samples."""

    def __init__(self, data: Data, items: int) -> None:
        self.data = data
        self.items = items
        self.compared = 0
        self.reported = 0

    def add(self, compared: int) -> None:
        self.compared += compared
        now = self.compared // self.items
        self.data.advance(now - self.reported)
        self.reported = now


def _best(
    data: Data, items: Items, ranks: NDArray[np.int64], depth: int, progress: _Compared
) -> NDArray[np.int32]:
    """The best rank of each sample, (N,); 0 for none. ``ranks`` are those of the uids."""
    import torch

    from curation.scores.shared import float64

    device = float64.device(data.devices[0])
    depth = min(depth, len(ranks))
    # Indexed by the rank of the uid, which is how keys name samples.
    best = torch.full((len(ranks),), depth + 1, dtype=torch.int32, device=device)
    positions = torch.arange(1, depth + 1, dtype=torch.int32, device=device)
    for block in chunks(len(items.rows), max(1, _RANK_BYTES // (8 * depth)) if depth else 1):
        target = torch.from_numpy(items.rows[block]).to(device).double()
        top = _top(data, target, ranks, depth, progress)
        for part in chunks(len(top), _ITEMS):
            is_ranked = top[part] > _NONE
            samples = (_LOW - 1 - top[part] % _LOW)[is_ranked]
            best.scatter_reduce_(0, samples, positions.expand_as(is_ranked)[is_ranked], "amin")
    found = best.cpu().numpy()[ranks]
    return np.where(found > depth, 0, found)


def _top(
    data: Data, target: torch.Tensor, ranks: NDArray[np.int64], depth: int, progress: _Compared
) -> torch.Tensor:
    """The keys of each item's nearest samples, (m, depth), nearest first."""
    import torch

    from curation.scores.shared import float64

    again = dataset_rows.repeats(data.shards)
    top = torch.full((len(target), depth), _NONE, dtype=torch.int64, device=target.device)
    for first, shard in zip(dataset_rows.first_rows(data.shards), data.shards, strict=False):
        for part in chunks(len(shard), _SAMPLES):
            image, bad = float64.unit_rows(shard.image[part], str(target.device))
            part_again = again[first + part.start : first + part.stop]
            unseen = bad | torch.from_numpy(part_again).to(bad.device)
            # Of equal cosines the smaller uid has the larger key.
            low = _LOW - 1 - ranks[first + part.start : first + part.stop]
            low_bits = torch.from_numpy(low).to(target.device)
            for some in chunks(len(target), _ITEMS):
                steps = (target[some] @ image.T).mul_(_STEPS).round_()
                keys = steps.long().mul_(_LOW).add_(low_bits)
                keys[:, unseen] = _NONE
                top[some] = torch.cat([top[some], keys], dim=1).topk(depth, dim=1).values
            progress.add((part.stop - part.start) * len(target))
    return top


SCORE: Score = NearestNeighbour()
