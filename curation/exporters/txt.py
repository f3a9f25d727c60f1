"""A text file: one column of the selected samples, a value a line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from curation import formatting
from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.exporters import values
from curation.exporters.base import ColumnChoice, LeftOut, Look, Order

# Whatever ends a line for someone: as `str.splitlines`.
_LINE_BREAK = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


class TxtExporter:
    name = "txt"
    extension = ".txt"
    title = "Text"
    description = "one column, a value a line: uids, image files, URLs"
    takes_columns: ColumnChoice = "one"
    takes_shard_size = False
    sorts = False
    uid_bytes: int | None = 33

    def default_columns(self, catalog: Catalog) -> list[str]:
        return ["uid"]

    def write(self, order: Order, path: Path) -> Sequence[LeftOut]:
        if len(order.columns) != 1:
            raise CurationError(
                f"a text file has one column, not {len(order.columns)} "
                f"({', '.join(order.columns)}): choose one of them, or another format"
            )
        (name,) = order.columns
        left_out: list[LeftOut] = []
        with path.open("wb") as file:
            for batch in replace(order, columns=list(dict.fromkeys([name, "uid"]))).batches():
                lines = values.text(batch.column(name)).to_pylist()
                for uid, line in zip(batch.column("uid").to_pylist(), lines, strict=True):
                    if not line:
                        left_out.append(LeftOut(uid, f"it has no {name}"))
                    elif _LINE_BREAK.search(line):
                        left_out.append(LeftOut(uid, f"its {name} has a line break"))
                    else:
                        file.write(f"{line}\n".encode())
                order.advance(len(batch))
        if left_out and not path.stat().st_size:
            raise CurationError(
                "not one of "
                f"{formatting.plural(len(left_out), 'selected sample')} could be written; "
                f"the first, {left_out[0].uid}: {left_out[0].reason}"
            )
        return left_out

    def look(self, path: Path) -> Look:
        return Look(lines=tuple(path.read_text(encoding="utf-8").removesuffix("\n").split("\n")))
