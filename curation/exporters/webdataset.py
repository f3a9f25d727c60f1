"""WebDataset: tars of images, captions and columns, laid out as img2dataset's."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.catalog.catalog import Catalog
from curation.exporters import with_images
from curation.exporters.base import ColumnChoice, ExportRequest, LeftOut, Preview
from curation.exporters.with_images import Sample
from curation.readers.shared.img2dataset import ERROR, KEY, STATUS


class WebdatasetExporter:
    name = "webdataset"
    extension = ""
    title = "WebDataset"
    description = "a folder of .tar files with images, captions and the chosen columns"
    takes_columns: ColumnChoice = "any"
    takes_shard_size = True
    sorts_by_uid = False
    bytes_per_uid: int | None = None

    def default_columns(self, catalog: Catalog) -> list[str]:
        return with_images.default_columns(catalog)

    def write(self, request: ExportRequest, path: Path) -> Sequence[LeftOut]:
        path.mkdir()
        names = with_images.export_names(request.columns, taken=(KEY, STATUS, ERROR))
        samples = with_images.Samples(request, names)
        digits = max(4, len(str(request.shard_size - 1)))
        for number, shard in enumerate(with_images.shards(samples, request.shard_size)):
            stem = f"{number:05d}"
            keyed = ((f"{stem}{index:0{digits}d}", sample) for index, sample in enumerate(shard))
            table = _write_tar(path / f"{stem}.tar", keyed, samples.schema)
            pq.write_table(table, path / f"{stem}.parquet", compression="zstd")
        return samples.left_out

    def preview(self, path: Path) -> Preview:
        rows: dict[str, dict[str, Any]] = {}
        first = min(path.glob("*.tar"))
        with tarfile.open(first) as tar:
            for member in tar:
                file = tar.extractfile(member)
                key, _, extension = member.name.partition(".")
                data = file.read() if file else b""
                row = rows.setdefault(key, {})
                if extension in ("txt", "json"):
                    row[f".{extension}"] = data.decode()
                else:
                    row |= {"image": data, f"in {first.name}": member.name}
        return Preview(rows=tuple(rows.values()), image="image")


def _write_tar(path: Path, keyed: Iterator[tuple[str, Sample]], schema: pa.Schema) -> pa.Table:
    """Write samples, each with its key, to a tar; return the table for the .parquet next to it."""
    keys: list[str] = []
    rows: list[pa.RecordBatch] = []
    with tarfile.open(path, "w") as tar:
        for key, sample in keyed:
            record = json.dumps({KEY: key, **sample.record}, ensure_ascii=False, allow_nan=False)
            _add(tar, f"{key}.{sample.extension}", sample.image)
            _add(tar, f"{key}.txt", sample.caption.encode())
            _add(tar, f"{key}.json", record.encode())
            # Free the headers that the tar collects. (typeshed lacks the attribute.)
            tar.members.clear()  # type: ignore[attr-defined]
            keys.append(key)
            rows.append(sample.row)
    table = pa.Table.from_batches(rows, schema)
    missing = pa.nulls(len(keys), pa.string())
    for name, column in ((ERROR, missing), (STATUS, ["success"] * len(keys)), (KEY, keys)):
        table = table.add_column(0, name, pa.array(column, pa.string()))
    return table.combine_chunks()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    # Without time and owner, so that the same selection gives the same bytes.
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
