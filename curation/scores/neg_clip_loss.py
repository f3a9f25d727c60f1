"""negCLIPLoss: a pair's CLIPScore minus what its contrastive neighbours would score."""

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
from curation.scores.contrastive_loss.by_partition import by_partition
from curation.scores.contrastive_loss.by_pool import by_pool


class NegClipLoss:
    """S_ii − (τ/2)·[log Σ_j exp(S_ij/τ) + log Σ_j exp(S_ji/τ)], averaged over K batches."""

    name = "neg_clip_loss"
    title = "negCLIPLoss"
    help = (
        "Quality of a pair: its CLIPScore minus what its image would score with other captions "
        "and its caption with other images. At most 0, higher is better. A caption that fits "
        "everything loses here what it gained in CLIPScore."
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
            "that made the embeddings (`auto`); 0.01 for OpenAI's",
            minimum=0,
            exclusive=True,
            finite=True,
        ),
        Parameter("batch_size", int, 32768, "|B|, pairs a contrastive batch", minimum=2),
        Parameter("batches", int, 10, "K, batches averaged; 5 already do well", minimum=1),
        Parameter(
            "negatives",
            str,
            "pool",
            "pool: every sample against the same K random pools, "
            "one pass, shard by shard; partition: K random partitions, as in the paper",
            choices=("pool", "partition"),
        ),
        Parameter("seed", int, 0, "seed of the random batches", minimum=0),
        Parameter(
            "precision",
            str,
            "auto",
            "of the products: auto is float16 on CUDA, float32 "
            "elsewhere; bfloat16 is faster on newer CPUs, and off by up to 0.001",
            choices=("auto", "float32", "float16", "bfloat16"),
        ),
    )

    def columns(self, parameters: Mapping[str, Any], targets: Sequence[str]) -> list[Column]:
        return [
            Column(self.name, self.title, self.help),
            Column(
                "neg_clip_loss_se",
                "negCLIPLoss, standard error",
                "How much negCLIPLoss would move with other random batches.",
                of=self.name,
            ),
            Column(
                "neg_clip_loss_image",
                "negCLIPLoss, image side",
                "What the image would score with other captions: τ·log Σ_j exp(S_ij/τ).",
                of=self.name,
            ),
            Column(
                "neg_clip_loss_text",
                "negCLIPLoss, caption side",
                "What the caption would score with other images: τ·log Σ_j exp(S_ji/τ).",
                of=self.name,
            ),
        ]

    def passes(self, parameters: Mapping[str, Any]) -> int:
        return int(parameters["batches"])

    def prepare(self, data: Data, parameters: Mapping[str, Any]) -> Scorer:
        if parameters["negatives"] == "partition":
            return by_partition(data, parameters)
        return by_pool(data, parameters)


class LossResult(NamedTuple):
    """negCLIPLoss and its standard error, each of shape (N,), float32."""

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
    """negCLIPLoss of each pair (arXiv 2405.19547, equation 2; equal to −τ times its CLIP loss).

    Args:
        image: image embeddings, shape (N, d); rows are brought to unit length.
        text: caption embeddings, shape (N, d).
        temperature: τ > 0.
        batch_size: |B| ≥ 2, capped at N.
        batches: K ≥ 1; one is exact where |B| ≥ N.
        seed: of the random batches.
        negatives: ``pool`` scores every pair against K shared pools, its own pair added where a
            pool lacks it; ``partition`` cuts the data into random batches K times (the paper's).
        precision: of the products: ``float32`` (within 2e-6 of float64), ``float16`` (operands
            rounded, added up in float32), ``bfloat16`` (for CPUs with AVX-512 BF16 or AMX), or
            ``auto``: float16 on CUDA, float32 elsewhere.
        device: ``auto``, ``cuda``, ``mps`` or ``cpu``.

    Returns:
        The score, at most 0, and its standard error over the K batches (0 where the batch is
        the whole dataset, NaN where K = 1 is a sample of it); NaN for unusable embeddings.

    Raises:
        CurationError: the shapes differ or a parameter is out of range.
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
