"""Tars of samples, as img2dataset and the webdataset library write them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from curation import uids
from curation.errors import CurationError
from curation.images import decode, location
from curation.images.location import ImageRef
from curation.readers import base
from curation.readers.shared import img2dataset
from curation.readers.webdataset import tars
from curation.storage import locations
from curation.storage.atomic import fingerprint
from curation.storage.locations import Location

# As the webdataset library: a key ends at the first dot of a file's name; `__meta__` is its own.
_NAME = re.compile(r"((?:.*/)?[^./]+)\.([^/]*)\Z", re.DOTALL)
_RESERVED = re.compile(r"__[^/]*__(\Z|/)")

# The members of a sample by their extension; more than one of a kind where the tar repeats itself.
Parts = Mapping[str, Sequence[tars.Member]]


class WebdatasetReader:
    """Members of a tar with one key are a sample: ``<key>.jpg``, ``<key>.txt``, ``<key>.json``.

    The caption is the ``.txt`` or the ``caption`` of the ``.json``. The rest of the ``.json`` is
    kept, as are the columns of a ``.parquet`` beside the tar, joined by ``key``; what that lists
    and the tar lacks is skipped. A tar is a shard, whatever ``shard_size``.
    """

    name = "webdataset"
    description = ".tar files with <key>.jpg and <key>.txt or .json, one or a folder of them"

    def __init__(self, source: Location, options: base.Options) -> None:
        folder = source.parent if locations.is_file(source) else source
        self.files = [source] if locations.is_file(source) else _tars(source)
        if not self.files:
            raise CurationError(f"{source} holds no .tar file")
        self.options = options
        self.image_root = locations.resolve(options.image_root or folder)
        self._folder = locations.resolve(folder)

    @classmethod
    def recognizes(cls, source: Location) -> bool:
        if locations.is_file(source):
            return tars.is_tar(source)
        return locations.is_dir(source) and bool(_tars(source))

    def shards(self) -> Sequence[base.SourceShard]:
        mark = replace(self.options, shard_size=1).mark()
        shards = []
        for index, tar in enumerate(self.files):
            tars.refuse_compressed(tar)
            location.inside(self.image_root, self._image_file(tar))
            with locations.translate_errors(tar):
                stamps: list[object] = [self._image_file(tar), locations.change_stamp(tar)]
            beside = img2dataset.file_of(tar)
            if locations.is_file(beside, guessed=True):
                stamps.append(locations.change_stamp(beside))
            # How many samples there are is known once they are read.
            shards.append(base.SourceShard(index, tar, 0, 0, fingerprint(stamps, mark)))
        return shards

    def read(self, shard: base.SourceShard) -> base.ShardSamples:
        beside = img2dataset.beside(shard.path)
        skipped: list[base.Skipped] = []
        with locations.open_file(shard.path) as file:
            listing = tars.listing(shard.path, file)
            samples = _samples(listing.members)
            tar = _Tar(shard.path, file, listing.damage, beside)
            found = base.check(
                self._rows(tar, samples, skipped), self.image_root, self.options.captions_required
            )
        skipped += [*found.skipped, *img2dataset.lost(beside, samples.keys(), listing.damage)]
        if listing.damage and all(s.reason != listing.damage for s in skipped):
            skipped.append(base.Skipped(shard.path.name, listing.damage))
        return base.ShardSamples(found.samples, skipped)

    def _rows(
        self, tar: _Tar, samples: Mapping[str, Parts], skipped: list[base.Skipped]
    ) -> Iterator[base.Row]:
        for key, parts in samples.items():
            try:
                row = self._row(tar, key, parts)
            except CurationError as problem:
                skipped.append(base.Skipped(_where(tar.path, key), str(problem)))
                continue
            yield row

    def _row(self, tar: _Tar, key: str, parts: Parts) -> base.Row:
        _check_members(key, parts, tar.damage)
        image = self._image(parts)
        facts = {**img2dataset.facts(tar.beside.rows.get(key, {})), **tar.record(parts)}
        caption = self._caption(tar, parts, facts)
        uid = self._uid(tar, key, caption, facts)
        return base.Row(
            where=_where(tar.path, key),
            image=ImageRef(self._image_file(tar.path), image.offset, image.length),
            caption=caption,
            uid=uid,
            # The tar's own key, whatever the facts say: by it the sample is found again.
            extra={**facts, img2dataset.KEY: key},
        )

    def _image(self, parts: Parts) -> tars.Member:
        wanted = (self.options.image_column or "").lower().removeprefix(".")
        names = [n for n in parts if n == wanted or (not wanted and f".{n}" in decode.EXTENSIONS)]
        if not names:
            raise CurationError(f"no image: only {', '.join(parts)}")
        if len(names) > 1:
            raise CurationError(
                f"more than one image (--image-column picks one): {', '.join(names)}"
            )
        return parts[names[0]][0]

    def _caption(self, tar: _Tar, parts: Parts, facts: dict[str, object]) -> str | None:
        wanted = self.options.caption_column
        name = wanted or next((n for n in base.CAPTION_COLUMNS if n in facts), "caption")
        told = facts.pop(name, None)
        if "txt" in parts and not wanted:
            told = tar.text(parts["txt"][0])
        if told is None and self.options.captions_required:
            where = f"no {wanted!r} in .json or .parquet" if wanted else "no .txt, none in .json"
            raise CurationError(f"no caption: {where}")
        return None if told is None else str(told).strip()

    def _uid(self, tar: _Tar, key: str, caption: str | None, facts: dict[str, object]) -> str:
        wanted = self.options.uid_column
        told = facts.pop(wanted or "uid", None)
        if told is None and wanted:
            raise CurationError(f"no uid: no {wanted!r} in .json or .parquet")
        if told is not None:
            return str(told)
        # Keys and tars are dealt anew by each download of a list; its links and captions stay.
        url = facts.get("url")
        return uids.from_key(
            f"{url}\0{caption}" if url else f"{locations.base_name(tar.path)}\0{key}"
        )

    def _image_file(self, tar: Location) -> str:
        path = self._folder / tar.name
        name = locations.relative_name(path, self.image_root)
        if name is None:
            raise CurationError(f"{path} does not lie in the image root {self.image_root}")
        return name


@dataclass(frozen=True)
class _Tar:
    """A tar that is being read."""

    path: Location
    file: BinaryIO
    damage: str | None
    beside: img2dataset.Beside

    def text(self, member: tars.Member) -> str:
        try:
            return self._bytes(member).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise CurationError("the caption is not UTF-8") from None

    def record(self, parts: Parts) -> dict[str, object]:
        """What a sample's ``.json`` says, if it has one."""
        if "json" not in parts:
            return {}
        try:
            record = json.loads(self._bytes(parts["json"][0]))
        except json.JSONDecodeError as error:
            raise CurationError(f"its .json is not JSON ({error.msg})") from None
        except (UnicodeDecodeError, RecursionError):
            record = None
        except ValueError:
            raise CurationError("its .json holds a number too long to be read") from None
        if not isinstance(record, dict) or not base.is_text(record):
            raise CurationError("its .json is not a JSON object of UTF-8 text")
        return img2dataset.facts(record)

    def _bytes(self, member: tars.Member) -> bytes:
        self.file.seek(member.offset)
        return self.file.read(member.length)


def _tars(folder: Location) -> list[Location]:
    """The tars of a folder, in the order of their names."""
    return locations.list_files(folder, tars.is_tar)


def _samples(members: Iterable[tars.Member]) -> dict[str, dict[str, list[tars.Member]]]:
    """The members of each key, by their extension in small letters, in the order of the tar."""
    samples: dict[str, dict[str, list[tars.Member]]] = {}
    for member in members:
        name = member.name.removeprefix("./")
        match = _NAME.match(name)
        if match and not _RESERVED.match(name):
            parts = samples.setdefault(match[1], {})
            parts.setdefault(match[2].lower(), []).append(member)
    return samples


def _check_members(key: str, parts: Parts, damage: str | None) -> None:
    members = [member for same in parts.values() for member in same]
    if not base.is_text([key, *parts]):
        raise CurationError("the member's name is not UTF-8")
    if key.startswith("/") or ".." in key.split("/"):
        # Nothing is unpacked here, but whoever unpacks such a tar overwrites files of theirs.
        raise CurationError(f"the member's name leads out of the tar: {key}")
    if any(member.is_cut for member in members):
        raise CurationError(damage or "the tar ends early")
    for member in members:
        if not member.is_file:
            raise CurationError(f"a link, or no file at all: {member.name}")
    for extension, same in parts.items():
        if len(same) > 1:
            raise CurationError(f"more than one sample with this key: {len(same)} .{extension}")


def _where(tar: Location, key: str) -> str:
    return f"{tar.name} {key}".encode("utf-8", "replace").decode()
