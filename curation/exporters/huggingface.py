"""A dataset as the Hugging Face hub holds it: Parquet with the images in it, and a card."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curation.catalog.catalog import Catalog
from curation.exporters import dataset_card, with_images
from curation.exporters.base import ColumnChoice, LeftOut, Look, Order
from curation.exporters.with_images import Sample

IMAGE = "image"
# Rows that a reader has in memory at least: as 🤗 datasets writes images.
ROW_GROUP = 100
# A row group is in memory several times over while it is written.
_GROUP_BYTES = 1 << 25

_IMAGE_TYPE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
# Where 🤗 datasets calls a type otherwise than Arrow.
_DTYPES = {"float": "float32", "double": "float64", "date32[day]": "date32"}


class HuggingfaceExporter:
    name = "huggingface"
    extension = ""
    title = "Hugging Face dataset"
    description = "a folder of .parquet files with the images in them and a dataset card"
    takes_columns: ColumnChoice = "any"
    takes_shard_size = True
    sorts = False
    uid_bytes: int | None = None

    def default_columns(self, catalog: Catalog) -> list[str]:
        return with_images.default_columns(catalog)

    def write(self, order: Order, path: Path) -> Sequence[LeftOut]:
        data = path / "data"
        data.mkdir(parents=True)
        names = with_images.own_names(order.columns, taken=(IMAGE,))
        samples = with_images.Samples(order, names)
        schema = _schema(samples.schema)
        files: list[Path] = []
        for number, shard in enumerate(with_images.shards(samples, order.shard_size)):
            files.append(data / f"{number:05d}.parquet")
            _write_parquet(files[-1], shard, schema)
        for number, file in enumerate(files):
            file.rename(data / f"train-{number:05d}-of-{len(files):05d}.parquet")
        card = dataset_card.card(order.catalog, order.selection, samples.left_out)
        (path / "README.md").write_text(card, encoding="utf-8")
        return samples.left_out

    def look(self, path: Path) -> Look:
        first = min((path / "data").iterdir())
        rows = pq.read_table(first).to_pylist()
        return Look(rows=tuple(row | {IMAGE: row[IMAGE]["bytes"]} for row in rows), image=IMAGE)


def _write_parquet(path: Path, shard: Iterator[Sample], schema: pa.Schema) -> None:
    # An image is no word that comes again: a dictionary of them would only be thrown away.
    words = [name for name in schema.names if name != IMAGE]
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=words) as writer:
        while group := _group(shard):
            images = [{"bytes": s.image, "path": f"{s.uid}.{s.extension}"} for s in group]
            table = pa.Table.from_batches([sample.row for sample in group])
            table = table.add_column(0, IMAGE, pa.array(images, _IMAGE_TYPE))
            writer.write_table(table.cast(schema))


def _group(shard: Iterator[Sample]) -> list[Sample]:
    """The next row group: ROW_GROUP samples, or fewer of large images."""
    group: list[Sample] = []
    size = 0
    for sample in islice(shard, ROW_GROUP):
        group.append(sample)
        size += len(sample.image)
        if size >= _GROUP_BYTES:
            break
    return group


def _schema(columns: pa.Schema) -> pa.Schema:
    """The image, then the columns, and what 🤗 datasets is to make of each."""
    schema = pa.schema([(IMAGE, _IMAGE_TYPE), *columns])
    features = {field.name: _value(field.type) for field in columns}
    told = {"info": {"features": {IMAGE: {"_type": "Image"}, **features}}}
    return schema.with_metadata({"huggingface": json.dumps(told)})


def _value(type_: pa.DataType) -> dict[str, str]:
    return {"dtype": _DTYPES.get(str(type_), str(type_)), "_type": "Value"}
