"""NormSim: how near an image is to a target's images, to its captions, or to both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation.catalog.columns import ALL_TARGETS
from curation.scores import in_memory
from curation.scores.base import (
    Column,
    Columns,
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
from curation.scores.target_sides import TARGET_SIDE, Items, all_items, label, suffix

if TYPE_CHECKING:
    import torch


class NormSim:
    """(Σ_s |⟨v_i, v_s⟩|^p)^(1/p) over the items s of a target; higher is nearer."""

    name = "norm_sim"
    title = "NormSim"
    help = (
        "Relevance to a target: the p-norm of the similarities between the image and the "
        "target's items. p = ∞ asks for one near item, p = 2 for many. Higher is nearer."
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
        TARGET_SIDE,
    )

    def columns(self, parameters: Mapping[str, Any], targets: Sequence[str]) -> list[Column]:
        made = []
        for target in targets:
            for side in parameters["target_side"]:
                shown = label("all targets" if target == ALL_TARGETS else target, side)
                for p in parameters["p"]:
                    name, title = _column(p, suffix(target, side)), f"NormSim{_sign(p)} ({shown})"
                    made.append(Column(name, title, _HELP.get(p, self.help), target=target))
                    if math.isinf(p) and target != ALL_TARGETS:
                        made.append(
                            Column(
                                f"{name}_nearest",
                                f"{title}, nearest item",
                                _NEAREST_HELP,
                                target=target,
                                of=name,
                                type="int32",
                            )
                        )
        return made

    def passes(self, parameters: Mapping[str, Any]) -> int:
        return 1

    def prepare(self, data: Data, parameters: Mapping[str, Any]) -> Scorer:
        norms, sides = parameters["p"], parameters["target_side"]
        held = {
            device: [_Measure(items, norms, device) for items in all_items(data.targets, sides)]
            for device in data.devices
        }

        def score(shard: Shard, device: str) -> Columns:
            values: dict[str, Floats] = {}
            indices: dict[str, NDArray[np.int32]] = {}
            bad = np.empty(len(shard), dtype=bool)
            for measure in held[device]:
                for p in norms:
                    name = _column(p, suffix(measure.items.target, measure.items.side))
                    values[name] = np.empty(len(shard), dtype=np.float32)
                    if math.isinf(p):
                        indices[f"{name}_nearest"] = np.zeros(len(shard), dtype=np.int32)
            for part in chunks(len(shard)):
                rows, bad[part] = unit(shard.image[part])
                for measure in held[device]:
                    measure.score_into(values, indices, part, rows)
                data.advance(part.stop - part.start)
            for column in values.values():
                column[bad] = np.nan
            return {**values, **{n: pa.array(column, mask=bad) for n, column in indices.items()}}

        return score


class Nearest(NamedTuple):
    """NormSim∞, (N,), float32, and the target's row that has it, (N,), int64, −1 for none."""

    score: Floats
    row: NDArray[np.int64]


def norm_sim(image: Rows, target: Rows, *, p: float = math.inf, device: str = "auto") -> Floats:
    """NormSim_p of each image toward a target (arXiv 2405.19547, equation 4).

    Args:
        image: image embeddings, shape (N, d); rows are normalized.
        target: embeddings of the target's images (or captions), shape (M, d), likewise; rows
            that are zero or not finite are ignored.
        p: the norm, 1 ≤ p ≤ ∞. p = 2 costs d×d work a row, any other M×d.
        device: ``auto``, ``cuda``, ``mps`` or ``cpu``.

    Returns:
        Shape (N,), float32, in [0, M^(1/p)]; NaN where an embedding is zero or not finite.

    Raises:
        CurationError: the lengths of the embeddings differ, the target is empty, or p < 1.
    """
    return np.asarray(_of_arrays(image, target, p, device)[_column(p, "target")])


def nearest(image: Rows, target: Rows, *, device: str = "auto") -> Nearest:
    """NormSim∞ of each image, and the target's row that has it (the largest |cosine|).

    Arguments and errors are those of ``norm_sim``. The row is −1 where the score is NaN.
    """
    found = _of_arrays(image, target, math.inf, device)
    name = _column(math.inf, "target")
    index = found[f"{name}_nearest"].fill_null(-1)
    return Nearest(np.asarray(found[name]), np.asarray(index, dtype=np.int64))


class _Measure:
    """One side of a target on a device, prepared for each norm."""

    def __init__(self, items: Items, norms: Sequence[float], device: str) -> None:
        from curation.scores.shared import products, target_norms

        self.items = items
        self.norms = norms
        self.device = device
        self.right = products.on(items.rows, device)
        self.root = target_norms.root(self.right) if 2.0 in norms else None

    def score_into(
        self,
        values: Mapping[str, Floats],
        indices: Mapping[str, NDArray[np.int32]],
        part: slice,
        rows: Floats,
    ) -> None:
        """Write the scores of unit rows into a part of each column."""
        from curation.scores.shared import products, target_norms

        self.items.check_length(rows.shape[1])
        left = products.on(rows, self.device)
        for p in self.norms:
            name = _column(p, suffix(self.items.target, self.items.side))
            if math.isinf(p):
                top, index = target_norms.nearest(left, self.right)
                indices[f"{name}_nearest"][part] = self.items.target_rows[index.cpu().numpy()]
            else:
                top = self._finite(left, p)
            values[name][part] = top.cpu().numpy()

    def _finite(self, left: torch.Tensor, p: float) -> torch.Tensor:
        from curation.scores.shared import target_norms

        if self.root is not None and p == 2:
            return target_norms.root_norm(left, self.root)
        return target_norms.power_sum(left, self.right, p)


def norm_of_parts(parts: Sequence[Floats], p: float) -> Floats:
    """NormSim toward several targets as one set, from that toward each: the p-norm of the parts.

    Args:
        parts: NormSim_p toward each target, float32, each of shape (N,).
        p: the norm, 1 ≤ p ≤ ∞.

    Returns:
        Shape (N,), float32; NaN where a part is.
    """
    each = np.stack(parts)
    with np.errstate(invalid="ignore"):
        top = each.max(axis=0)
        if not math.isinf(p):
            # Relative to the largest, in float64, so that no power overflows or underflows.
            wide = np.maximum(top, np.finfo(np.float32).tiny).astype(np.float64)
            top = wide * ((each / wide) ** p).sum(axis=0) ** (1 / p)
    norms: Floats = top.astype(np.float32)
    return norms


def _of_arrays(image: Rows, target: Rows, p: float, device: str) -> Mapping[str, Any]:
    parameters = check_parameters(SCORE, {"p": (p,)})
    data = in_memory.data(image, target=target, device=device)
    return in_memory.score(SCORE, data, parameters)


_HELP = {
    math.inf: "Cosine to the nearest item of the target, 0 to 1: is there one like it?",
    2.0: "Square root of the summed squared cosines to the target's items: is it near many?",
}
_NEAREST_HELP = (
    "The item of the target that is nearest, by its row there, counted from 0 (with both sides: "
    "the item whose image or caption is nearest)."
)


def _column(p: float, ending: str) -> str:
    return f"norm_sim_{'inf' if math.isinf(p) else f'{p:g}'.replace('.', '_')}_{ending}"


def _sign(p: float) -> str:
    return {math.inf: "∞", 2.0: "₂"}.get(p, f" p={p:g}")


SCORE: Score = NormSim()
