"""NormSim-D: NormSim₂ where no target is known, toward what is left of the pool itself."""

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
    """Drop the lowest by x Σ xᵀ, Σ of the survivors, in T rounds until few enough are left."""

    name = "norm_sim_d"
    title = "NormSim₂-D"
    help = (
        "Relevance without a target: like NormSim₂ toward the pool itself, from which the least "
        "alike are dropped round by round. What is kept at last has 0 or more: its root mean "
        "square cosine to the others kept; what was dropped is below 0, the earlier the lower."
    )
    source = "Wang et al., NeurIPS 2024, arXiv 2405.19547, NormSim₂-D"
    needs: frozenset[Side] = frozenset({"image"})
    default = False
    parameters: tuple[Parameter, ...] = (
        Parameter(
            "keep",
            float,
            0.3,
            "how much of the pool is left at last: a fraction up to 1, or a number of samples",
            minimum=0,
            exclusive=True,
            finite=True,
        ),
        Parameter(
            "iterations",
            int,
            100,
            "rounds of dropping; the paper took 168 at 12.8 million samples and 500 at 128 million",
            minimum=1,
        ),
    )

    def columns(self, parameters: Mapping[str, Any], targets: Sequence[str]) -> list[Column]:
        return [Column(self.name, self.title, self.help)]

    def passes(self, parameters: Mapping[str, Any]) -> int:
        return int(parameters["iterations"]) + 2

    def prepare(self, data: Data, parameters: Mapping[str, Any]) -> Scorer:
        """Every round looks at every survivor, so all is computed here and looked up by shard."""
        from curation.scores.shared import float64

        rounds = int(parameters["iterations"])
        pool = _Pool(data, float64.device(data.devices[0]))
        usable = int(pool.alive.sum())
        wanted = float(parameters["keep"])
        kept = min(usable, max(1, round(wanted * usable if wanted <= 1 else wanted)))
        result = np.full(len(pool.alive), np.nan, dtype=np.float32)
        each = -(-(usable - kept) // rounds)
        for turn in range(rounds):
            drop = min(each, int(pool.alive.sum()) - kept)
            if drop == 0:
                data.advance((rounds - turn) * len(result))
                break
            values = pool.scores()
            lowest = _lowest(values, drop, data)
            # Short of 1, so that whoever was dropped is below 0.
            last = np.minimum(values[lowest], np.nextafter(np.float32(1), np.float32(0)))
            result[lowest] = last - (rounds - turn)
            pool.drop(lowest)
        result[pool.alive] = pool.scores()[pool.alive]
        return float64.look_up(data.shards, {self.name: result})


def norm_sim_d(
    image: Rows, *, keep: float = 0.3, iterations: int = 100, device: str = "auto"
) -> Floats:
    """NormSim₂-D of each image (arXiv 2405.19547), as scores that rank.

    Each of T rounds scores the survivors by x Σ xᵀ, Σ = Σ_j x_jᵀ x_j over them, and drops the
    lowest ⌈(N − kept)/T⌉; equal scores go by row, the later first. Everything is float64.

    Args:
        image: image embeddings, shape (N, d); rows are brought to unit length.
        keep: how many are left at last: a fraction in (0, 1] of the usable rows, or a number.
        iterations: T ≥ 1.
        device: ``auto``, ``cuda`` or ``cpu`` (``mps`` has no float64 and means the CPU).

    Returns:
        Shape (N,), float32. What is kept has its root mean square cosine to what is kept, itself
        included, in [0, 1]; what round t dropped has that of the round minus (T − t + 1), below
        0. NaN where an embedding is zero or not finite; those do not count in N.

    Raises:
        CurationError: the shape is not (N, d), or a parameter is out of range.
    """
    parameters = check_parameters(SCORE, {"keep": keep, "iterations": iterations})
    return np.asarray(
        in_memory.score(SCORE, in_memory.data(image, device=device), parameters)[SCORE.name]
    )


class _Pool:
    """The survivors and their Σ, (d, d), float64; 5 bytes a sample, no embeddings."""

    def __init__(self, data: Data, device: str) -> None:
        self.data = data
        self.device = device
        self.first = dataset_rows.first_rows(data.shards)
        self.alive = np.zeros(int(self.first[-1]), dtype=bool)
        # Of a uid that comes again the first row counts.
        rows = np.flatnonzero(~dataset_rows.repeats(data.shards))
        self.sum = self._sum_of(rows, self.alive)
        if not self.alive.any():
            raise CurationError("norm_sim_d needs at least one sample with a usable embedding")
        data.advance(len(self.alive))

    def scores(self) -> Floats:
        """Root mean square cosine of each survivor to all of them, (N,); NaN for the others."""
        values = np.full(len(self.alive), np.nan, dtype=np.float32)
        mean = self.sum / int(self.alive.sum())
        for rows, image, _ in self._units(np.flatnonzero(self.alive)):
            squares = (image @ mean).mul_(image).sum(dim=1)
            # float32 makes equal again what rounding told apart.
            values[rows] = squares.clamp_(0, 1).sqrt_().float().cpu().numpy()
        self.data.advance(len(self.alive))
        return values

    def drop(self, rows: NDArray[np.int64]) -> None:
        self.alive[rows] = False
        self.sum -= self._sum_of(rows)

    def _sum_of(
        self, rows: NDArray[np.int64], usable: NDArray[np.bool_] | None = None
    ) -> torch.Tensor:
        """Σ of some rows; notes in ``usable`` which of them can be brought to unit length."""
        import torch

        dim = self.data.shards[0].image.shape[1]
        total = torch.zeros(dim, dim, dtype=torch.float64, device=self.device)
        for mine, image, bad in self._units(rows):
            total.addmm_(image.T, image)
            if usable is not None:
                usable[mine] = ~bad.cpu().numpy()
        return total

    def _units(self, rows: NDArray[np.int64]) -> Iterator[_Units]:
        """Unit rows at these ascending rows of the whole dataset, some at a time."""
        from curation.scores.shared import float64

        cuts = np.searchsorted(rows, self.first)
        for position, shard in enumerate(self.data.shards):
            mine = rows[cuts[position] : cuts[position + 1]]
            image = shard.image
            for part in chunks(len(mine)):
                here = image[mine[part] - self.first[position]]
                yield mine[part], *float64.unit_rows(here, self.device)


# Which rows of the dataset, their unit rows, and which of them cannot be.
_Units = tuple[NDArray[np.int64], "torch.Tensor", "torch.Tensor"]


def _lowest(values: Floats, count: int, data: Data) -> NDArray[np.int64]:
    """The rows of the ``count`` lowest values, ascending; of equal ones those of later uids."""
    known = values[~np.isnan(values)]
    cut = np.partition(known, count - 1)[count - 1]
    below = np.flatnonzero(values < cut)
    equal = np.flatnonzero(values == cut)
    spare = count - len(below)
    if spare < len(equal):
        equal = equal[uids.order(_uids_at(data.shards, equal))[::-1][:spare]]
    return np.sort(np.concatenate([below, equal]))


def _uids_at(shards: Sequence[Shard], rows: NDArray[np.int64]) -> uids.Words:
    """The uids, (n, 2), at these ascending rows; only shards that have some are opened."""
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
