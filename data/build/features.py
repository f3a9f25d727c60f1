"""Features of the frozen trunk for each picture, computed once: (N, 1280) float16.

``<work>/features/<view>.npz`` holds ``keys`` and ``features``. The "plain" view is the picture
unchanged, as the finished model gets it; the others imitate how pictures are reused on the web.
"""

import io
import random
from collections.abc import Callable
from pathlib import Path

import model
import numpy as np
import pictures
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

BATCH = 64


def compute(work: Path, keys: list[str], view: str) -> dict[str, int]:
    """Compute the missing features of ``keys`` in one view; returns the row of each key."""
    file = work / "features" / f"{view}.npz"
    known, rows = _read(file)
    todo = [key for key in dict.fromkeys(keys) if key not in known]
    if todo:
        clip, _ = model.build(work)
        trunk = clip.visual.trunk.eval().to(memory_format=torch.channels_last)
        done = [rows]
        for start in range(0, len(todo), BATCH):
            images = [_view(work, key, view) for key in todo[start : start + BATCH]]
            batch = torch.stack(images).contiguous(memory_format=torch.channels_last)
            with torch.inference_mode():
                done.append(trunk(batch).numpy().astype(np.float16))
            if start % (BATCH * 20) == 0:
                print(f"features, {view}: {start:,} of {len(todo):,}", flush=True)
        known = {**known, **{key: len(known) + offset for offset, key in enumerate(todo)}}
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, keys=np.array(list(known)), features=np.concatenate(done))
    return known


def load(work: Path, keys: list[str], view: str) -> NDArray[np.float32]:
    """Features of ``keys``, shape (len(keys), 1280)."""
    known = compute(work, keys, view)
    _, rows = _read(work / "features" / f"{view}.npz")
    return rows[[known[key] for key in keys]].astype(np.float32)


def _read(file: Path) -> tuple[dict[str, int], NDArray[np.float16]]:
    if not file.exists():
        return {}, np.zeros((0, 1280), dtype=np.float16)
    with np.load(file) as stored:
        return {key: row for row, key in enumerate(stored["keys"].tolist())}, stored["features"]


def _view(work: Path, key: str, view: str) -> torch.Tensor:
    """One view of one picture as the trunk's input; its randomness is seeded by view and key."""
    image = Image.open(pictures.path(work, key)).convert("RGB")
    tensor: torch.Tensor = model.preprocess(VIEWS[view](image, random.Random(f"{view} {key}")))
    return tensor


def _plain(image: Image.Image, _: random.Random) -> Image.Image:
    return image


def _thumbnail(image: Image.Image, chance: random.Random) -> Image.Image:
    """A mirrored, compressed thumbnail."""
    small = ImageOps.mirror(pictures.shrink(image, chance.randint(128, 224)))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=chance.randint(50, 90))
    return Image.open(buffer).convert("RGB")


def _collage(image: Image.Image, chance: random.Random) -> Image.Image:
    """Rotated, with other colors, smaller or cropped, at a random position on a white page."""
    image = image.rotate(
        chance.uniform(-15, 15), Image.Resampling.BICUBIC, expand=True, fillcolor="white"
    )
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhance(image).enhance(chance.uniform(0.7, 1.3))
    side = round(max(image.size) * chance.uniform(0.8, 1.4))
    page = Image.new("RGB", (side, side), "white")
    left, top = (round(chance.random() * (side - length)) for length in image.size)
    page.paste(image, (left, top))
    return page


VIEWS: dict[str, Callable[[Image.Image, random.Random], Image.Image]] = {
    "plain": _plain,
    "thumbnail": _thumbnail,
    "collage": _collage,
}
TRAINING_VIEWS = tuple(VIEWS)
