"""Image-caption pairs of all sources, as one list.

A pair's key names its picture (see ``pictures``); its title and keywords come from the source.
"""

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import parts
import pictures

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
DC = "{http://purl.org/dc/elements/1.1/}"
CC = "{http://web.resource.org/cc/}"
VARIANTS = re.compile(r"\(.*?\)|\b(b ?and ?w|b ?& ?w|bw|colou?r|outline|simple)\b|[^a-z]+")


@dataclass(frozen=True)
class Pair:
    """One picture with its words.

    Attributes:
        concept: shared by pairs that show the same thing in any style or variant; all pairs of a
            concept are in the same split.
        category: the source's folder or emoji subgroup.
        origin: the package and path of the source file.
    """

    key: str
    source: str
    title: str
    keywords: tuple[str, ...]
    concept: str
    category: str
    author: str
    license: str
    origin: str

    @property
    def caption(self) -> str:
        """Title and keywords in one line, like an alt text on the web."""
        return ", ".join([part for part in (self.title, *self.keywords) if part])


def read(work: Path) -> list[Pair]:
    """All pairs whose picture could be drawn, in a fixed order."""
    pairs = [*_openclipart(work), *_emoji(work), *_stamps(work)]
    return [pair for pair in pairs if pictures.path(work, pair.key).exists()]


def concept_of(title: str) -> str:
    """The title without case, digits, punctuation and names of variants ("Pie (B and W)")."""
    return VARIANTS.sub(" ", title.lower().replace("_", " ")).strip()


def _openclipart(work: Path) -> Iterator[Pair]:
    root = parts.path(work, parts.OPENCLIPART) / pictures.OPENCLIPART_FOLDER
    for file in sorted(root.rglob("*.svg")):
        described = ElementTree.parse(file).getroot().find(f".//{CC}Work")
        if described is None:
            continue
        license = described.find(f"{CC}license")
        link = "" if license is None else license.get(f"{RDF}resource", "")
        title = _text(described.findtext(f"{DC}title"))
        name = str(file.relative_to(root))
        yield Pair(
            key=f"openclipart/{name}",
            source="openclipart",
            title=title,
            keywords=tuple(filter(None, (_text(item.text) for item in described.iter(f"{RDF}li")))),
            concept=f"openclipart {concept_of(title) or file.stem}",
            category=name.rpartition("/")[0],
            author=_author(described.findtext(f"{DC}creator/{CC}Agent/{DC}title")),
            license="public domain" if link.lower().rstrip("/").endswith("publicdomain") else link,
            origin=f"{parts.OPENCLIPART.package} {pictures.OPENCLIPART_FOLDER}/{name}",
        )


def _emoji(work: Path) -> Iterator[Pair]:
    package = parts.path(work, parts.EMOJIBASE) / "package"
    subgroups = json.loads((package / "meta/groups.json").read_text())["subgroups"]
    for emoji in json.loads((package / "en/data.json").read_text()):
        hexcode = pictures.emoji_key(emoji["hexcode"])
        for style, part in pictures.EMOJI_STYLES.items():
            info = json.loads((parts.path(work, part) / "package/info.json").read_text())
            yield Pair(
                key=f"{style}/{hexcode}",
                source=style,
                title=emoji["label"],
                keywords=tuple(emoji.get("tags", ())),
                concept=f"emoji {emoji['label'].split(':')[0].lower()}",
                category=subgroups.get(str(emoji.get("subgroup")), ""),
                author=info["author"]["name"],
                license=part.license,
                origin=f"{part.package} {hexcode}",
            )


def _stamps(work: Path) -> Iterator[Pair]:
    root = parts.path(work, parts.STAMPS) / pictures.STAMPS_FOLDER
    for file in sorted(root.rglob("*.txt")):
        name = file.relative_to(root).with_suffix("")
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        sentence = _text(lines[0]) if lines else ""
        for suffix in (".svg", ".png"):
            if sentence and (root / f"{name}{suffix}").exists():
                yield Pair(
                    key=f"stamps/{name}{suffix}",
                    source="stamps",
                    title=sentence,
                    keywords=(),
                    concept=f"stamps {sentence.lower()}",
                    category=str(name.parent),
                    author="",
                    license=parts.STAMPS.license,
                    origin=f"{parts.STAMPS.package} {pictures.STAMPS_FOLDER}/{name}{suffix}",
                )
                break


def _author(raw: str | None) -> str:
    """The author's name, without e-mail addresses."""
    words = [word for word in _text(raw).split() if "@" not in word]
    return " ".join(words).strip(" ()<>,:-")


def _text(raw: str | None) -> str:
    """The text in one line, with HTML entities decoded and repeated spaces removed."""
    return " ".join(html.unescape(raw or "").split())
