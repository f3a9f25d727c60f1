"""negCLIPLoss: a pair's CLIPScore minus what its contrastive neighbours would score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from curation import uids
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
    check_parameters,
    in_memory,
    score_arrays,
)
from curation.scores.pools import draw_pools


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
        Parameter("temperature", float, 0.01, "τ of the softmax: 1/exp(logit_scale) of the model "
                  "that made the embeddings (`auto`); 0.01 for OpenAI's",
                  minimum=0, exclusive=True, finite=True),
        Parameter("batch_size", int, 32768, "|B|, pairs a contrastive batch", minimum=2),
        Parameter("batches", int, 10, "K, batches averaged; 5 already do well", minimum=1),
        Parameter("negatives", str, "pool", "pool: every sample against the same K random pools, "
                  "one pass, shard by shard; partition: K random partitions, as in the paper",
                  choices=("pool", "partition")),
        Parameter("seed", int, 0, "seed of the random batches", minimum=0),
    )  # fmt: skip

    def columns(self, parameters: Mapping[str, Any], targets: Sequence[str]) -> list[Column]:
        return [
            Column(self.name, self.title, self.help),
            Column("neg_clip_loss_se", "negCLIPLoss, standard error",
                   "How much negCLIPLoss would move with other random batches.", of=self.name),
            Column("neg_clip_loss_image", "negCLIPLoss, image side",
                   "What the image would score with other captions: τ·log Σ_j exp(S_ij/τ).",
                   of=self.name),
            Column("neg_clip_loss_text", "negCLIPLoss, caption side",
                   "What the caption would score with other images: τ·log Σ_j exp(S_ji/τ).",
                   of=self.name),
        ]  # fmt: skip

    def passes(self, parameters: Mapping[str, Any]) -> int:
        return int(parameters["batches"])

    def prepare(self, data: Data, parameters: Mapping[str, Any]) -> Scorer:
        if parameters["negatives"] == "partition":
            return _by_partition(data, parameters)
        return _by_pool(data, parameters)


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
        device: ``auto``, ``cuda``, ``mps`` or ``cpu``.

    Returns:
        The score, at most 0, and its standard error over the K batches (0 where the batch is
        the whole dataset, NaN where K = 1 is a sample of it); NaN for unusable embeddings.

    Raises:
        CurationError: the shapes differ or a parameter is out of range.
    """
    values = check_parameters(SCORE, {
        "temperature": temperature, "batch_size": batch_size, "batches": batches,
        "seed": seed, "negatives": negatives,
    })  # fmt: skip
    result = score_arrays(SCORE, in_memory(image, text, device), values)
    return LossResult(result["neg_clip_loss"], result["neg_clip_loss_se"])


class _Sums:
    """Running sums over the K batches of the two halves and of the spread of the whole."""

    def __init__(self, length: int) -> None:
        self.count = 0
        self.image = np.zeros(length)
        self.text = np.zeros(length)
        self._mean = np.zeros(length)
        self._spread = np.zeros(length)

    def add(self, image: NDArray[np.float64], text: NDArray[np.float64]) -> None:
        self.count += 1
        self.image += image
        self.text += text
        # Welford's update: the spread is tiny beside the values.
        value = (image + text) / 2
        delta = value - self._mean
        self._mean += delta / self.count
        self._spread += delta * (value - self._mean)

    def columns(
        self, own: NDArray[np.float64], bad: NDArray[np.bool_], exact: bool
    ) -> dict[str, Floats]:
        """The columns, from each pair's own cosine and which pairs are unusable."""
        image, text = self.image / self.count, self.text / self.count
        if exact:
            error = np.zeros(len(own))
        elif self.count == 1:
            error = np.full(len(own), np.nan)
        else:
            error = np.sqrt(self._spread / (self.count - 1) / self.count)
        # The sum of a softmax's terms is at least its own term; rounding may say otherwise.
        score = np.minimum(own - (image + text) / 2, 0)
        columns = dict(zip(_COLUMNS, (score, error, image, text), strict=True))
        return {k: np.where(bad, np.nan, v).astype(np.float32) for k, v in columns.items()}


_COLUMNS = ("neg_clip_loss", "neg_clip_loss_se", "neg_clip_loss_image", "neg_clip_loss_text")


def _by_pool(data: Data, parameters: Mapping[str, Any]) -> Scorer:
    from curation.scores.tiles import on_device, row_log_sum_exp

    tau = float(parameters["temperature"])
    pools = draw_pools(
        data.shards, parameters["batch_size"], parameters["batches"], parameters["seed"]
    )
    exact = len(pools) == 1 and sum(map(len, data.shards)) <= parameters["batch_size"]
    others = {
        device: [(on_device(pool.text, device), on_device(pool.image, device)) for pool in pools]
        for device in data.devices
    }

    def score(shard: Shard, device: str) -> dict[str, Floats]:
        words = shard.uids()
        parts = [
            _score_rows(shard.image[part], shard.text[part], words[part], part, device)
            for part in chunks(len(shard))
        ]
        none = [np.empty(0, dtype=np.float32)]
        return {name: np.concatenate(none + [p[name] for p in parts]) for name in _COLUMNS}

    def _score_rows(
        image_rows: Rows, text_rows: Rows, words: uids.Words, part: slice, device: str
    ) -> dict[str, Floats]:
        image, no_image = unit(image_rows)
        text, no_text = unit(text_rows)
        own = np.einsum("ij,ij->i", image, text, dtype=np.float64)
        sums = _Sums(len(own))
        lefts = [on_device(rows, device) / tau for rows in (image, text)]
        for pool, rights in zip(pools, others[device], strict=True):
            outside = ~pool.has(words)
            halves = []
            for left, right in zip(lefts, rights, strict=True):
                half = row_log_sum_exp(left, right).cpu().double().numpy()
                half[outside] = np.logaddexp(half[outside], own[outside] / tau)
                halves.append(tau * half)
            sums.add(*halves)
            data.advance((part.stop - part.start) * parameters["batches"] // len(pools))
        return sums.columns(own, no_image | no_text, exact)

    return score


def _by_partition(data: Data, parameters: Mapping[str, Any]) -> Scorer:
    """The paper's estimator: every sample in one batch of each of K random partitions.

    Batches cross shards, so everything is computed here; what scores a shard looks it up.
    """
    from curation.scores.tiles import both_log_sum_exp, on_device

    tau = float(parameters["temperature"])
    device = data.devices[0]
    words = np.concatenate([shard.uids() for shard in data.shards])
    first_row = np.cumsum([0, *map(len, data.shards)])
    own = np.concatenate([_own(shard) for shard in data.shards])
    bad = np.isnan(own)
    usable = np.flatnonzero(~bad)
    if len(usable) < 2:
        raise CurationError("negCLIPLoss needs at least two samples with usable embeddings")
    # Batches of equal size: a short last one would inflate its members' scores.
    per_draw = max(1, min(round(len(usable) / parameters["batch_size"]), len(usable) // 2))
    draws = parameters["batches"] if per_draw > 1 else 1
    sums = _Sums(len(own))
    for draw in range(draws):
        keys = uids.draw_keys(words[usable], parameters["seed"], draw)
        shuffled = usable[np.argsort(keys, kind="stable")]
        halves = np.zeros((2, len(own)))
        for batch in np.array_split(shuffled, per_draw):
            members = np.sort(batch)
            image, text = _rows_at(data.shards, first_row, members)
            both = both_log_sum_exp(on_device(image, device) / tau, on_device(text, device))
            for side, values in enumerate(both):
                halves[side, members] = tau * values.cpu().double().numpy()
            data.advance(len(batch) * parameters["batches"] // draws)
        sums.add(halves[0], halves[1])
    columns = sums.columns(own, bad, exact=per_draw == 1)
    place = {shard.index: position for position, shard in enumerate(data.shards)}

    def look_up(shard: Shard, device: str) -> dict[str, Floats]:
        position = place[shard.index]
        rows = slice(int(first_row[position]), int(first_row[position + 1]))
        return {name: column[rows] for name, column in columns.items()}

    return look_up


def _own(shard: Shard) -> NDArray[np.float64]:
    """Each pair's own cosine; NaN where it has none."""
    result = np.empty(len(shard))
    for part in chunks(len(shard)):
        image, no_image = unit(shard.image[part])
        text, no_text = unit(shard.text[part])
        result[part] = np.einsum("ij,ij->i", image, text, dtype=np.float64)
        result[part][no_image | no_text] = np.nan
    return result


def _rows_at(
    shards: Sequence[Shard], first_row: NDArray[np.int64], rows: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """The unit rows of both sides at these positions of the whole dataset, ascending."""
    cuts = np.searchsorted(rows, first_row)
    images, texts = [], []
    for position, shard in enumerate(shards):
        mine = rows[cuts[position] : cuts[position + 1]] - first_row[position]
        if len(mine):
            images.append(unit(shard.image[mine])[0])
            texts.append(unit(shard.text[mine])[0])
    return np.concatenate(images), np.concatenate(texts)


SCORE: Score = NegClipLoss()
