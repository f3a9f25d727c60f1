"""A catalog of pictures in three formats, and a selection that has one of them twice."""

from __future__ import annotations

import datetime
import decimal
import os
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

# No test may reach a model hub.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"

from curation import uids
from curation.catalog.catalog import Catalog
from curation.exporters import EXPORTERS
from curation.exporters.export import Exported, export
from curation.selection.decisions import Decisions
from curation.selection.recipe import Recipe
from curation.selection.select import Selection, select
from tests import make

CAPTIONS = [
    'a "quoted", caption\nof two lines; über = "x"',
    "子猫 и котёнок \N{CAT FACE} \u2028 next",
    "tab\there, back\\slash, <b>&amp;</b> | `code`",
    "plain",
    "its image is gone",
    "not selected",
]
RECIPE = Recipe.parse("name: best\nsteps: [{score: quality, count: 5}, {union: twice}]")
WHEN = datetime.datetime(2020, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
NOTHING = Recipe.parse("steps: [{score: quality, top: 0}]")
# What RECIPE selects: sample 1 twice; the image of sample 4 is gone.
SELECTED = [0, 1, 1, 2, 3, 4]
WITH_IMAGES = SELECTED[:-1]


@dataclass(frozen=True)
class World:
    """A catalog, RECIPE's selection of it, and the bytes of its images by number."""

    catalog: Catalog
    selection: Selection
    images: list[bytes]

    def export(self, format: str, folder: Path, **options: object) -> Exported:
        """RECIPE's selection in a format, as ``out`` in a folder."""
        path = folder / f"out{EXPORTERS[format].extension}"
        return export(self.catalog, self.selection, format, path, **options)

    def nothing(self, format: str, folder: Path) -> Exported:
        path = folder / f"out{EXPORTERS[format].extension}"
        return export(self.catalog, select(NOTHING, self.catalog), format, path)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("exports")
    (folder / "source").mkdir()
    # The third is not what its name says.
    names = ["0.jpg", "1.png", "2.jpg", "3.jpg", "4.jpg", "5.jpg"]
    formats = ["JPEG", "PNG", "WEBP", "JPEG", "JPEG", "JPEG"]
    images = [make.encoded(make.picture(n), format) for n, format in enumerate(formats)]
    for name, image in zip(names, images, strict=True):
        (folder / "source" / name).write_bytes(image)
    rows = [
        {"file_name": name, "caption": caption, "stars": number}
        for number, (name, caption) in enumerate(zip(names, CAPTIONS, strict=True))
    ]
    rows[3]["url"] = "https://a.example/3.jpg"
    workspace, catalog = make.catalog(folder, {"quality": [0.9, 0.8, 0.7, 0.6, 0.5, None]}, rows)
    decisions = Decisions.of(workspace)
    words = uids.to_words([make.uid(1), make.uid(1)])
    decisions.save_uid_list("twice", words, "a test")
    (folder / "source" / "4.jpg").unlink()
    return World(catalog, select(RECIPE, catalog, decisions), images)


@pytest.fixture(scope="session")
def every_type(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """A catalog of one sample that has a column of every type."""
    folder = tmp_path_factory.mktemp("types")
    make.jpeg(folder / "0.jpg")
    table = pa.table(
        {
            "file_name": ["0.jpg"],
            "text": ["a"],
            "when": [WHEN],
            "naive": [WHEN.replace(tzinfo=None)],
            "day": [WHEN.date()],
            "at": [WHEN.time()],
            "bytes": pa.array([b"\xff\x00"], pa.binary(2)),
            "long": [datetime.timedelta(days=2)],
            "list": [[1, 2]],
            "record": [{"a": "ü"}],
            "flag": [True],
            "nothing": pa.nulls(1),
            "infinite": [float("inf")],
            "nan": [float("nan")],
            "decimal": [decimal.Decimal("1.50")],
            "large": pa.array([2**63 - 1]),
            "half": pa.array([0.5], pa.float16()),
            "small": pa.array([7], pa.uint8()),
        }
    )
    pq.write_table(table, folder / "a.parquet")
    return make.published(folder / "a.parquet")
