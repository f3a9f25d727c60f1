"""The split of all pairs into training, validation, tests and the shipped sample.

Splits are random with a fixed seed. All pairs of a concept (see ``pairs.Pair``) are in one split.
"""

import hashlib
import random
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pairs
import pictures
from pairs import Pair

T = TypeVar("T")
SEED = 20405
UNSEEN_STYLE = "fluent"
UNSEEN_EMOJI = 0.15
VALIDATION_EMOJI = 0.05
VALIDATION_TITLES = 250
VALIDATION_STAMPS = 0.25
REPEATED = 3
SAMPLE_TITLED, SAMPLE_BOILERPLATE = 1150, 350
SAMPLE_PER_BOILERPLATE_TITLE = 25
SAMPLE_STARS = 10
SAMPLE_PER_FOLDER = {
    "signs_and_symbols/flags": 80,
    "signs_and_symbols": 80,
    "computer/icons": 130,
    "special/patterns": 20,
    "signs_and_symbols/led": 12,
    "computer/buttons": 12,
    "shapes": 25,
    "shapes/stars": SAMPLE_STARS,
    "recreation/games": 40,
}
TRAINING_STARS = 40
STARS = "gramastar"
UNFIT_FOLDERS = ("logos", "signs_and_symbols/flags/historic", "tools/weapons")
UNFIT_WORDS = re.compile(
    r"swasti|sun ?wheel|nazi|hitler|confedera|missis|reich|fascis|commun|soviet|hammer and sickle"
    r"|stalin|lenin|guevara|saddam|osama|bin laden|terror|kkk|bomb|nude|naked|sex|erotic|stripper"
    r"|breast|lingerie|pantyhose|bikini|thong|condom|penis|mermaid|male silhouette|female rolland"
    r"|drug|cannabis|marijuana|hemp|suicide|corpse|\bdead\b|gallows|gibbet|hanged|politic"
    r"|republican|democrat|president|microsoft|windows|apple (logo|comp)|wine\.svg|firefox|mozilla"
    r"|netscape|adobe|acroread|pdf|quake|google|yahoo|skype|nike|\bcoke|coca|pepsi|mcdonald"
    r"|playboy|disney|pokemon|cisco|switch hp|ports switch|for sale|numero verde|logo|@",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Splits:
    """The pairs of each split.

    Attributes:
        sample: the test split of openclipart, which ships with the project.
        boilerplate_titles: titles that many pictures share, such as the name of a collection.
    """

    train: list[Pair]
    validation: list[Pair]
    validation_stamps: list[Pair]
    sample: list[Pair]
    unseen_concepts: list[Pair]
    unseen_style: list[Pair]
    stamps: list[Pair]
    boilerplate_titles: frozenset[str]

    def is_boilerplate(self, pair: Pair) -> bool:
        """Whether the pair's title names a collection instead of what the picture shows."""
        return pair.title in self.boilerplate_titles


def split(work: Path) -> Splits:
    """Draw all splits."""
    everything = pairs.read(work)
    openclipart = _distinct(work, [pair for pair in everything if pair.source == "openclipart"])
    emoji = [pair for pair in everything if pair.source in pictures.EMOJI_STYLES]
    stamps = [pair for pair in everything if pair.source == "stamps"]

    counts = Counter(pair.title for pair in openclipart)
    boilerplate = frozenset(title for title, count in counts.items() if count > REPEATED)
    titled = [pair for pair in openclipart if pair.title not in boilerplate]
    untitled = _shuffled([pair for pair in openclipart if pair.title in boilerplate])

    sample_titled, rest = _draw_titled_sample(titled)
    sample_untitled = _draw_boilerplate_sample(untitled)
    concepts = _shuffled(sorted({pair.concept for pair in rest}))
    held = set(concepts[:VALIDATION_TITLES])
    taken = {pair.key for pair in sample_untitled}
    stars = [pair for pair in untitled if pair.title == STARS][-TRAINING_STARS:]
    others = [pair for pair in untitled if pair.key not in taken and pair.title != STARS]

    named = [_named_by_file(pair) for pair in [*stars, *others]]
    unseen = held | {pair.concept for pair in sample_titled}

    concepts = _shuffled(sorted({pair.concept for pair in emoji}))
    test = set(concepts[: round(UNSEEN_EMOJI * len(concepts))])
    valid = set(concepts[len(test) : len(test) + round(VALIDATION_EMOJI * len(concepts))])
    seen = [p for p in emoji if p.concept not in test | valid and p.source != UNSEEN_STYLE]
    stamps = _shuffled(stamps)
    cut = round(VALIDATION_STAMPS * len(stamps))
    return Splits(
        train=[
            *(pair for pair in rest if pair.concept not in held),
            *(pair for pair in named if pair.concept not in unseen),
            *seen,
        ],
        validation=[
            *(pair for pair in rest if pair.concept in held),
            *(pair for pair in emoji if pair.concept in valid and pair.source != UNSEEN_STYLE),
        ],
        validation_stamps=stamps[:cut],
        sample=_shuffled([*sample_titled, *sample_untitled]),
        unseen_concepts=[pair for pair in emoji if pair.concept in test],
        unseen_style=[p for p in emoji if p.concept not in test and p.source == UNSEEN_STYLE],
        stamps=stamps[cut:],
        boilerplate_titles=boilerplate,
    )


def _distinct(work: Path, openclipart: list[Pair]) -> list[Pair]:
    """Pairs without those whose picture is, pixel for pixel, another's."""
    first: dict[str, Pair] = {}
    for pair in openclipart:
        digest = hashlib.sha256(pictures.path(work, pair.key).read_bytes()).hexdigest()
        first.setdefault(digest, pair)
    return list(first.values())


def _draw_titled_sample(titled: list[Pair]) -> tuple[list[Pair], list[Pair]]:
    """Whole concepts until the sample is full, and the pairs of all other concepts."""
    groups: dict[str, list[Pair]] = defaultdict(list)
    for pair in titled:
        groups[pair.concept].append(pair)
    room = Counter(SAMPLE_PER_FOLDER)
    sample: list[Pair] = []
    for concept in _shuffled(sorted(groups)):
        fit = [pair for pair in groups[concept] if _is_fit(pair)]
        if not fit or len(sample) >= SAMPLE_TITLED or len(groups[concept]) > 2 * REPEATED:
            continue
        kept = [pair for pair in fit if _take(room, pair)]
        if kept:
            sample += kept
            del groups[concept]
    return sample, [pair for group in groups.values() for pair in group]


def _draw_boilerplate_sample(untitled: list[Pair]) -> list[Pair]:
    """Some pairs of every boilerplate title."""
    room = Counter(SAMPLE_PER_FOLDER)
    per_title: Counter[str] = Counter()
    sample = []
    for pair in untitled:
        if not pair.title or per_title[pair.title] == SAMPLE_PER_BOILERPLATE_TITLE:
            continue
        if _is_fit(pair) and _take(room, pair):
            per_title[pair.title] += 1
            sample.append(pair)
    return sample[:SAMPLE_BOILERPLATE]


def _take(room: Counter[str], pair: Pair) -> bool:
    """Count a pair against its folder's limit; False if the limit is reached."""
    folder = "/".join(pair.category.split("/")[:2])
    if folder not in SAMPLE_PER_FOLDER:
        return True
    room[folder] -= 1
    return room[folder] >= 0


def _is_fit(pair: Pair) -> bool:
    """Whether a pair may be shown to anyone: free, captioned, no hate, nudity or trade mark."""
    words = f"{pair.key} {pair.caption}".replace("_", " ")
    return (
        pair.license == "public domain"
        and not pair.category.startswith(UNFIT_FOLDERS)
        and UNFIT_WORDS.search(words) is None
    )


def _named_by_file(pair: Pair) -> Pair:
    """The pair with its file name as title, for training on pictures with boilerplate titles."""
    title = re.sub(r"[^A-Za-z]+", " ", Path(pair.key).stem).strip()
    return replace(pair, title=title, concept=f"openclipart {pairs.concept_of(title)}")


def _shuffled(items: list[T]) -> list[T]:
    return random.Random(SEED).sample(items, len(items))
