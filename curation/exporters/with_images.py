"""Selected samples with their images: what the formats that hold images share.

Images are read by threads, some ahead of the one that is written, so that a slow disk or web
keeps no one waiting, and never so many that memory fills.
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
from curation.exporters.base import LeftOut, Order
from curation.images import decode, location
from curation.images.location import ImageRef
from curation.readers.base import distinct
from curation.storage.locations import Location

WORKERS = 16
# Images in memory: one from the web may have 20 MB.
AHEAD = 32
# Rows that are made Python's own at a time.
_ROWS = 1000

# Pillow's names of formats that are not the usual extension in capitals. A camera's MPO is a JPEG
# with more pictures behind it.
_EXTENSIONS = {"JPEG": "jpg", "MPO": "jpg", "TIFF": "tif", "JPEG2000": "jp2"}


@dataclass(frozen=True)
class Sample:
    """A selected sample with its image.

    Attributes:
        row: the chosen columns, a batch of one row.
        record: the same as JSON has them.
        extension: of the image's own format, as ``jpg``.
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
    """The selected samples in their order, as often as they are selected.

    Attributes:
        schema: of the chosen columns, under the names they are written by.
        left_out: those so far whose image cannot be read, and why.
    """

    def __init__(self, order: Order, names: Sequence[str]) -> None:
        """``names`` are those that the chosen columns are written by."""
        needed = ["uid", "caption", *location.COLUMNS]
        columns = list(dict.fromkeys([*order.columns, *needed]))
        self._order = order
        self._names = names
        self._batches = replace(order, columns=columns).batches()
        types = [self._batches.schema.field(name).type for name in order.columns]
        self.schema = pa.schema(list(zip(names, types, strict=True)))
        self.left_out: list[LeftOut] = []

    def __iter__(self) -> Iterator[Sample]:
        """Raises:
        CurationError: at the end, if not one image could be read.
        """
        found = 0
        for (row, record), reading in self._ahead():
            try:
                image, extension = reading.result()
            except CurationError as problem:
                self.left_out.append(LeftOut(record["uid"], str(problem)))
            else:
                found += 1
                yield self._sample(row, record, image, extension)
            self._order.advance(1)
        if self.left_out and not found:
            first = self.left_out[0]
            raise CurationError(
                f"of {formatting.plural(len(self.left_out), 'selected sample')} "
                "not one has an image "
                f"that can be read; the first, {first.uid}: {first.reason}"
            )

    def _ahead(self) -> Iterator[tuple[_Row, _Reading]]:
        pool = ThreadPoolExecutor(WORKERS, "read")
        ahead: deque[tuple[_Row, _Reading]] = deque()
        try:
            for row in self._rows():
                ahead.append((row, pool.submit(_read, row[1], self._order.image_root)))
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
                chosen = part.select(self._order.columns).rename_columns(self._names)
                for number, record in enumerate(values.json(part).to_pylist()):
                    yield chosen.slice(number, 1), record

    def _sample(
        self, row: pa.RecordBatch, record: dict[str, Any], image: bytes, extension: str
    ) -> Sample:
        names = zip(self._names, self._order.columns, strict=True)
        return Sample(
            uid=record["uid"],
            caption=record["caption"] or "",
            row=row,
            record={new: record[old] for new, old in names},
            image=image,
            extension=extension,
        )


def shards(samples: Iterable[Sample], size: int) -> Iterator[Iterator[Sample]]:
    """The samples in runs of ``size``, each to be used up before the next.

    Where there are no samples there is one run, an empty one.
    """
    runs = groupby(enumerate(samples), lambda numbered: numbered[0] // size)
    is_empty = True
    for _, run in runs:
        is_empty = False
        yield (sample for _, sample in run)
    if is_empty:
        yield iter(())


def own_names(columns: Sequence[str], taken: Collection[str]) -> list[str]:
    """The columns' names, without those that the format has for itself."""
    return distinct([f"source_{n}" if n.lower() in taken else n for n in columns], taken)


def default_columns(catalog: Catalog) -> list[str]:
    """What is written beside the images unless told otherwise; where they lay is of no use."""
    measured = [c.name for c in [*catalog.scores, *catalog.measures]]
    return ["uid", "caption", *(["url"] if catalog.images.with_url else []), *measured]


def _read(record: Mapping[str, Any], root: Location) -> tuple[bytes, str]:
    """The image of a sample and the extension of its format.

    Raises:
        CurationError: there is none, it cannot be read, or it is not an image.
    """
    ref = ImageRef.of(record)
    if ref is None:
        raise CurationError("it has no image")
    image = ref.read(root)
    decode.size(image)
    with Image.open(io.BytesIO(image)) as picture:
        format = picture.format or ""
    return image, _EXTENSIONS.get(format, format.lower())
