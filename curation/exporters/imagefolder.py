"""Image folder: image files and a ``metadata.jsonl``, as the imagefolder format of 🤗 datasets."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from curation.catalog.catalog import Catalog
from curation.exporters import with_images
from curation.exporters.base import ColumnChoice, ExportRequest, LeftOut, Preview

# 🤗 datasets takes a column with such a name for paths of more images.
_FILE_NAME = re.compile(r"(^|_)file_name(s?)\Z")


class ImagefolderExporter:
    name = "imagefolder"
    extension = ""
    title = "Image folder"
    description = "a folder of image files with a metadata.jsonl, as 🤗 datasets reads it"
    takes_columns: ColumnChoice = "any"
    takes_shard_size = False
    sorts_by_uid = False
    bytes_per_uid: int | None = None

    def default_columns(self, catalog: Catalog) -> list[str]:
        return with_images.default_columns(catalog)

    def write(self, request: ExportRequest, path: Path) -> Sequence[LeftOut]:
        (path / "images").mkdir(parents=True)
        names = [_FILE_NAME.sub(r"\1filename\2", name) for name in request.columns]
        samples = with_images.Samples(request, with_images.export_names(names, taken=("image",)))
        last_uid, copy = "", 0
        with (path / "metadata.jsonl").open("w", encoding="utf-8", newline="\n") as file:
            for sample in samples:
                # Copies of a sample follow each other.
                copy = copy + 1 if sample.uid == last_uid else 1
                last_uid = sample.uid
                stem = sample.uid if copy == 1 else f"{sample.uid}-{copy}"
                name = f"images/{sample.uid[:2]}/{stem}.{sample.extension}"
                (path / name).parent.mkdir(exist_ok=True)
                (path / name).write_bytes(sample.image)
                record = {"file_name": name, **sample.record}
                file.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
        return samples.left_out

    def preview(self, path: Path) -> Preview:
        text = (path / "metadata.jsonl").read_text(encoding="utf-8")
        lines = text.removesuffix("\n").split("\n")
        names = [json.loads(line)["file_name"] for line in lines]
        return Preview(
            rows=tuple(
                {"image": (path / name).read_bytes(), "file": name, "metadata.jsonl": line}
                for name, line in zip(names, lines, strict=True)
            ),
            image="image",
        )
