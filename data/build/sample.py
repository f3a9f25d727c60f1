"""Write the sample (``data/sample``) and the target sets (``data/targets``).

Each is a folder of small JPEG files on white with a ``metadata.csv`` (the "imagefolder"
convention). A folder is written under a temporary name and renamed, so it is never incomplete.
"""

import csv
import random
import re
import shutil
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pairs
import pictures
import splits
from pairs import Pair
from PIL import Image

SEED = 7
SWAPPED_SHARE = 0.30
SAMPLE_SIDE, TARGET_SIDE = 192, 128
SAMPLE_COLUMNS = (
    "file_name",
    "caption",
    "swapped",
    "original_caption",
    "author",
    "license",
    "source",
)
TARGET_COLUMNS = ("file_name", "caption", "source", "license")
TARGETS = {
    "animals": ("animal-",),
    "food": ("food-",),
}
TARGET_STYLE = "noto"


def write(work: Path, data: Path) -> None:
    """Write ``data/sample`` and every folder of ``data/targets``."""
    write_sample(work, splits.split(work).sample, data / "sample")
    for name, subgroups in TARGETS.items():
        chosen = [
            pair
            for pair in pairs.read(work)
            if pair.source == TARGET_STYLE and pair.category.startswith(subgroups)
        ]
        write_target(work, chosen, data / "targets" / name)


def write_sample(work: Path, sample: Sequence[Pair], folder: Path) -> None:
    """Write the sample's pictures and captions, ``SWAPPED_SHARE`` of them swapped."""
    scratch = _scratch(folder)
    givers = swap([pair.caption for pair in sample])
    rows = []
    for index, (pair, giver) in enumerate(zip(sample, givers, strict=True)):
        name = f"images/{index + 1:04d}-{_slug(pair)}.jpg"
        _write_jpeg(work, pair, scratch / name, SAMPLE_SIDE)
        rows.append(
            (
                name,
                sample[giver].caption,
                "true" if giver != index else "false",
                pair.caption,
                pair.author,
                pair.license,
                pair.origin,
            )
        )
    _finish(folder, SAMPLE_COLUMNS, rows)


def write_target(work: Path, chosen: Sequence[Pair], folder: Path) -> None:
    """Write one target set; an emoji's name is its caption."""
    scratch = _scratch(folder)
    rows = []
    for pair in chosen:
        name = f"{_slug(pair)}.jpg"
        _write_jpeg(work, pair, scratch / name, TARGET_SIDE)
        rows.append((name, pair.title, pair.origin, pair.license))
    _finish(folder, TARGET_COLUMNS, rows)


def swap(captions: Sequence[str]) -> list[int]:
    """For each sample, the index of the sample whose caption it gets.

    That is its own index, except for the swapped share, which exchange captions among each other.
    No sample gets a caption that has a word in common with its own.
    """
    chance = random.Random(SEED)
    words = [set(re.findall(r"[^\W\d_]{3,}", caption.lower())) for caption in captions]
    chosen = chance.sample(range(len(captions)), round(SWAPPED_SHARE * len(captions)))
    given = chosen.copy()
    chance.shuffle(given)
    while clashes := [i for i, g in enumerate(given) if words[chosen[i]] & words[g]]:
        for clash in clashes:
            other = chance.randrange(len(given))
            given[clash], given[other] = given[other], given[clash]
    givers = list(range(len(captions)))
    for index, giver in zip(chosen, given, strict=True):
        givers[index] = giver
    return givers


def _slug(pair: Pair) -> str:
    """The title as a short, lower-case, ASCII part of a file name."""
    ascii_title = unicodedata.normalize("NFKD", pair.title).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", ascii_title.lower())
    return "-".join(words)[:48].strip("-") or "picture"


def _write_jpeg(work: Path, pair: Pair, file: Path, longest_side: int) -> None:
    image = Image.open(pictures.path(work, pair.key)).convert("RGB")
    file.parent.mkdir(exist_ok=True)
    pictures.shrink(image, longest_side).save(file, "JPEG", quality=84, optimize=True)


def _scratch(folder: Path) -> Path:
    """An empty temporary folder, which ``_finish`` renames to ``folder``."""
    scratch = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    return scratch


def _finish(folder: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write the table and rename the temporary folder to ``folder``."""
    scratch = folder.with_name(f".{folder.name}.partial")
    with (scratch / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
    shutil.rmtree(folder, ignore_errors=True)
    scratch.rename(folder)
    print(f"{folder.name}: {len(rows):,} pictures")
