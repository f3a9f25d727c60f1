"""Hugging Face dataset: Parquet files that contain the images, and a dataset card."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curation.catalog.catalog import Catalog
from curation.exporters import dataset_card, with_images
from curation.exporters.base import ColumnChoice, ExportRequest, LeftOut, Preview
from curation.exporters.with_images import Sample

IMAGE = "image"
# Rows a row group, the least that a reader loads at once; the same as 🤗 datasets uses for images.
ROW_GROUP = 100
# Largest row group in bytes, because writing one needs several times its size in memory.
_GROUP_BYTES = 1 << 25

_IMAGE_TYPE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
# Types whose name in 🤗 datasets differs from that in Arrow.
_DTYPES = {"float": "float32", "double": "float64", "date32[day]": "date32"}


class HuggingfaceExporter:
    name = "huggingface"
    extension = ""
    title = "Hugging Face dataset"
    description = "a folder of .parquet files that contain the images, with a dataset card"
    takes_columns: ColumnChoice = "any"
    takes_shard_size = True
    sorts_by_uid = False
    bytes_per_uid: int | None = None

    def default_columns(self, catalog: Catalog) -> list[str]:
        return with_images.default_columns(catalog)

    def write(self, request: ExportRequest, path: Path) -> Sequence[LeftOut]:
        data = path / "data"
        data.mkdir(parents=True)
        names = with_images.export_names(request.columns, taken=(IMAGE,))
        samples = with_images.Samples(request, names)
        schema = _schema(samples.schema)
        files: list[Path] = []
        for number, shard in enumerate(with_images.shards(samples, request.shard_size)):
            files.append(data / f"{number:05d}.parquet")
            _write_parquet(files[-1], shard, schema)
        for number, file in enumerate(files):
            file.rename(data / f"train-{number:05d}-of-{len(files):05d}.parquet")
        card = dataset_card.card(request.catalog, request.selection, samples.left_out)
        (path / "README.md").write_text(card, encoding="utf-8")
        return samples.left_out

    def preview(self, path: Path) -> Preview:
        first = min((path / "data").iterdir())
        rows = pq.read_table(first).to_pylist()
        return Preview(rows=tuple(row | {IMAGE: row[IMAGE]["bytes"]} for row in rows), image=IMAGE)


def _write_parquet(path: Path, shard: Iterator[Sample], schema: pa.Schema) -> None:
    # Images hardly repeat, so a dictionary of them only costs time.
    repeating = [name for name in schema.names if name != IMAGE]
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=repeating) as writer:
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
    """The schema of the files, with the features of 🤗 datasets as metadata."""
    schema = pa.schema([(IMAGE, _IMAGE_TYPE), *columns])
    features = {field.name: _feature(field.type) for field in columns}
    metadata = {"info": {"features": {IMAGE: {"_type": "Image"}, **features}}}
    return schema.with_metadata({"huggingface": json.dumps(metadata)})


def _feature(type_: pa.DataType) -> dict[str, str]:
    return {"dtype": _DTYPES.get(str(type_), str(type_)), "_type": "Value"}
