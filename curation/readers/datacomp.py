"""DataComp's metadata: pairs of a ``.parquet`` of captions and a ``.npz`` of CLIP embeddings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation import places, uids
from curation.errors import CurationError
from curation.files import fingerprint
from curation.matrices import Matrix, members
from curation.places import Place
from curation.readers import base, rows

# DataComp's own names (l14_img, l14_txt), and dataset2metadata's (oai-clip-vit-l14-image, …-text).
_PAIRS = (("_img", "_txt"), ("-image", "-text"))
_PREFERRED = "l14"


class DatacompReader:
    """Metadata as DataComp publishes it and dataset2metadata writes it; images are only URLs.

    A pair of files is one shard. Every row is a sample, aligned with its embeddings.
    """

    name = "datacomp"
    description = "DataComp metadata, <name>.parquet with <name>.npz beside"

    def __init__(self, source: Place, options: base.Options) -> None:
        self.files = pairs(source)
        if not self.files:
            raise CurationError(f"{source} holds no .parquet with a .npz of that name beside it")
        self.options = options
        self.image_root = places.resolved(options.image_root or self.files[0].parent)
        self._columns = _feature_columns(self.files[0].with_suffix(".npz"), options.features)
        # As a folder's name: l14, oai_clip_vit_l14.
        stem = self._columns[0].removesuffix("_img").removesuffix("-image")
        self.features = re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")

    @classmethod
    def recognises(cls, source: Place) -> bool:
        return bool(pairs(source))

    def shards(self) -> Sequence[base.SourceShard]:
        return [
            base.SourceShard(
                index, file, 0, rows.group_starts(file)[-1],
                fingerprint(places.stamp(file), places.stamp(file.with_suffix(".npz")),
                            self.options.caption_column, self.options.uid_column),
            )
            for index, file in enumerate(self.files)
        ]  # fmt: skip

    def embeddings(self, shard: base.SourceShard) -> Mapping[str, Matrix]:
        file = shard.path.with_suffix(".npz")
        return {
            side: Matrix(places.resolved(file), member)
            for side, member in zip(("image", "text"), self._columns, strict=True)
        }

    def read(self, shard: base.SourceShard) -> base.ShardSamples:
        with rows.reading(shard.path) as file:
            parquet = pq.ParquetFile(file)
            # Boxes of faces and the like are of no column type that every format can hold.
            plain = [f.name for f in parquet.schema_arrow if not pa.types.is_nested(f.type)]
            table = parquet.read(columns=plain)
        uid = _pick(table, self.options.uid_column, ("uid",), shard.path)
        caption = _pick(table, self.options.caption_column, base.CAPTION_COLUMNS, shard.path)
        try:
            uids.to_words(table.column(uid).cast(pa.string()))
        except ValueError as error:
            raise CurationError(f"{shard.path}, column {uid}: {error}") from None
        nothing = {f.name: pa.nulls(len(table), f.type) for f in base.SAMPLE_FIELDS}
        known = nothing | {
            "uid": pc.utf8_lower(table.column(uid).cast(pa.string())),
            "caption": pc.fill_null(
                pc.utf8_trim_whitespace(table.column(caption).cast(pa.string())), ""
            ),
        }
        for side in ("width", "height"):
            if f"original_{side}" in plain:
                known[side] = table.column(f"original_{side}").cast(pa.int32(), safe=False)
        rest = [name for name in plain if name not in (uid, caption)]
        if base.URL in rest:
            rest.remove(base.URL)
            known[base.URL] = table.column(base.URL).cast(pa.string())
        free = base.distinct([base.source_name(name) for name in rest], base.SAMPLE_COLUMNS)
        known |= {new: table.column(old) for new, old in zip(free, rest, strict=True)}
        return base.ShardSamples(pa.table(known), [])


def pairs(source: Place) -> list[Place]:
    """The ``.parquet`` files that have their ``.npz`` beside them."""
    if source.is_file():
        files = [source] if source.suffix == ".parquet" else []
    else:
        files = places.files_of(source, {".parquet"}) if source.is_dir() else []
    return [file for file in files if file.with_suffix(".npz").is_file()]


def _feature_columns(file: Place, wanted: str | None) -> tuple[str, str]:
    """The members of the images' and of the captions' embeddings.

    Raises:
        CurationError: there are none, or several and none is named; lists those there are.
    """
    there = members(file)
    known = {
        name.removesuffix(image): (name, name.removesuffix(image) + text)
        for image, text in _PAIRS
        for name in there
        if name.endswith(image) and name.removesuffix(image) + text in there
    }
    listed = ", ".join(known) or "none"
    if not known:
        raise CurationError(
            f"{file} holds no embeddings of images and captions by names known here "
            f"(l14_img with l14_txt, …-image with …-text); it holds {', '.join(there)}"
        )
    chosen = wanted or (_PREFERRED if _PREFERRED in known else next(iter(known)))
    if chosen not in known or (wanted is None and len(known) > 1 and chosen != _PREFERRED):
        raise CurationError(f"{file} holds the features {listed}: name one with --features")
    return known[chosen]


def _pick(table: pa.Table, wanted: str | None, guesses: Sequence[str], file: Place) -> str:
    for name in [wanted] if wanted else guesses:
        if name in table.column_names:
            return str(name)
    sought = wanted or " or ".join(guesses)
    raise CurationError(f"{file} has no column {sought}; it has {', '.join(table.column_names)}")
