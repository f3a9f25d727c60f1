"""Text file: the values of one column, one a line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from curation import formatting
from curation.catalog.catalog import Catalog
from curation.errors import CurationError
from curation.exporters import values
from curation.exporters.base import ColumnChoice, ExportRequest, LeftOut, Preview

# Every line break that str.splitlines() knows.
_LINE_BREAK = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


class TxtExporter:
    name = "txt"
    extension = ".txt"
    title = "Text"
    description = "the values of one column, one a line: uids, image files, URLs"
    takes_columns: ColumnChoice = "one"
    takes_shard_size = False
    sorts_by_uid = False
    bytes_per_uid: int | None = 33

    def default_columns(self, catalog: Catalog) -> list[str]:
        return ["uid"]

    def write(self, request: ExportRequest, path: Path) -> Sequence[LeftOut]:
        if len(request.columns) != 1:
            raise CurationError(
                f"a text file holds one column, not {len(request.columns)} "
                f"({', '.join(request.columns)}); choose one of them, or another format"
            )
        (name,) = request.columns
        columns = list(dict.fromkeys([name, "uid"]))
        left_out: list[LeftOut] = []
        with path.open("wb") as file:
            for batch in replace(request, columns=columns).batches():
                lines = values.text(batch.column(name)).to_pylist()
                for uid, line in zip(batch.column("uid").to_pylist(), lines, strict=True):
                    if not line:
                        left_out.append(LeftOut(uid, f"it has no {name}"))
                    elif _LINE_BREAK.search(line):
                        left_out.append(LeftOut(uid, f"its {name} has a line break"))
                    else:
                        file.write(f"{line}\n".encode())
                request.advance(len(batch))
        if left_out and not path.stat().st_size:
            raise CurationError(
                f"none of the {formatting.plural(len(left_out), 'selected sample')} can be "
                f"written; the first, {left_out[0].uid}: {left_out[0].reason}"
            )
        return left_out

    def preview(self, path: Path) -> Preview:
        return Preview(lines=tuple(path.read_text(encoding="utf-8").removesuffix("\n").split("\n")))
