"""Tars of samples, as img2dataset and the webdataset library write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from curation import uids
from curation.errors import CurationError
from curation.images import decode, location
from curation.images.location import ImageRef
from curation.readers import base
from curation.readers.shared import arrow_text, img2dataset
from curation.readers.shared.check_rows import check_rows
from curation.readers.shared.json_object import parse_object
from curation.readers.webdataset import tars
from curation.storage import locations
from curation.storage.atomic import fingerprint
from curation.storage.locations import Location

# As in the webdataset library: a key ends at the first dot of the file's name, and names such as
# `__meta__` are reserved.
_NAME = re.compile(r"((?:.*/)?[^./]+)\.([^/]*)\Z", re.DOTALL)
_RESERVED = re.compile(r"__[^/]*__(\Z|/)")

# A sample's members by extension; a correct tar has one for each.
Parts = Mapping[str, Sequence[tars.Member]]


class WebdatasetReader:
    """Reads tars in which members with the same key are one sample.

    A sample is ``<key>.jpg`` (or another image), ``<key>.txt`` and ``<key>.json``. The caption is
    the ``.txt``, or the ``caption`` in the ``.json``. The other values in the ``.json`` are kept,
    and so are the columns of a ``.parquet`` of the tar's name, joined by ``key``. Images are read
    where they are in the tar. A tar is one shard, whatever ``shard_size`` is.

    Skipped are samples without an image or caption, or with a damaged one, and rows of the
    ``.parquet`` whose sample is not in the tar.
    """

    name = "webdataset"
    description = ".tar files with <key>.jpg and <key>.txt or .json, one or a folder of them"

    def __init__(self, source: Location, options: base.Options) -> None:
        folder = source.parent if locations.is_file(source) else source
        self.files = [source] if locations.is_file(source) else _tar_files(source)
        if not self.files:
            raise CurationError(f"{source} holds no .tar file")
        self.options = options
        self.image_root = locations.resolve(options.image_root or folder)
        self._folder = locations.resolve(folder)

    @classmethod
    def recognizes(cls, source: Location) -> bool:
        if locations.is_file(source):
            return tars.is_tar(source)
        return locations.is_dir(source) and bool(_tar_files(source))

    def shards(self) -> Sequence[base.SourceShard]:
        options = replace(self.options, shard_size=1).fingerprint_values()
        shards = []
        for index, tar in enumerate(self.files):
            tars.refuse_compressed(tar)
            location.inside(self.image_root, self._image_file(tar))
            with locations.translate_errors(tar):
                stamps: list[object] = [self._image_file(tar), locations.change_stamp(tar)]
            table = img2dataset.table_path(tar)
            if locations.is_file(table, guessed=True):
                stamps.append(locations.change_stamp(table))
            # The number of samples is unknown until the tar is read.
            shards.append(base.SourceShard(index, tar, 0, 0, fingerprint(stamps, options)))
        return shards

    def read(self, shard: base.SourceShard) -> base.ShardSamples:
        table = img2dataset.read_tar_table(shard.path)
        skipped: list[base.Skipped] = []
        with locations.open_file(shard.path) as file:
            listing = tars.list_members(shard.path, file)
            samples = _group_by_key(listing.members)
            tar = _Tar(shard.path, file, listing.damage, table)
            checked = check_rows(
                self._rows(tar, samples, skipped), self.image_root, self.options.captions_required
            )
        skipped += checked.skipped
        skipped += img2dataset.missing_samples(table, samples.keys(), listing.damage)
        if listing.damage and all(s.reason != listing.damage for s in skipped):
            skipped.append(base.Skipped(shard.path.name, listing.damage))
        return base.ShardSamples(checked.samples, skipped)

    def _rows(
        self, tar: _Tar, samples: Mapping[str, Parts], skipped: list[base.Skipped]
    ) -> Iterator[base.Row]:
        """The rows of a tar; appends what is not a row to ``skipped``."""
        for key, parts in samples.items():
            try:
                yield self._row(tar, key, parts)
            except CurationError as problem:
                skipped.append(base.Skipped(_where(tar.path, key), str(problem)))

    def _row(self, tar: _Tar, key: str, parts: Parts) -> base.Row:
        _check_members(key, parts, tar.damage)
        image = self._image(parts)
        columns = img2dataset.source_columns(tar.table.rows.get(key, {})) | tar.record(parts)
        caption = self._take_caption(tar, parts, columns)
        uid = self._take_uid(tar, key, caption, columns)
        return base.Row(
            where=_where(tar.path, key),
            image=ImageRef(self._image_file(tar.path), image.offset, image.length),
            caption=caption,
            uid=uid,
            # The tar's key finds the sample again, so a `key` in the record must not replace it.
            extra={**columns, img2dataset.KEY: key},
        )

    def _image(self, parts: Parts) -> tars.Member:
        wanted = (self.options.image_column or "").lower().removeprefix(".")
        names = [n for n in parts if n == wanted or (not wanted and f".{n}" in decode.EXTENSIONS)]
        if not names:
            raise CurationError(f"no image: only {', '.join(parts)}")
        if len(names) > 1:
            raise CurationError(
                f"more than one image (choose one with --image-column): {', '.join(names)}"
            )
        return parts[names[0]][0]

    def _take_caption(self, tar: _Tar, parts: Parts, columns: dict[str, object]) -> str | None:
        """The caption, which is removed from ``columns``."""
        wanted = self.options.caption_column
        name = wanted or next((n for n in base.CAPTION_COLUMNS if n in columns), "caption")
        caption = columns.pop(name, None)
        if "txt" in parts and not wanted:
            caption = tar.text(parts["txt"][0])
        if caption is None and self.options.captions_required:
            missing = f"no {wanted!r} in .json or .parquet" if wanted else "none in .txt or .json"
            raise CurationError(f"no caption: {missing}")
        return None if caption is None else str(caption).strip()

    def _take_uid(
        self, tar: _Tar, key: str, caption: str | None, columns: dict[str, object]
    ) -> str:
        """The uid, which is removed from ``columns``, or a new one."""
        wanted = self.options.uid_column
        uid = columns.pop(wanted or "uid", None)
        if uid is None and wanted:
            raise CurationError(f"no uid: no {wanted!r} in .json or .parquet")
        if uid is not None:
            return str(uid)
        # Every download of a list assigns other keys and tars; URLs and captions stay the same.
        url = columns.get("url")
        return uids.from_key(
            f"{url}\0{caption}" if url else f"{locations.base_name(tar.path)}\0{key}"
        )

    def _image_file(self, tar: Location) -> str:
        """The ``image_file`` of a tar's samples.

        Raises:
            CurationError: the tar is not below the image root.
        """
        path = self._folder / tar.name
        name = locations.relative_name(path, self.image_root)
        if name is None:
            raise CurationError(
                f"{path} is outside the image root {self.image_root}: change --image-root"
            )
        return name


@dataclass(frozen=True)
class _Tar:
    """A tar that is being read.

    Attributes:
        damage: what is wrong with it, if anything.
        table: img2dataset's table of the tar.
    """

    path: Location
    file: BinaryIO
    damage: str | None
    table: img2dataset.TarTable

    def text(self, member: tars.Member) -> str:
        try:
            return self._bytes(member).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise CurationError("caption is not UTF-8") from None

    def record(self, parts: Parts) -> dict[str, object]:
        """The values in a sample's ``.json``, if it has one."""
        if "json" not in parts:
            return {}
        try:
            record = parse_object(self._bytes(parts["json"][0]))
        except CurationError as problem:
            raise CurationError(f".json file is not usable: {problem}") from None
        return img2dataset.source_columns(record)

    def _bytes(self, member: tars.Member) -> bytes:
        self.file.seek(member.offset)
        return self.file.read(member.length)


def _tar_files(folder: Location) -> list[Location]:
    """The tars of a folder, sorted by name."""
    return locations.list_files(folder, tars.is_tar)


def _group_by_key(members: Iterable[tars.Member]) -> dict[str, dict[str, list[tars.Member]]]:
    """The members of each key, by extension in lower case, in the order of the tar."""
    samples: dict[str, dict[str, list[tars.Member]]] = {}
    for member in members:
        name = member.name.removeprefix("./")
        match = _NAME.match(name)
        if match and not _RESERVED.match(name):
            parts = samples.setdefault(match[1], {})
            parts.setdefault(match[2].lower(), []).append(member)
    return samples


def _check_members(key: str, parts: Parts, damage: str | None) -> None:
    """Raises:
    CurationError: the sample cannot be used; the message is the reason for skipping it.
    """
    members = [member for same in parts.values() for member in same]
    if not arrow_text.is_utf8([key, *parts]):
        raise CurationError("member name is not UTF-8")
    if key.startswith("/") or ".." in key.split("/"):
        # Harmless here, but an export of this key could overwrite files when it is unpacked.
        raise CurationError(f"member name points outside the tar: {key}")
    if any(member.is_cut for member in members):
        raise CurationError(damage or tars.TRUNCATED)
    for member in members:
        if not member.is_file:
            raise CurationError(f"not a regular file: {member.name}")
    for extension, same in parts.items():
        if len(same) > 1:
            raise CurationError(f"more than one sample has this key: {len(same)} .{extension}")


def _where(tar: Location, key: str) -> str:
    return f"{tar.name} {key}".encode("utf-8", "replace").decode()
