"""Selected samples with their images, for the formats that contain images.

Threads read a limited number of images ahead of the one being written.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import pyarrow as pa
from PIL import Image

from curation import formatting
from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.exporters import values
from curation.exporters.base import ExportRequest, LeftOut
from curation.images import decode, location
from curation.images.location import ImageRef
from curation.readers.shared.column_names import source_names
from curation.storage.locations import Location

WORKERS = 16
# Images in memory at once. An image from the web may have 20 MB.
AHEAD = 32
# Rows converted to Python objects at once.
_ROWS = 1000

# Extensions of the image formats whose name in Pillow is not the extension in capitals. MPO is a
# camera's JPEG followed by more pictures.
_EXTENSIONS = {"JPEG": "jpg", "MPO": "jpg", "TIFF": "tif", "JPEG2000": "jp2"}


@dataclass(frozen=True)
class Sample:
    """A selected sample with its image.

    Attributes:
        row: the chosen columns as a batch of one row.
        record: the chosen columns as JSON values.
        image: the content of the image file.
        extension: the extension for the image's format, such as ``jpg``.
    """

    uid: str
    caption: str
    row: pa.RecordBatch
    record: Mapping[str, Any]
    image: bytes
    extension: str


_Row = tuple[pa.RecordBatch, dict[str, Any]]
_Reading = Future[tuple[bytes, str]]


class Samples:
    """The selected samples by rowid, repeats kept. Iterate once.

    Attributes:
        schema: the chosen columns under their names in the export.
        left_out: the samples so far whose image cannot be read.
    """

    def __init__(self, request: ExportRequest, names: Sequence[str]) -> None:
        """``names`` are the names of the chosen columns in the export."""
        needed = ["uid", "caption", *location.COLUMNS]
        columns = list(dict.fromkeys([*request.columns, *needed]))
        self._request = request
        self._names = names
        self._batches = replace(request, columns=columns).batches()
        types = [self._batches.schema.field(name).type for name in request.columns]
        self.schema = pa.schema(list(zip(names, types, strict=True)))
        self.left_out: list[LeftOut] = []

    def __iter__(self) -> Iterator[Sample]:
        """Iterate over the samples whose image can be read.

        Raises:
            CurationError: no image could be read; raised at the end.
        """
        is_empty = True
        for (row, record), reading in self._read_ahead():
            try:
                image, extension = reading.result()
            except CurationError as problem:
                self.left_out.append(LeftOut(record["uid"], str(problem)))
            else:
                is_empty = False
                yield self._sample(row, record, image, extension)
            self._request.advance(1)
        if self.left_out and is_empty:
            first = self.left_out[0]
            raise CurationError(
                f"none of the {formatting.plural(len(self.left_out), 'selected sample')} has an "
                f"image that can be read; the first, {first.uid}: {first.reason}"
            )

    def _read_ahead(self) -> Iterator[tuple[_Row, _Reading]]:
        """The rows, each with its image, which a thread reads."""
        pool = ThreadPoolExecutor(WORKERS, "read")
        ahead: deque[tuple[_Row, _Reading]] = deque()
        try:
            for row in self._rows():
                ahead.append((row, pool.submit(_read, row[1], self._request.image_root)))
                if len(ahead) == AHEAD:
                    yield ahead.popleft()
            while ahead:
                yield ahead.popleft()
        finally:
            pool.shutdown(cancel_futures=True)

    def _rows(self) -> Iterator[_Row]:
        for batch in self._batches:
            for start in range(0, len(batch), _ROWS):
                part = batch.slice(start, _ROWS)
                chosen = part.select(self._request.columns).rename_columns(self._names)
                for number, record in enumerate(values.json(part).to_pylist()):
                    yield chosen.slice(number, 1), record

    def _sample(
        self, row: pa.RecordBatch, record: dict[str, Any], image: bytes, extension: str
    ) -> Sample:
        names = zip(self._names, self._request.columns, strict=True)
        return Sample(
            uid=record["uid"],
            caption=record["caption"] or "",
            row=row,
            record={new: record[old] for new, old in names},
            image=image,
            extension=extension,
        )


def shards(samples: Iterable[Sample], size: int) -> Iterator[Iterator[Sample]]:
    """Split samples into shards of ``size``. Consume each shard before asking for the next.

    Without samples there is one empty shard.
    """
    runs = groupby(enumerate(samples), lambda numbered: numbered[0] // size)
    is_empty = True
    for _, run in runs:
        is_empty = False
        yield (sample for _, sample in run)
    if is_empty:
        yield iter(())


def export_names(columns: Sequence[str], taken: Collection[str]) -> list[str]:
    """Names for the columns in the export, none of them in ``taken``, all of them distinct."""
    return source_names(columns, taken)


def default_columns(catalog: Catalog) -> list[str]:
    """The default columns of a format with images; the paths of the source are left out."""
    measured = [c.name for c in [*catalog.scores, *catalog.measures]]
    return ["uid", "caption", *(["url"] if catalog.images.with_url else []), *measured]


def _read(record: Mapping[str, Any], root: Location) -> tuple[bytes, str]:
    """Read the image of a sample; return its content and the extension for its format.

    Raises:
        CurationError: the sample has no image, or it cannot be read or decoded.
    """
    ref = ImageRef.of(record)
    if ref is None:
        raise CurationError("it has no image")
    image = ref.read(root)
    decode.size(image)
    with Image.open(io.BytesIO(image)) as picture:
        format = picture.format or ""
    return image, _EXTENSIONS.get(format, format.lower())
