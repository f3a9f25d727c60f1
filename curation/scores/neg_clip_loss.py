"""negCLIPLoss: a pair's CLIPScore, normalized by the similarities to other pairs of a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

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
from curation.scores.contrastive_loss.by_partition import partition_scorer
from curation.scores.contrastive_loss.by_pool import pool_scorer


class NegClipLoss:
    """S_ii − (τ/2)·[log Σ_j exp(S_ij/τ) + log Σ_j exp(S_ji/τ)], averaged over K batches."""

    name = "neg_clip_loss"
    title = "negCLIPLoss"
    help = (
        "Quality of a pair: its CLIPScore, minus what its image scores with other captions and its "
        "caption with other images. At most 0, higher is better. A caption that fits many images "
        "has a high CLIPScore but a low negCLIPLoss."
    )
    source = "Wang et al., NeurIPS 2024, arXiv 2405.19547, section 3.1"
    needs: frozenset[Side] = frozenset({"image", "text"})
    default = True
    parameters: tuple[Parameter, ...] = (
        Parameter(
            "temperature",
            float,
            0.01,
            "τ of the softmax: 1/exp(logit_scale) of the model "
            "that made the embeddings (`auto`); 0.01 for OpenAI's models",
            minimum=0,
            exclusive=True,
            finite=True,
        ),
        Parameter("batch_size", int, 32768, "|B|, pairs per contrastive batch", minimum=2),
        Parameter(
            "batches",
            int,
            10,
            "K, batches to average; 5 are nearly as good",
            minimum=1,
        ),
        Parameter(
            "negatives",
            str,
            "pool",
            "pool: compares every sample with the same K random pools, "
            "in one pass over the shards; partition: K random partitions, as in the paper",
            choices=("pool", "partition"),
        ),
        Parameter("seed", int, 0, "seed of the random batches", minimum=0),
        Parameter(
            "precision",
            str,
            "auto",
            "of the products: auto is float16 on CUDA, float32 "
            "elsewhere; bfloat16 is faster on recent CPUs, with errors up to 0.001",
            choices=("auto", "float32", "float16", "bfloat16"),
        ),
    )

    def columns(self, parameters: Mapping[str, Any], targets: Sequence[str]) -> list[Column]:
        return [
            Column(self.name, self.title, self.help),
            Column(
                "neg_clip_loss_se",
                "negCLIPLoss, standard error",
                "How much negCLIPLoss varies with the random batches.",
                of=self.name,
            ),
            Column(
                "neg_clip_loss_image",
                "negCLIPLoss, image side",
                "What the image scores with other captions: τ·log Σ_j exp(S_ij/τ).",
                of=self.name,
            ),
            Column(
                "neg_clip_loss_text",
                "negCLIPLoss, caption side",
                "What the caption scores with other images: τ·log Σ_j exp(S_ji/τ).",
                of=self.name,
            ),
        ]

    def passes(self, parameters: Mapping[str, Any]) -> int:
        return int(parameters["batches"])

    def prepare(self, data: Data, parameters: Mapping[str, Any]) -> Scorer:
        if parameters["negatives"] == "partition":
            return partition_scorer(data, parameters)
        return pool_scorer(data, parameters)


class LossResult(NamedTuple):
    """negCLIPLoss of N pairs and its standard error, each of shape (N,), float32."""

    score: Floats
    standard_error: Floats


def neg_clip_loss(
    image: Rows,
    text: Rows,
    *,
    temperature: float = 0.01,
    batch_size: int = 32768,
    batches: int = 10,
    seed: int = 0,
    negatives: str = "pool",
    precision: str = "auto",
    device: str = "auto",
) -> LossResult:
    """negCLIPLoss of each pair: −τ times its CLIP loss (arXiv 2405.19547, equation 2).

    S_ii − (τ/2)·[log Σ_j exp(S_ij/τ) + log Σ_j exp(S_ji/τ)], averaged over K batches of |B| pairs j
    that contain i.

    Args:
        image: image embeddings, shape (N, d), any float type; rows are scaled to unit length.
        text: caption embeddings, shape (N, d), likewise.
        temperature: τ > 0.
        batch_size: |B| ≥ 2; with |B| ≥ N all pairs are one batch.
        batches: K ≥ 1; all K are equal if |B| ≥ N.
        seed: of the random batches, ≥ 0.
        negatives: ``pool`` scores every pair against K shared pools, plus its own pair where a pool
            lacks it; ``partition`` splits the data into random batches K times, as in the paper.
        precision: of the products: ``float32`` (within 2e-6 of float64), ``float16`` (operands
            rounded, sums in float32), ``bfloat16`` (for CPUs with AVX-512 BF16 or AMX), or
            ``auto``: float16 on CUDA, float32 elsewhere.
        device: ``auto``, ``cuda``, ``mps`` or ``cpu``.

    Returns:
        The score, at most 0. Its standard error over the K batches, 0 where a batch is the whole
        dataset, otherwise NaN for K = 1. Both are NaN where an embedding is zero or not finite.

    Raises:
        CurationError: the shapes differ or are not (N, d), a parameter is out of range, or fewer
            than two pairs are usable.
    """
    values = check_parameters(
        SCORE,
        {
            "temperature": temperature,
            "batch_size": batch_size,
            "batches": batches,
            "seed": seed,
            "negatives": negatives,
            "precision": precision,
        },
    )
    result = in_memory.score(SCORE, in_memory.data(image, text, device=device), values)
    return LossResult(result["neg_clip_loss"], result["neg_clip_loss_se"])


SCORE: Score = NegClipLoss()
