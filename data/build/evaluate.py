"""Evaluation of the model on held-out pairs, written to ``figures.json``.

- AUC for separating matched from swapped captions: every picture is scored with its own caption
  and with another picture's, by CLIPScore and by negCLIPLoss (one batch for the whole split, the
  model's own temperature). 0.5 is chance, 1 is perfect.
- The share of swapped captions among the best 30 % of the shipped sample.
- AUC for ranking the sample's animals first by NormSim-infinity with the animal targets.
"""

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import features
import model
import numpy as np
import open_clip
import splits
import torch
from numpy.typing import NDArray
from open_clip.model import CustomTextCLIP
from open_clip.tokenizer import SimpleTokenizer
from pairs import Pair
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

SEED = 1
REPEATS = 5
KEPT_SHARE = 0.30
BATCH = 256
Figures = dict[str, dict[str, float]]


def evaluate(work: Path, data: Path) -> Figures:
    """Measure the model in ``data/models/clip-lite0`` on all test splits."""
    folder = data / "models" / model.NAME
    clip = model.load(folder)
    words = SimpleTokenizer(
        bpe_path=str(folder / model.VOCABULARY), context_length=model.CONTEXT_LENGTH
    )
    drawn = splits.split(work)
    is_titled = np.array([not drawn.is_boilerplate(pair) for pair in drawn.sample])
    titled = [pair for pair, kept in zip(drawn.sample, is_titled, strict=True) if kept]
    figures = {
        "openclipart, titles unseen": on_pairs(work, clip, words, titled),
        "openclipart, titles only": on_pairs(work, clip, words, titled, titles_only=True),
        "emoji, concepts unseen": on_pairs(work, clip, words, drawn.unseen_concepts),
        "emoji, style unseen": on_pairs(work, clip, words, drawn.unseen_style),
        "stamps": on_pairs(work, clip, words, drawn.stamps),
        **on_sample(data, folder, words, is_titled),
    }
    report = {name: {k: round(v, 4) for k, v in row.items()} for name, row in figures.items()}
    for name, row in report.items():
        print(f"{name:32s}" + "  ".join(f"{key} {value:g}" for key, value in row.items()))
    return report


def write(work: Path, data: Path) -> None:
    """Evaluate and write ``data/build/figures.json``."""
    figures = evaluate(work, data)
    (data / "build" / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")


@torch.inference_mode()
def on_pairs(
    work: Path,
    clip: CustomTextCLIP,
    words: SimpleTokenizer,
    chosen: Sequence[Pair],
    *,
    titles_only: bool = False,
) -> dict[str, float]:
    """AUC of both scores on one split; the captions of emoji and stamps are their titles."""
    rows = torch.from_numpy(features.load(work, [pair.key for pair in chosen], "plain"))
    image = F.normalize(clip.visual.head(rows), dim=-1)
    with_keywords = chosen[0].source == "openclipart" and not titles_only
    text = encode_texts(clip, words, [p.caption if with_keywords else p.title for p in chosen])
    temperature = 1 / clip.logit_scale.exp().item()
    matched = scores(image, text, temperature)
    chance = np.random.default_rng(SEED)
    areas = []
    for _ in range(REPEATS):
        swapped = scores(image, text[derangement(len(chosen), chance)], temperature)
        areas.append([auc(own, other) for own, other in zip(matched, swapped, strict=True)])
    clip_score, neg_clip_loss = np.mean(areas, axis=0)
    return {"pairs": len(chosen), "clip_score": clip_score, "neg_clip_loss": neg_clip_loss}


@torch.inference_mode()
def on_sample(
    data: Path, folder: Path, words: SimpleTokenizer, titled: NDArray[np.bool_]
) -> Figures:
    """Figures of the shipped sample and of its ``titled`` part, read from their files.

    Args:
        titled: shape (N,), whether a pair's title is not boilerplate.
    """
    clip, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    clip.eval()
    temperature = 1 / clip.logit_scale.exp().item()
    rows = _table(data / "sample")
    image = _encode_files(clip, preprocess, data / "sample", rows)
    text = encode_texts(clip, words, [row["caption"] for row in rows])
    swapped = np.array([row["swapped"] == "true" for row in rows])

    animals = data / "targets" / "animals"
    target = _encode_files(clip, preprocess, animals, _table(animals))
    norm_sim = (image @ target.T).abs().amax(dim=1).numpy()
    is_animal = np.array(["/svg/animals/" in row["source"] for row in rows])
    return {
        "sample": _swap_detection(image, text, swapped, temperature),
        "sample, titles not boilerplate": _swap_detection(
            image[titled], text[titled], swapped[titled], temperature
        ),
        "sample, animals by NormSim": {
            "pairs": len(rows),
            "norm_sim": auc(norm_sim[is_animal], norm_sim[~is_animal]),
        },
        "model": {"temperature": temperature},
    }


def _swap_detection(
    image: Tensor, text: Tensor, swapped: NDArray[np.bool_], temperature: float
) -> dict[str, float]:
    """How well both scores detect swapped captions, with all pairs in one batch."""
    clip_score, neg_clip_loss = scores(image, text, temperature)
    return {
        "pairs": len(swapped),
        "swapped": swapped.mean(),
        "clip_score": auc(clip_score[~swapped], clip_score[swapped]),
        "neg_clip_loss": auc(neg_clip_loss[~swapped], neg_clip_loss[swapped]),
        "swapped_in_top_by_clip_score": swapped[top(clip_score)].mean(),
        "swapped_in_top_by_neg_clip_loss": swapped[top(neg_clip_loss)].mean(),
    }


def encode_texts(clip: CustomTextCLIP, words: SimpleTokenizer, captions: list[str]) -> Tensor:
    """Normalized text embeddings, shape (len(captions), width)."""
    return F.normalize(clip.encode_text(words(captions)), dim=-1)


def scores(
    image: Tensor, text: Tensor, temperature: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """CLIPScore and negCLIPLoss, shape (N,) each, with all N pairs in one batch.

    Args:
        image, text: normalized embeddings, shape (N, width), aligned.
    """
    similarity = image @ text.T
    own = similarity.diagonal()
    logits = similarity / temperature
    crowd = logits.logsumexp(dim=1) + logits.logsumexp(dim=0)
    return own.numpy(), (own - temperature / 2 * crowd).numpy()


def auc(positive: NDArray[np.float32], negative: NDArray[np.float32]) -> float:
    """Probability that a positive scores above a negative; ties count half."""
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, "left") + np.searchsorted(ordered, positive, "right")
    return float(below.mean() / (2 * len(ordered)))


def top(score: NDArray[np.float32]) -> NDArray[np.intp]:
    """Indices of the best ``KEPT_SHARE`` of the samples."""
    return np.argsort(-score, kind="stable")[: round(KEPT_SHARE * len(score))]


def derangement(count: int, chance: np.random.Generator) -> NDArray[np.intp]:
    """A random permutation without fixed points: a single cycle."""
    order = chance.permutation(count)
    result = np.empty(count, dtype=np.intp)
    result[order] = np.roll(order, 1)
    return result


def _table(folder: Path) -> list[dict[str, str]]:
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _encode_files(
    clip: CustomTextCLIP,
    preprocess: Callable[[Image.Image], Tensor],
    folder: Path,
    rows: list[dict[str, str]],
) -> Tensor:
    """Normalized image embeddings of the pictures in a table, shape (len(rows), width)."""
    parts = []
    for start in range(0, len(rows), BATCH):
        files = [folder / row["file_name"] for row in rows[start : start + BATCH]]
        parts.append(clip.encode_image(torch.stack([preprocess(Image.open(f)) for f in files])))
    return F.normalize(torch.cat(parts), dim=-1)
