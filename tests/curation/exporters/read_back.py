"""What an export holds, read by others' libraries."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from curation import uids


def rows(format: str, path: Path) -> list[dict[str, Any]]:
    """The rows of an export in any format but those of uids alone."""
    if format == "csv":
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    if format in ("jsonl", "imagefolder"):
        file = path if format == "jsonl" else path / "metadata.jsonl"
        return [strict_json(line) for line in file.read_bytes().splitlines()]
    if format == "webdataset":
        members = [m for tar in sorted(path.glob("*.tar")) for m in tar_members(tar).items()]
        return [strict_json(held) for name, held in members if name.endswith(".json")]
    files = sorted((path / "data").glob("*")) if format == "huggingface" else [path]
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def uids_of(format: str, path: Path) -> list[str]:
    """The uids in the order of the export."""
    if format == "datacomp":
        return uids.to_hex(np.load(path).view("u8").reshape(-1, 2)).to_pylist()
    if format == "txt":
        return path.read_text().splitlines()
    return [row["uid"] for row in rows(format, path)]


def strict_json(text: str | bytes) -> Any:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


def tar_members(path: Path) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(path.read_bytes())) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}
