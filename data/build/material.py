"""What the model is trained on, computed once: features, captions as tokens, and their meanings.

A caption's meaning is all-MiniLM-L6-v2's embedding of it.
"""

import random
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import features
import model
import splits
import texts
import torch
from minilm import MiniLM
from open_clip.tokenizer import SimpleTokenizer
from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES
from torch import Tensor

SEED = 0
CAPTIONS = 12
WORDS = 16_000


@dataclass(frozen=True)
class Material:
    """Pictures: ``views`` (V, N, 1280), ``tokens`` (N, captions, context), ``meanings`` (N, 384).

    Classes of ImageNet have tokens and meanings too, and ``class_features`` (1000, 1280) are how
    features differ from the mean where a class is seen. Phrases have no pictures.
    """

    views: Tensor
    tokens: Tensor
    meanings: Tensor
    concepts: list[list[int]]
    class_tokens: Tensor
    class_meanings: Tensor
    class_features: Tensor
    phrase_tokens: Tensor
    phrase_meanings: Tensor
    first_embeddings: Tensor


def gather(work: Path) -> Material:
    """Collect the material of the training split; computes features where they are missing."""
    chance = random.Random(SEED)
    drawn = splits.split(work).train
    keys = [pair.key for pair in drawn]
    views = [torch.from_numpy(features.load(work, keys, v)) for v in features.TRAINING_VIEWS]
    words = texts.tokenizer(texts.write_vocabulary(work))
    teacher = MiniLM(work)
    captions = [texts.variants(pair, CAPTIONS, chance) for pair in drawn]
    groups: dict[str, list[int]] = defaultdict(list)
    for place, pair in enumerate(drawn):
        groups[pair.concept].append(place)
    names = [
        [texts.with_prefix(name, chance) for _ in range(CAPTIONS)] for name in IMAGENET_CLASSNAMES
    ]
    phrases = _phrases(teacher, chance)
    return Material(
        views=torch.stack(views),
        tokens=_tokenize(words, captions),
        meanings=teacher.encode([pair.caption for pair in drawn]),
        concepts=list(groups.values()),
        class_tokens=_tokenize(words, names),
        class_meanings=teacher.encode(list(IMAGENET_CLASSNAMES)),
        class_features=_class_directions(model.build(work)[1], views[0]),
        phrase_tokens=texts.tokenize(words, [texts.with_prefix(p, chance) for p in phrases]),
        phrase_meanings=teacher.encode(phrases),
        first_embeddings=texts.first_embeddings(words, teacher),
    )


def _phrases(teacher: MiniLM, chance: random.Random) -> list[str]:
    """Frequent English words, alone and in twos: the teacher's vocabulary is in that order."""
    words = [word for word in teacher.vocabulary if word.isascii() and word.isalpha()]
    words = [word for word in words if len(word) > 2][:WORDS]
    return [*words, *(" ".join(chance.sample(words, 2)) for _ in words)]


def _tokenize(words: SimpleTokenizer, captions: list[list[str]]) -> Tensor:
    flat = texts.tokenize(words, [text for several in captions for text in several])
    return flat.view(len(captions), -1, model.CONTEXT_LENGTH)


def _class_directions(classifier: Tensor, rows: Tensor) -> Tensor:
    """How features differ from the mean where a class is seen, (1000, 1280).

    Where features of all classes share a covariance, a linear classifier's weights are the class
    means times its inverse. Times its root is half of the way back: nearer to real features than
    the weights are, and less alike among classes than estimates of the means.
    """
    values, vectors = torch.linalg.eigh(torch.cov(rows.T))
    root = vectors * values.clamp(min=1e-8).sqrt() @ vectors.T
    directions = (classifier - classifier.mean(dim=0)) @ root
    return directions / directions.norm(dim=1, keepdim=True) * rows.var(dim=0).sum().sqrt()
