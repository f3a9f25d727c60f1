"""VAS: the variance of a target's embeddings along an image's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

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
from curation.scores.shared.normalize import chunks, unit
from curation.scores.target_sides import TARGET_SIDE, all_items, label, suffix


class Vas:
    """v (GᵀG/M) vᵀ over the M items G of a target: NormSim₂²/M, which ranks as NormSim₂."""

    name = "vas"
    title = "VAS"
    help = (
        "Variance alignment score: the mean squared cosine between the image and the target's "
        "items, 0 to 1. It ranks as NormSim₂ does, and does not grow with the target."
    )
    source = "Wang et al. 2024, arXiv 2402.02055; NormSim₂²/M of arXiv 2405.19547"
    needs: frozenset[Side] = frozenset({"image", "target"})
    default = False
    parameters: tuple[Parameter, ...] = (TARGET_SIDE,)

    def columns(self, parameters: Mapping[str, Any], targets: Sequence[str]) -> list[Column]:
        return [
            Column(
                f"vas_{suffix(target, side)}",
                f"{self.title} ({label(target, side)})",
                self.help,
                target=target,
            )
            for target in targets
            for side in parameters["target_side"]
        ]

    def passes(self, parameters: Mapping[str, Any]) -> int:
        return 1

    def prepare(self, data: Data, parameters: Mapping[str, Any]) -> Scorer:
        from curation.scores.shared import products, target_norms

        every = all_items(data.targets, parameters["target_side"])
        roots = {
            device: [target_norms.root(products.on(items.rows, device)) for items in every]
            for device in data.devices
        }

        def score(shard: Shard, device: str) -> dict[str, Floats]:
            columns = {
                f"vas_{suffix(items.target, items.side)}": np.empty(len(shard), dtype=np.float32)
                for items in every
            }
            for part in chunks(len(shard)):
                rows, bad = unit(shard.image[part])
                left = products.on(rows, device)
                for items, root, column in zip(every, roots[device], columns.values(), strict=True):
                    items.check_length(rows.shape[1])
                    norms = target_norms.root_norm(left, root).cpu().numpy()
                    # Rounding can exceed 1 slightly.
                    column[part] = np.minimum(norms**2 / len(items.rows), 1)
                    column[part][bad] = np.nan
                data.advance(part.stop - part.start)
            return columns

        return score


def vas(image: Rows, target: Rows, *, device: str = "auto") -> Floats:
    """VAS of each image toward a target (arXiv 2402.02055, equation 1 with visual embeddings).

    Args:
        image: image embeddings, shape (N, d); rows are normalized.
        target: the target's embeddings, shape (M, d), likewise.
        device: ``auto``, ``cuda``, ``mps`` or ``cpu``.

    Returns:
        Shape (N,), float32, in [0, 1]; NaN where an embedding is zero or not finite.

    Raises:
        CurationError: the lengths of the embeddings differ, or the target is empty.
    """
    data = in_memory.data(image, target=target, device=device)
    return np.asarray(in_memory.score(SCORE, data, check_parameters(SCORE, {}))["vas_target"])


SCORE: Score = Vas()
