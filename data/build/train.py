"""Train the projection and the text tower on cached features of the frozen trunk."""

import math
import random
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import features
import model
import splits
import texts
import torch
from minilm import MiniLM
from open_clip.model import CustomTextCLIP
from open_clip.tokenizer import SimpleTokenizer
from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES
from torch import Tensor
from torch.nn import functional as F

LENGTH_GROUPS = 6


@dataclass(frozen=True)
class Options:
    """How to train.

    ``noise`` is in standard deviations of each feature; ``strength`` says how far a class's
    synthesised features lie from the mean. The teacher is MiniLM: ``teacher_share`` of what a
    picture should match is captions that mean the same, and ``distill`` weighs the term that has
    the text tower predict the teacher's embedding.
    """

    steps: int = 450
    batch: int = 512
    pseudo: int = 220
    rate: float = 1e-3
    weight_decay: float = 0.2
    noise: float = 0.15
    warmup: int = 50
    captions: int = 12
    teacher_share: float = 0.3
    teacher_temperature: float = 0.1
    distill: float = 2.5
    strength: tuple[float, float] = (0.5, 1.5)
    seed: int = 0


@dataclass(frozen=True)
class Material:
    """What is trained on. ``views`` (V, N, 1280); ``tokens`` (N, captions, context)."""

    views: Tensor
    tokens: Tensor
    meanings: Tensor
    concepts: list[list[int]]
    class_tokens: Tensor
    class_meanings: Tensor
    class_features: Tensor
    first_embeddings: Tensor


def write(work: Path, data: Path) -> None:
    """Train with the chosen options and write ``data/models/clip-lite0``."""
    clip = fit(work, gather(work, Options()), Options())
    model.save(clip, texts.write_vocabulary(work), data / "models" / model.NAME)


def gather(work: Path, options: Options) -> Material:
    """Features, captions and classes to train on."""
    chance = random.Random(options.seed)
    drawn = splits.split(work).train
    keys = [pair.key for pair in drawn]
    views = [torch.from_numpy(features.load(work, keys, v)) for v in features.TRAINING_VIEWS]
    words = texts.tokenizer(texts.write_vocabulary(work))
    teacher = MiniLM(work)
    captions = [texts.variants(pair, options.captions, chance) for pair in drawn]
    groups: dict[str, list[int]] = defaultdict(list)
    for place, pair in enumerate(drawn):
        groups[pair.concept].append(place)
    names = [
        [texts.with_prefix(name, chance) for _ in range(options.captions)]
        for name in IMAGENET_CLASSNAMES
    ]
    return Material(
        views=torch.stack(views),
        tokens=_tokenize(words, captions),
        meanings=teacher.encode([pair.caption for pair in drawn]),
        concepts=list(groups.values()),
        class_tokens=_tokenize(words, names),
        class_meanings=teacher.encode(list(IMAGENET_CLASSNAMES)),
        class_features=_class_directions(model.build(work)[1], views[0]),
        first_embeddings=texts.first_embeddings(words, teacher),
    )


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


def fit(work: Path, material: Material, options: Options) -> CustomTextCLIP:
    """Train a new model; deterministic for given options."""
    torch.manual_seed(options.seed)
    chance = random.Random(options.seed)
    clip, _ = model.build(work)
    clip.text.token_embedding.weight.data.copy_(material.first_embeddings)
    mean = material.views[0].mean(dim=0)
    scale = material.views[0].std(dim=0)
    parameters = [p for p in clip.parameters() if p.requires_grad]
    to_teacher = torch.nn.Linear(model.WIDTH, material.meanings.shape[1], bias=False)
    groups: list[dict[str, Any]] = [
        {"params": [*(p for p in parameters if p.ndim > 1), to_teacher.weight]},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(
        groups, lr=options.rate, weight_decay=options.weight_decay, betas=(0.9, 0.98)
    )
    clip.train()
    clip.visual.trunk.eval()
    running = 0.0
    for step in range(options.steps):
        for group in optimizer.param_groups:
            group["lr"] = options.rate * _schedule(step, options)
        rows, tokens, meanings = _batch(material, mean, options, chance)
        rows = rows + options.noise * scale * torch.randn_like(rows)
        with torch.autocast("cpu", torch.bfloat16):
            image, text = clip.visual.head(rows), _encode(clip, tokens)
        image = F.normalize(image.float(), dim=-1)
        text = F.normalize(text.float(), dim=-1)
        logits = clip.logit_scale.exp() * image @ text.T
        wanted = _wanted(meanings, options)
        loss = (F.cross_entropy(logits, wanted) + F.cross_entropy(logits.T, wanted)) / 2
        guess = F.normalize(to_teacher(text), dim=-1)
        loss = loss + options.distill * (1 - (guess * meanings).sum(dim=1).mean())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        with torch.no_grad():
            clip.logit_scale.clamp_(0, math.log(100))
        running = 0.98 * running + 0.02 * loss.item()
        if (step + 1) % 150 == 0:
            scale_now = clip.logit_scale.exp().item()
            print(f"step {step + 1}: loss {running:.3f}, scale {scale_now:.1f}", flush=True)
    return clip.eval()


def _encode(clip: CustomTextCLIP, tokens: Tensor) -> Tensor:
    """The text tower on captions grouped by length, so that little padding is computed."""
    lengths = tokens.argmax(dim=1) + 1
    groups = lengths.argsort(stable=True).chunk(LENGTH_GROUPS)
    mask, rows = clip.text.attn_mask, []
    for group in groups:
        length = int(lengths[group].max())
        clip.text.attn_mask = mask[:length, :length]
        rows.append(clip.text(tokens[group, :length]))
    clip.text.attn_mask = mask
    return torch.cat(rows)[torch.cat(groups).argsort()]


def _schedule(step: int, options: Options) -> float:
    if step < options.warmup:
        return (step + 1) / options.warmup
    progress = (step - options.warmup) / (options.steps - options.warmup)
    return 0.5 * (1 + math.cos(math.pi * progress))


def _batch(
    material: Material, mean: Tensor, options: Options, chance: random.Random
) -> tuple[Tensor, Tensor, Tensor]:
    """Features, tokens and meanings of one batch, each concept at most once."""
    groups = chance.sample(material.concepts, options.batch)
    places = torch.tensor([chance.choice(group) for group in groups])
    view = torch.randint(len(material.views), places.shape)
    caption = torch.randint(material.tokens.shape[1], places.shape)
    rows, tokens = material.views[view, places], material.tokens[places, caption]
    meanings = material.meanings[places]
    classes = torch.randperm(len(material.class_tokens))[: options.pseudo]
    caption = torch.randint(material.class_tokens.shape[1], classes.shape)
    some = torch.randint(material.views.shape[1], classes.shape)
    low, high = options.strength
    strength = low + (high - low) * torch.rand(len(classes), 1)
    pseudo = 0.5 * (material.views[0, some] + mean) + strength * material.class_features[classes]
    return (
        torch.cat([rows, pseudo.clamp(min=0)]),
        torch.cat([tokens, material.class_tokens[classes, caption]]),
        torch.cat([meanings, material.class_meanings[classes]]),
    )


def _wanted(meanings: Tensor, options: Options) -> Tensor:
    """What each row should match: its own caption, and by a share captions of like meaning."""
    own = torch.eye(len(meanings))
    alike = (meanings @ meanings.T / options.teacher_temperature).softmax(dim=1)
    return (1 - options.teacher_share) * own + options.teacher_share * alike
