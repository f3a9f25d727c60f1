"""Write embeddings as `clip-retrieval inference` does; run by the producers' Python.

Usage: write_embeddings.py FOLDER EMBEDDINGS.npz OUTPUT PARTITIONS

Its own runner deals the samples of FOLDER, tars or files, to partitions, and its own writer writes
them. Their modules are imported one by one, because the whole package needs a model, an index and a
server. EMBEDDINGS.npz replaces the model: `key` with the rows of `image` and `text`.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import distribution
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import webdataset

BATCH = 4


def main(folder: Path, embeddings: Path, output: Path, partitions: int) -> None:
    known = dict(np.load(embeddings))
    rows = {key: row for row, key in enumerate(known["key"].tolist())}
    writer = module("writer")

    def map_batch(batch: dict[str, Any]) -> dict[str, Any]:
        at = [rows[Path(name).stem] for name in batch["image_filename"]]
        return {**batch, "image_embs": known["image"][at], "text_embs": known["text"][at]}

    runner = module("runner").Runner(
        reader_builder=lambda sampler: batches(folder, sampler),
        mapper_builder=lambda: map_batch,
        writer_builder=lambda partition: writer.NumpyWriter(
            partition,
            str(output),
            enable_text=True,
            enable_image=True,
            enable_metadata=True,
            output_partition_count=partitions,
        ),
        logger_builder=lambda partition: NoLogger(),
        output_partition_count=partitions,
    )
    for partition in range(partitions):
        runner(partition)


def module(name: str) -> ModuleType:
    """A module of clip-retrieval's inference, without the package around it."""
    file = distribution("clip-retrieval").locate_file(f"clip_retrieval/clip_inference/{name}.py")
    spec = importlib.util.spec_from_file_location(name, str(file))
    assert spec and spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def batches(folder: Path, sampler: Callable[[list[str]], list[str]]) -> Iterator[dict[str, Any]]:
    """The samples of a partition as its readers give them: partitions share out tars, or files."""
    tars = sorted(map(str, folder.glob("*.tar")))
    if tars:
        samples = list(in_tars(sampler(tars)))
    else:
        samples = list(in_files(sampler(sorted(map(str, folder.rglob("*.txt"))))))
    for start in range(0, len(samples), BATCH):
        names, captions, metadata = zip(*samples[start : start + BATCH], strict=True)
        yield {
            "image_filename": names,
            "image_tensor": np.empty(len(names)),
            "text": captions,
            "metadata": metadata,
        }


def in_tars(tars: list[str]) -> Iterator[tuple[str, str, str]]:
    for sample in webdataset.WebDataset(tars, shardshuffle=False):
        yield sample["__key__"], sample["txt"].decode("utf-8"), sample["json"].decode("utf-8")


def in_files(captions: list[str]) -> Iterator[tuple[str, str, str]]:
    for file in map(Path, captions):
        metadata = file.with_suffix(".json").read_text(encoding="utf-8")
        yield str(file.with_suffix(".jpg")), file.read_text(encoding="utf-8"), metadata


class NoLogger:
    def start(self) -> None: ...

    def __call__(self, stats: object) -> None: ...

    def end(self) -> None: ...


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]), int(sys.argv[4]))
