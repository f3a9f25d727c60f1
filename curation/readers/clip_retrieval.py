"""What clip-retrieval leaves: parts of CLIP embeddings, each with a table of what they are of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from curation import uids
from curation.errors import CurationError
from curation.readers import base
from curation.readers.shared import aligned_tables, arrow_text, rows
from curation.storage import locations
from curation.storage.atomic import fingerprint
from curation.storage.locations import Location
from curation.storage.matrices import Matrix

_FEATURES = "clip"
_METADATA = "metadata"
_SIDES = {"image": "img_emb", "text": "text_emb"}
_PATH = "image_path"


@dataclass(frozen=True)
class _Part:
    metadata: Location
    embeddings: Mapping[str, Location]


class ClipRetrievalReader:
    """A folder as ``clip-retrieval inference`` writes it; images are paths, keys of tars or URLs.

    A part is one shard. Every row is a sample, aligned with its embeddings. An image is one only
    where its full path lies below the image root; none is opened.
    """

    name = "clip_retrieval"
    description = "clip-retrieval's output, img_emb/, text_emb/ and metadata/ with parts by number"

    def __init__(self, source: Location, options: base.Options) -> None:
        self.options = options
        self.image_root = locations.resolve(options.image_root or source)
        self.features = aligned_tables.features(options.features or "") or _FEATURES
        self._parts = {part.metadata: part for part in _parts(source)}

    @classmethod
    def recognizes(cls, source: Location) -> bool:
        if not locations.is_dir(source) or not locations.is_dir(source / _METADATA):
            return False
        return any(locations.is_dir(source / folder) for folder in _SIDES.values())

    def shards(self) -> Sequence[base.SourceShard]:
        columns = (self.options.caption_column, self.options.uid_column)
        shards = []
        for index, part in enumerate(self._parts.values()):
            files = (part.metadata, *part.embeddings.values())
            # The root too: it decides what is an image.
            mark = fingerprint(*map(locations.change_stamp, files), *columns, str(self.image_root))
            total = rows.group_starts(part.metadata)[-1]
            shards.append(base.SourceShard(index, part.metadata, 0, total, mark))
        return shards

    def embeddings(self, shard: base.SourceShard) -> Mapping[str, Matrix]:
        files = self._parts[shard.path].embeddings
        return {side: Matrix(locations.resolve(file)) for side, file in files.items()}

    def read(self, shard: base.SourceShard) -> base.ShardSamples:
        self._check_lengths(shard)
        table = aligned_tables.table(shard.path)
        caption = aligned_tables.pick(
            table, self.options.caption_column, base.CAPTION_COLUMNS, shard.path
        )
        known = {"caption": aligned_tables.text(table.column(caption))}
        known |= aligned_tables.sides(table, ("", "original_"))
        if path := aligned_tables.called(table, _PATH):
            known["image_file"] = self._image_files(table.column(path))
        used = [caption]
        if self.options.uid_column or aligned_tables.called(table, "uid"):
            name = aligned_tables.pick(table, self.options.uid_column, ("uid",), shard.path)
            known["uid"] = aligned_tables.uid(table.column(name), name, shard.path)
            used.append(name)
        else:
            known["uid"] = _made_uids(table, known["caption"])
        return aligned_tables.samples(table, known, used)

    def _check_lengths(self, shard: base.SourceShard) -> None:
        for place in self.embeddings(shard).values():
            # A remote matrix is fetched once: when it is taken up.
            if locations.is_local(place.file) and (count := len(place.open())) != shard.stop:
                raise CurationError(
                    f"{place.file} holds {count} embeddings where {shard.path} has {shard.stop} "
                    "rows: they are not of the same run of clip-retrieval"
                )

    def _image_files(self, paths: pa.ChunkedArray) -> pa.ChunkedArray:
        """The names below the image root of what lies there; NULL of what does not."""
        root = self.image_root.as_posix().rstrip("/") + "/"
        paths = arrow_text.text(paths)
        names = pc.utf8_slice_codeunits(paths, len(root))
        return pc.if_else(pc.starts_with(paths, root), names, pa.scalar(None, pa.string()))


def _parts(source: Location) -> Iterator[_Part]:
    """The parts by their numbers.

    Raises:
        CurationError: one side has none, or lacks a part that another has.
    """
    metadata = _numbered(source, _METADATA, ".parquet")
    sides = {side: _numbered(source, folder, ".npy") for side, folder in _SIDES.items()}
    for side, files in sides.items():
        if not files:
            raise CurationError(
                f"{source} holds no embeddings of {side}s ({_SIDES[side]}/{_SIDES[side]}_0.npy): "
                f"run clip-retrieval inference with --enable_image True --enable_text True"
            )
    for number in sorted(metadata.keys() | {n for files in sides.values() for n in files}):
        there = {_METADATA: metadata} | {_SIDES[side]: files for side, files in sides.items()}
        for folder, files in there.items():
            if number not in files:
                others = ", ".join(f[number].name for f in there.values() if number in f)
                raise CurationError(
                    f"{source / folder} lacks part {number}, of which there is {others}: fetch "
                    "or make it again, or take away the rest of that part"
                )
        yield _Part(metadata[number], {side: files[number] for side, files in sides.items()})


def _numbered(source: Location, folder: str, extension: str) -> dict[int, Location]:
    """The files ``<folder>/<folder>_<number>``, by their number."""
    if not locations.is_dir(source / folder):
        return {}
    name = re.compile(rf"{folder}_(\d+){re.escape(extension)}")
    found: dict[int, Location] = {}
    for file in locations.list_files(source / folder, lambda file: bool(name.fullmatch(file.name))):
        match = name.fullmatch(file.name)
        number = int(match[1]) if match else -1
        if number in found:
            raise CurationError(
                f"{source / folder} holds part {number} twice, {found[number].name} and "
                f"{file.name}: take away those of the other run"
            )
        found[number] = file
    return found


def _made_uids(table: pa.Table, captions: pa.ChunkedArray) -> pa.ChunkedArray:
    """A pair's uid by its address, or its path, and its caption: a pair that is repeated is one."""
    there = [own for name in (base.URL, _PATH) if (own := aligned_tables.called(table, name))]
    named = [arrow_text.text(table.column(own)).to_pylist() for own in there]
    texts = captions.to_pylist()
    firsts = (next(filter(None, names), "") for names in zip(*named, strict=True))
    found = [
        uids.from_key(f"{first}\0{caption}")
        for first, caption in zip(firsts if named else [""] * len(texts), texts, strict=True)
    ]
    return pa.chunked_array([found], pa.string())
