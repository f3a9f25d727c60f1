"""NormSim: how near an image is to the images of a target."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from curation import devices
from curation.errors import CurationError
from curation.scores.arrays import chunks, unit
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
    Target,
    check_parameters,
    in_memory,
    score_arrays,
)

if TYPE_CHECKING:
    import torch


class NormSim:
    """(Σ_s |⟨v_i, v_s⟩|^p)^(1/p) over the images s of a target; higher is nearer."""

    name = "norm_sim"
    title = "NormSim"
    help = (
        "Relevance to a target: the p-norm of the similarities between the image and the "
        "target's images. p = ∞ asks for one near image, p = 2 for many. Higher is nearer."
    )
    source = "Wang et al., NeurIPS 2024, arXiv 2405.19547, section 3.2"
    needs: frozenset[Side] = frozenset({"image", "target"})
    default = True
    parameters: tuple[Parameter, ...] = (
        Parameter(
            "p",
            float,
            (math.inf, 2.0),
            "norms to compute, for each target",
            minimum=1,
            multiple=True,
        ),
    )

    def columns(self, parameters: Mapping[str, Any], targets: Sequence[str]) -> list[Column]:
        return [
            Column(_column(p, target), f"NormSim{_sign(p)} ({target})", _HELP.get(p, self.help),
                   target=target)
            for target in targets
            for p in parameters["p"]
        ]  # fmt: skip

    def passes(self, parameters: Mapping[str, Any]) -> int:
        return 1

    def prepare(self, data: Data, parameters: Mapping[str, Any]) -> Scorer:
        from curation.scores.tiles import on_device, power_sum

        usable = {name: _usable(name, target.image) for name, target in data.targets.items()}
        targets = {
            device: {name: on_device(rows, device) for name, rows in usable.items()}
            for device in data.devices
        }
        roots = {
            device: {name: _root(rows) for name, rows in held.items() if 2.0 in parameters["p"]}
            for device, held in targets.items()
        }

        def score(shard: Shard, device: str) -> dict[str, Floats]:
            columns = {
                _column(p, name): np.empty(len(shard), dtype=np.float32)
                for name in usable
                for p in parameters["p"]
            }
            for part in chunks(len(shard)):
                rows, bad = unit(shard.image[part])
                left = on_device(rows, device)
                for name, right in targets[device].items():
                    if right.shape[1] != left.shape[1]:
                        raise CurationError(
                            f"the target {name} has embeddings of length {right.shape[1]}, the "
                            f"dataset of length {left.shape[1]}: embed both with one model"
                        )
                    for p in parameters["p"]:
                        values = (
                            _by_root(left, roots[device][name])
                            if p == 2
                            else power_sum(left, right, p)
                        )
                        column = columns[_column(p, name)][part]
                        column[:] = values.cpu().numpy()
                        column[bad] = np.nan
                data.advance(part.stop - part.start)
            return columns

        return score


def norm_sim(image: Rows, target: Rows, *, p: float = math.inf, device: str = "auto") -> Floats:
    """NormSim_p of each image toward a target (arXiv 2405.19547, equation 4).

    Args:
        image: image embeddings, shape (N, d); rows are brought to unit length.
        target: the target's image embeddings, shape (M, d), likewise.
        p: the norm, 1 ≤ p ≤ ∞. p = 2 costs d×d work a row, any other M×d.
        device: ``auto``, ``cuda``, ``mps`` or ``cpu``.

    Returns:
        Shape (N,), float32, in [0, M^(1/p)]; NaN where an embedding is zero or not finite.

    Raises:
        CurationError: the lengths of the embeddings differ, the target is empty, or p < 1.
    """
    check_parameters(SCORE, {"p": (p,)})
    shards = in_memory(image).shards
    data = Data(shards, {"target": Target(np.asarray(target))}, devices.names(device))
    return score_arrays(SCORE, data, {"p": (p,)})[_column(p, "target")]


_HELP = {
    math.inf: "Cosine to the nearest image of the target, 0 to 1: is there one like it?",
    2.0: "Square root of the summed squared cosines to the target's images: is it near many?",
}


def _column(p: float, target: str) -> str:
    return f"norm_sim_{'inf' if math.isinf(p) else f'{p:g}'.replace('.', '_')}_{target}"


def _sign(p: float) -> str:
    return {math.inf: "∞", 2.0: "₂"}.get(p, f" p={p:g}")


def _usable(name: str, rows: Rows | None) -> Floats:
    if rows is None:
        raise CurationError(f"the target {name} has no images")
    if rows.ndim != 2 or not len(rows):
        raise CurationError(f"the target {name} is empty: it has shape {rows.shape}")
    target, bad = unit(rows)
    if bad.all():
        raise CurationError(f"the target {name} has no usable embedding")
    return target[~bad]


def _root(rows: torch.Tensor) -> torch.Tensor:
    """R, (d, d), with R·Rᵀ = GᵀG of a target, in float64 (on the CPU: not every GPU has it)."""
    import torch

    total = torch.zeros(rows.shape[1], rows.shape[1], dtype=torch.float64)
    for part in chunks(len(rows), 65536):
        wide = rows[part].cpu().double()
        total += wide.T @ wide
    values, vectors = torch.linalg.eigh(total)
    root: torch.Tensor = vectors * values.clamp_(min=0).sqrt_()
    return root.float().to(rows.device)


def _by_root(left: torch.Tensor, root: torch.Tensor) -> torch.Tensor:
    import torch

    # ‖vᵀR‖ = √(vᵀ GᵀG v), without the square whose rounding would hide a norm near 0.

    norms: torch.Tensor = torch.linalg.vector_norm(left @ root, dim=1)
    return norms


SCORE: Score = NormSim()
