"""Render every picture once, as an RGB PNG on white with sides of at most 256 px.

The empty page around clip art is cropped.

A picture's key is, for example, ``openclipart/animals/lizard.svg`` or ``noto/1F98E``; its file is
``<work>/pictures/<key>.png``. A blank picture, or one that cannot be rendered, has no file.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import parts
from PIL import Image, ImageChops

LONGEST_SIDE = 256
SMALLEST_SIDE = 48
LARGEST_SIDE = 4096
WORKERS = 2
RENDER_SECONDS = 20
OPENCLIPART_FOLDER = "usr/share/openclipart/svg"
STAMPS_FOLDER = "usr/share/tuxpaint/stamps"
EMOJI_STYLES = {"noto": parts.NOTO, "twemoji": parts.TWEMOJI, "fluent": parts.FLUENT}
SKIN_TONES = re.compile("1F3F[B-F]")


def draw(work: Path) -> None:
    """Render all pictures that have no file yet."""
    jobs = [job for job in _jobs(work) if not path(work, job[0]).exists()]
    with ThreadPoolExecutor(WORKERS) as pool:
        drawn = sum(pool.map(lambda job: _draw_job(work, *job), jobs))
    print(f"pictures: {drawn} rendered, {len(jobs) - drawn} blank or not renderable")


def path(work: Path, key: str) -> Path:
    """The PNG of the picture with this key."""
    return work / "pictures" / f"{key}.png"


def emoji_key(hexcode: str) -> str:
    """Code points in upper-case hex without variation selectors, for example "1F1E9-1F1EA"."""
    return "-".join(code for code in hexcode.upper().split("-") if code != "FE0F")


def on_white(image: Image.Image) -> Image.Image:
    """Composite an image with any kind of transparency on white, as RGB."""
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def shrink(image: Image.Image, longest_side: int) -> Image.Image:
    """Resize so that the longest side is at most ``longest_side`` pixels."""
    scale = longest_side / max(image.size)
    if scale >= 1:
        return image
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC)


def _draw_job(work: Path, key: str, source: Path) -> bool:
    return _draw(source, path(work, key), trim=key.startswith("openclipart/"))


def _jobs(work: Path) -> Iterator[tuple[str, Path]]:
    """Key and source file of every picture."""
    openclipart = parts.path(work, parts.OPENCLIPART) / OPENCLIPART_FOLDER
    stamps = parts.path(work, parts.STAMPS) / STAMPS_FOLDER
    for file in sorted(openclipart.rglob("*.svg")):
        yield f"openclipart/{file.relative_to(openclipart)}", file
    for file in sorted([*stamps.rglob("*.svg"), *stamps.rglob("*.png")]):
        if file.with_suffix(".txt").exists():
            yield f"stamps/{file.relative_to(stamps)}", file
    for style, part in EMOJI_STYLES.items():
        for hexcode, file in sorted(_emoji_files(parts.path(work, part) / "package").items()):
            yield f"{style}/{hexcode}", file


def _emoji_files(package: Path) -> dict[str, Path]:
    """Write the icons of an Iconify set, which come in one JSON file, as SVG files by hexcode."""
    icons = json.loads((package / "icons.json").read_text())
    names = json.loads((package / "chars.json").read_text())
    side = icons["width"]
    folder = package / "svg"
    folder.mkdir(exist_ok=True)
    files = {}
    for code, name in names.items():
        hexcode = emoji_key(code)
        if SKIN_TONES.search(hexcode):
            continue
        files[hexcode] = folder / f"{hexcode}.svg"
        files[hexcode].write_text(
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="0 0 {side} {side}" width="{side}" height="{side}">'
            f"{icons['icons'][name]['body']}</svg>"
        )
    return files


def _draw(source: Path, target: Path, *, trim: bool) -> bool:
    """Render one picture; False if that fails or the result is blank."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        image = _trimmed(source, target) if trim else _open(source, target, LONGEST_SIDE)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return False
    if image is None or all(low == high for low, high in image.getextrema()):
        return False
    partial = target.with_suffix(".partial")
    shrink(image, LONGEST_SIDE).save(partial, "PNG")
    partial.rename(target)
    return True


def _trimmed(source: Path, target: Path) -> Image.Image | None:
    """The drawing cropped to its content; a small one is rendered again at a larger size."""
    side = 2 * LONGEST_SIDE
    image = _open(source, target, side)
    box = _content(image)
    if box is None:
        return None
    extent = max(box[2] - box[0], box[3] - box[1])
    if extent < LONGEST_SIDE:
        image = _open(source, target, min(round(side * LONGEST_SIDE / extent), LARGEST_SIDE))
        box = _content(image)
    if box is None or max(box[2] - box[0], box[3] - box[1]) < SMALLEST_SIDE:
        return None
    margin = max(box[2] - box[0], box[3] - box[1]) // 25
    left, top, right, bottom = box
    return image.crop(
        (
            max(left - margin, 0),
            max(top - margin, 0),
            min(right + margin, image.width),
            min(bottom + margin, image.height),
        )
    )


def _content(image: Image.Image) -> tuple[int, int, int, int] | None:
    """Bounding box of the pixels that are not white; None if there are none."""
    return ImageChops.invert(image.convert("L")).point(lambda ink: 255 * (ink > 8)).getbbox()


def _open(source: Path, target: Path, side: int) -> Image.Image:
    """The picture on white; an SVG is rendered with ``side`` pixels at its longest side."""
    if source.suffix != ".svg":
        return on_white(Image.open(source))
    rendered = target.with_suffix(".rendered")
    size = str(side)
    command = ["rsvg-convert", "-w", size, "-h", size, "-a", str(source), "-o", str(rendered)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=RENDER_SECONDS)
        return on_white(Image.open(rendered))
    finally:
        rendered.unlink(missing_ok=True)
