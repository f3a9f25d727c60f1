"""A folder of images with ``metadata.jsonl``: the imagefolder convention of 🤗 datasets."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from curation.catalog.catalog import Catalog
from curation.exporters import with_images
from curation.exporters.base import ColumnChoice, LeftOut, Look, Order

# A column so called would be taken for the name of one more image.
_FILE_NAME = re.compile(r"(^|_)file_name(s?)\Z")


class ImagefolderExporter:
    name = "imagefolder"
    extension = ""
    title = "Image folder"
    description = "a folder of image files with a metadata.jsonl, as 🤗 datasets reads it"
    takes_columns: ColumnChoice = "any"
    takes_shard_size = False
    sorts = False
    uid_bytes: int | None = None

    def default_columns(self, catalog: Catalog) -> list[str]:
        return with_images.default_columns(catalog)

    def write(self, order: Order, path: Path) -> Sequence[LeftOut]:
        (path / "images").mkdir(parents=True)
        names = [_FILE_NAME.sub(r"\1filename\2", name) for name in order.columns]
        samples = with_images.Samples(order, with_images.own_names(names, taken=("image",)))
        last, times = "", 0
        with (path / "metadata.jsonl").open("w", encoding="utf-8", newline="\n") as file:
            for sample in samples:
                # Repeats of a sample follow each other.
                times = times + 1 if sample.uid == last else 1
                last = sample.uid
                again = f"-{times}" if times > 1 else ""
                name = f"images/{last[:2]}/{last}{again}.{sample.extension}"
                (path / name).parent.mkdir(exist_ok=True)
                (path / name).write_bytes(sample.image)
                record = {"file_name": name, **sample.record}
                file.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
        return samples.left_out

    def look(self, path: Path) -> Look:
        text = (path / "metadata.jsonl").read_text(encoding="utf-8")
        lines = text.removesuffix("\n").split("\n")
        names = [json.loads(line)["file_name"] for line in lines]
        return Look(
            rows=tuple(
                {"image": (path / name).read_bytes(), "file": name, "metadata.jsonl": line}
                for name, line in zip(names, lines, strict=True)
            ),
            image="image",
        )
