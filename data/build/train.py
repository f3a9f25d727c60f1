"""Train the projection and the text tower on cached features of the frozen trunk."""

import math
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import material
import model
import packed
import texts
import torch
from material import Material
from open_clip.model import CustomTextCLIP
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Options:
    """Hyperparameters. The teacher is MiniLM.

    Attributes:
        batch, pseudo, phrases: pictures, synthetic class features and phrases in a batch.
        rate: peak learning rate, reached after ``warmup`` steps.
        noise: added to features, in standard deviations of each feature.
        teacher_share: share of the contrastive target given to captions of similar meaning.
        teacher_temperature: temperature of the softmax over these similarities.
        distill: weight of predicting the teacher's embedding from the text embedding.
        distill_image: the same for the image embedding.
        strength: range of the distance of synthetic class features from the mean.
        averaged: decay of the running average of the weights.
    """

    steps: int = 800
    batch: int = 512
    pseudo: int = 220
    phrases: int = 256
    rate: float = 1e-3
    weight_decay: float = 0.2
    noise: float = 0.25
    warmup: int = 50
    teacher_share: float = 0.4
    teacher_temperature: float = 0.1
    distill: float = 2.5
    distill_image: float = 1.0
    strength: tuple[float, float] = (0.3, 1.2)
    averaged: float = 0.99
    seed: int = 0


def write(work: Path, data: Path) -> None:
    """Train with the chosen options and write ``data/models/clip-lite0``."""
    clip = fit(work, material.gather(work), Options())
    model.save(clip, texts.write_vocabulary(work), data / "models" / model.NAME)


def fit(work: Path, given: Material, options: Options) -> CustomTextCLIP:
    """Train a new model; deterministic for given options and threads."""
    torch.manual_seed(options.seed)
    chance = random.Random(options.seed)
    clip, _ = model.build(work)
    clip.text.token_embedding.weight.data.copy_(given.first_embeddings)
    mean, scale = given.views[0].mean(dim=0), given.views[0].std(dim=0)
    to_teacher = torch.nn.Linear(model.WIDTH, given.meanings.shape[1], bias=False)
    parameters = [p for p in clip.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        _groups(clip, to_teacher, options), options.rate, betas=(0.9, 0.98), fused=True
    )
    average = [p.detach().clone() for p in parameters]
    clip.train()
    clip.visual.trunk.eval()
    running = 0.0
    for step in range(options.steps):
        for group in optimizer.param_groups:
            group["lr"] = options.rate * _schedule(step, options)
        rows, tokens, meanings = _batch(given, mean, options, chance)
        rows = rows + options.noise * scale * torch.randn_like(rows)
        with torch.autocast("cpu", torch.bfloat16):
            image, text = clip.visual.head(rows), packed.encode(clip.text, tokens)
        loss = _loss(clip, to_teacher, image.float(), text.float(), meanings, options)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        with torch.no_grad():
            clip.logit_scale.clamp_(0, math.log(100))
            kept = min(options.averaged, (1 + step) / (10 + step))
            torch._foreach_lerp_(average, parameters, 1 - kept)
        running = 0.98 * running + 0.02 * loss.item()
        if (step + 1) % 100 == 0:
            scale_now = clip.logit_scale.exp().item()
            print(f"step {step + 1}: loss {running:.3f}, scale {scale_now:.1f}", flush=True)
    for parameter, value in zip(parameters, average, strict=True):
        parameter.data.copy_(value)
    return clip.eval()


def _groups(
    clip: CustomTextCLIP, to_teacher: torch.nn.Linear, options: Options
) -> list[dict[str, Any]]:
    """The optimizer's groups of parameters."""
    parameters = [p for p in clip.parameters() if p.requires_grad]
    return [
        {
            "params": [*(p for p in parameters if p.ndim > 1), to_teacher.weight],
            "weight_decay": options.weight_decay,
        },
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _schedule(step: int, options: Options) -> float:
    if step < options.warmup:
        return (step + 1) / options.warmup
    progress = (step - options.warmup) / (options.steps - options.warmup)
    return 0.5 * (1 + math.cos(math.pi * progress))


def _batch(
    given: Material, mean: Tensor, options: Options, chance: random.Random
) -> tuple[Tensor, Tensor, Tensor]:
    """Features, tokens and meanings of one batch, with each concept at most once.

    Phrases come last and have no features, so there are fewer rows of features than of tokens.
    """
    groups = chance.sample(given.concepts, options.batch)
    indices = torch.tensor([chance.choice(group) for group in groups])
    view = torch.randint(len(given.views), indices.shape)
    caption = torch.randint(given.tokens.shape[1], indices.shape)
    rows, tokens = given.views[view, indices], given.tokens[indices, caption]
    classes = torch.randperm(len(given.class_tokens))[: options.pseudo]
    caption = torch.randint(given.class_tokens.shape[1], classes.shape)
    some = torch.randint(given.views.shape[1], classes.shape)
    low, high = options.strength
    strength = low + (high - low) * torch.rand(len(classes), 1)
    pseudo = 0.5 * (given.views[0, some] + mean) + strength * given.class_features[classes]
    phrases = torch.randint(len(given.phrase_tokens), (options.phrases,))
    return (
        torch.cat([rows, pseudo.clamp(min=0)]),
        torch.cat([tokens, given.class_tokens[classes, caption], given.phrase_tokens[phrases]]),
        torch.cat(
            [given.meanings[indices], given.class_meanings[classes], given.phrase_meanings[phrases]]
        ),
    )


def _loss(
    clip: CustomTextCLIP,
    to_teacher: torch.nn.Linear,
    image: Tensor,
    text: Tensor,
    meanings: Tensor,
    options: Options,
) -> Tensor:
    """The contrastive loss plus the losses of predicting the teacher's embeddings."""
    image, text = F.normalize(image, dim=-1), F.normalize(text, dim=-1)
    predicted_by_text = F.normalize(to_teacher(text), dim=-1)
    predicted_by_image = F.normalize(to_teacher(image), dim=-1)
    distill = 1 - (predicted_by_text * meanings).sum(dim=1).mean()
    meanings = meanings[: len(image)]
    distill_image = 1 - (predicted_by_image * meanings).sum(dim=1).mean()
    logits = clip.logit_scale.exp() * image @ text[: len(image)].T
    target = _contrastive_target(meanings, options)
    contrast: Tensor = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    return contrast + options.distill * distill + options.distill_image * distill_image


def _contrastive_target(meanings: Tensor, options: Options) -> Tensor:
    """Target probabilities, (N, N): the own caption, and in part captions of similar meaning."""
    own = torch.eye(len(meanings))
    similar = (meanings @ meanings.T / options.teacher_temperature).softmax(dim=1)
    return (1 - options.teacher_share) * own + options.teacher_share * similar
