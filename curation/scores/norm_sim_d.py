"""NormSim₂-D: NormSim₂ without a target, measured against the pool's own survivors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from curation import uids
from curation.errors import CurationError
from curation.scores import in_memory
from curation.scores.base import (
    Column,
    Data,
    Floats,
    Parameter,
    Rows,
    Score,
    Scorer,
    Shard,
    Side,
    check_parameters,
)
from curation.scores.shared import dataset_rows
from curation.scores.shared.normalize import chunks

if TYPE_CHECKING:
    import torch


class NormSimD:
    """The round in which x Σ xᵀ is among the lowest, Σ being the survivors' sum of xᵀ x."""

    name = "norm_sim_d"
    title = "NormSim₂-D"
    help = (
        "Relevance without a target: NormSim₂ toward the pool itself, from which the samples least "
        "similar to the others are dropped round by round. Kept samples score 0 or more: the root "
        "mean square cosine to the kept samples. Dropped samples score below 0, earlier ones lower."
    )
    source = "Wang et al., NeurIPS 2024, arXiv 2405.19547, NormSim₂-D"
    needs: frozenset[Side] = frozenset({"image"})
    default = False
    parameters: tuple[Parameter, ...] = (
        Parameter(
            "keep",
            float,
            0.3,
            "how much of the pool to keep: a fraction up to 1, or a number of samples above 1",
            minimum=0,
            exclusive=True,
            finite=True,
        ),
        Parameter(
            "iterations",
            int,
            100,
            "rounds of dropping; the paper: 168 at 12.8 million samples, 500 at 128 million",
            minimum=1,
        ),
    )

    def columns(self, parameters: Mapping[str, Any], targets: Sequence[str]) -> list[Column]:
        return [Column(self.name, self.title, self.help)]

    def passes(self, parameters: Mapping[str, Any]) -> int:
        return int(parameters["iterations"]) + 2

    def prepare(self, data: Data, parameters: Mapping[str, Any]) -> Scorer:
        """Compute everything here, since each round reads all survivors; the scorer looks it up."""
        from curation.scores.shared import float64

        rounds = int(parameters["iterations"])
        pool = _Pool(data, float64.device(data.devices[0]))
        usable = int(pool.alive.sum())
        keep = float(parameters["keep"])
        kept = min(usable, max(1, round(keep * usable if keep <= 1 else keep)))
        result = np.full(len(pool.alive), np.nan, dtype=np.float32)
        per_round = -(-(usable - kept) // rounds)
        for number in range(rounds):
            drop = min(per_round, int(pool.alive.sum()) - kept)
            if drop == 0:
                data.advance((rounds - number) * len(result))
                break
            values = pool.scores()
            lowest = _lowest(values, drop, data)
            # Below 1, so that the scores of dropped samples are below 0.
            last = np.minimum(values[lowest], np.nextafter(np.float32(1), np.float32(0)))
            result[lowest] = last - (rounds - number)
            pool.drop(lowest)
        result[pool.alive] = pool.scores()[pool.alive]
        return float64.look_up(data.shards, {self.name: result})


def norm_sim_d(
    image: Rows, *, keep: float = 0.3, iterations: int = 100, device: str = "auto"
) -> Floats:
    """NormSim₂-D of each image (arXiv 2405.19547), as a score that ranks.

    Each of T rounds scores the survivors by x Σ xᵀ with Σ = Σ_j x_jᵀ x_j over them, and drops the
    lowest ⌈(N − kept)/T⌉; of equal scores the later row is dropped first. Computed in float64.

    Args:
        image: image embeddings, shape (N, d), any float type; rows are scaled to unit length.
        keep: how many rows to keep: a fraction in (0, 1] of the usable rows, or a number above 1.
        iterations: T ≥ 1.
        device: ``auto``, ``cuda`` or ``cpu``; ``mps`` has no float64 and means the CPU.

    Returns:
        Shape (N,), float32. A kept row has its root mean square cosine to all kept rows (itself
        included), in [0, 1]. A row that round t = 1 … T dropped has its root mean square cosine to
        the survivors of that round, minus (T − t + 1), so it is below 0. NaN where an embedding is
        zero or not finite; such rows do not count in N.

    Raises:
        CurationError: the shape is not (N, d), or a parameter is out of range.
    """
    parameters = check_parameters(SCORE, {"keep": keep, "iterations": iterations})
    return np.asarray(
        in_memory.score(SCORE, in_memory.data(image, device=device), parameters)[SCORE.name]
    )


class _Pool:
    """The survivors and their Σ. Holds 5 bytes per sample and no embeddings.

    Attributes:
        alive: which rows of the dataset survive, shape (N,).
        sum: Σ = Σ_j x_jᵀ x_j over the survivors, shape (d, d), float64.
    """

    def __init__(self, data: Data, device: str) -> None:
        self.data = data
        self.device = device
        self.first = dataset_rows.first_rows(data.shards)
        self.alive = np.zeros(int(self.first[-1]), dtype=bool)
        # Of rows with the same uid, the first counts.
        rows = np.flatnonzero(~dataset_rows.repeats(data.shards))
        self.sum = self._sum_of(rows, self.alive)
        if not self.alive.any():
            raise CurationError("norm_sim_d needs at least one sample with a usable embedding")
        data.advance(len(self.alive))

    def scores(self) -> Floats:
        """Root mean square cosine of each survivor to all survivors, (N,); NaN for other rows."""
        values = np.full(len(self.alive), np.nan, dtype=np.float32)
        mean = self.sum / int(self.alive.sum())
        for rows, image, _ in self._unit_rows(np.flatnonzero(self.alive)):
            squares = (image @ mean).mul_(image).sum(dim=1)
            # Scores that differ by rounding only are equal in float32.
            values[rows] = squares.clamp_(0, 1).sqrt_().float().cpu().numpy()
        self.data.advance(len(self.alive))
        return values

    def drop(self, rows: NDArray[np.int64]) -> None:
        """Remove these survivors."""
        self.alive[rows] = False
        self.sum -= self._sum_of(rows)

    def _sum_of(
        self, rows: NDArray[np.int64], usable: NDArray[np.bool_] | None = None
    ) -> torch.Tensor:
        """Σ_j x_jᵀ x_j over these rows; sets ``usable`` of those that can be scaled, (N,)."""
        import torch

        dim = self.data.shards[0].image.shape[1]
        total = torch.zeros(dim, dim, dtype=torch.float64, device=self.device)
        for some, image, bad in self._unit_rows(rows):
            total.addmm_(image.T, image)
            if usable is not None:
                usable[some] = ~bad.cpu().numpy()
        return total

    def _unit_rows(self, rows: NDArray[np.int64]) -> Iterator[_Chunk]:
        """The embeddings at these ascending rows of the dataset, in chunks."""
        from curation.scores.shared import float64

        cuts = np.searchsorted(rows, self.first)
        for position, shard in enumerate(self.data.shards):
            in_shard = rows[cuts[position] : cuts[position + 1]]
            image = shard.image
            for part in chunks(len(in_shard)):
                some = image[in_shard[part] - self.first[position]]
                yield in_shard[part], *float64.unit_rows(some, self.device)


# n rows of the dataset, their unit rows (n, d), and which of them cannot be scaled, (n,).
_Chunk = tuple[NDArray[np.int64], "torch.Tensor", "torch.Tensor"]


def _lowest(values: Floats, count: int, data: Data) -> NDArray[np.int64]:
    """The rows of the ``count`` lowest values, ascending; of equal values, those of larger uids."""
    known = values[~np.isnan(values)]
    cutoff = np.partition(known, count - 1)[count - 1]
    below = np.flatnonzero(values < cutoff)
    equal = np.flatnonzero(values == cutoff)
    missing = count - len(below)
    if missing < len(equal):
        equal = equal[uids.order(_uids_at(data.shards, equal))[::-1][:missing]]
    return np.sort(np.concatenate([below, equal]))


def _uids_at(shards: Sequence[Shard], rows: NDArray[np.int64]) -> uids.Words:
    """The uids at n ascending rows, (n, 2); opens only the shards of those rows."""
    first = dataset_rows.first_rows(shards)
    cuts = np.searchsorted(rows, first)
    return np.concatenate(
        [
            shard.uids()[rows[cuts[k] : cuts[k + 1]] - first[k]]
            for k, shard in enumerate(shards)
            if cuts[k] < cuts[k + 1]
        ]
    )


SCORE: Score = NormSimD()
