"""The training data: features, tokenized captions, and the teacher's caption embeddings.

The teacher is all-MiniLM-L6-v2; its embedding of a caption is called the caption's meaning.
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
    """All tensors for training on N pictures, 1,000 ImageNet classes and P phrases.

    Attributes:
        views: features of each picture in V views, (V, N, 1280).
        tokens: captions of each picture, (N, captions, context).
        meanings: the meaning of each picture's caption, (N, 384).
        concepts: the pictures of each concept.
        class_tokens: names of the classes, (1000, captions, context).
        class_meanings: (1000, 384).
        class_features: how a class's features differ from the mean, (1000, 1280).
        phrase_tokens: phrases without pictures, (P, context).
        phrase_meanings: (P, 384).
        first_embeddings: initial token embeddings, (vocabulary, width).
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
    """Collect the training data; computes features that are missing."""
    chance = random.Random(SEED)
    drawn = splits.split(work).train
    keys = [pair.key for pair in drawn]
    views = [torch.from_numpy(features.load(work, keys, v)) for v in features.TRAINING_VIEWS]
    words = texts.tokenizer(texts.write_vocabulary(work))
    teacher = MiniLM(work)
    captions = [texts.variants(pair, CAPTIONS, chance) for pair in drawn]
    groups: dict[str, list[int]] = defaultdict(list)
    for index, pair in enumerate(drawn):
        groups[pair.concept].append(index)
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
    """Frequent English words, single and in pairs (the teacher's vocabulary is by frequency)."""
    words = [word for word in teacher.vocabulary if word.isascii() and word.isalpha()]
    words = [word for word in words if len(word) > 2][:WORDS]
    return [*words, *(" ".join(chance.sample(words, 2)) for _ in words)]


def _tokenize(words: SimpleTokenizer, captions: list[list[str]]) -> Tensor:
    flat = texts.tokenize(words, [text for several in captions for text in several])
    return flat.view(len(captions), -1, model.CONTEXT_LENGTH)


def _class_directions(classifier: Tensor, rows: Tensor) -> Tensor:
    """How each class's features differ from the mean, estimated from a classifier, (1000, 1280).

    If all classes have the same covariance, the weights of a linear classifier are the class means
    times its inverse. Multiplying them by the square root of the covariance goes half of the way
    back: closer to real features than the weights, and more distinct than estimated means.
    """
    values, vectors = torch.linalg.eigh(torch.cov(rows.T))
    root = vectors * values.clamp(min=1e-8).sqrt() @ vectors.T
    directions = (classifier - classifier.mean(dim=0)) @ root
    return directions / directions.norm(dim=1, keepdim=True) * rows.var(dim=0).sum().sqrt()
