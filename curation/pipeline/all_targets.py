"""NormSim toward all targets as one set: columns that are made when the catalog is published.

They follow from the columns toward each target: the p-norm over the items of all targets is the
p-norm of the norms over each. So a target is added or removed without touching the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa

from curation.catalog.columns import ALL_TARGETS
from curation.errors import CurationError
from curation.pipeline import score_folders
from curation.pipeline.score_folders import Measurement, ScoreRecord
from curation.scores.base import Column, check_parameters
from curation.scores.norm_sim import SCORE, norm_of_parts
from curation.storage.workspace import Workspace


@dataclass(frozen=True)
class Combined:
    """One such column.

    Attributes:
        record: how it was made: as the newest of its parts.
        parts: the names of the columns toward each target.
    """

    record: ScoreRecord
    p: float
    parts: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.record.columns[0].name

    def values(self, table: pa.Table) -> pa.Array:
        """The column of a table that has its parts, float32; NaN where a part is."""
        parts = [np.asarray(table.column(name).combine_chunks()) for name in self.parts]
        return pa.array(norm_of_parts(parts, self.p))


def combined(workspace: Workspace, records: Sequence[ScoreRecord]) -> list[Combined]:
    """A column for each model, norm and side that two or more targets have."""
    made = []
    for model in dict.fromkeys(record.model for record in records):
        toward = {
            record.target: record
            for record in records
            if record.score == SCORE.name and record.target and record.model == model
        }
        settings = {n: check_parameters(SCORE, r.parameters) for n, r in toward.items()}
        for (p, side), names in _shared(settings).items():
            newest = max((toward[name] for name in names), key=lambda record: record.created)
            column = score_folders.of_model(workspace, _column(p, side, ALL_TARGETS), model)
            stem = newest.path.name.removesuffix(newest.target)
            record = replace(
                newest,
                path=newest.path.with_name(stem + ALL_TARGETS),
                target=ALL_TARGETS,
                columns=(column,),
            )
            parts = [score_folders.of_model(workspace, _column(p, side, n), model) for n in names]
            made.append(Combined(record, p, tuple(part.name for part in parts)))
    return made


def check_distinct(measurements: Sequence[Measurement]) -> None:
    """Check that no two columns of a score's folders have one name, those of all targets included.

    Raises:
        CurationError: two have.
    """
    names = [column.name for measurement in measurements for column in measurement.columns()]
    settings = {m.target_name: m.parameters for m in measurements if m.score is SCORE}
    names += [_column(p, side, ALL_TARGETS).name for p, side in _shared(settings)]
    for name in names:
        if names.count(name) > 1:
            raise CurationError(
                f"the parameters and targets of {measurements[0].score.name} give two columns one "
                f"name: {name}; rename a target or change the parameters"
            )


def _shared(settings: Mapping[str, Mapping[str, Any]]) -> dict[tuple[float, str], list[str]]:
    """The norms and sides that two or more targets have, each with the names of those targets."""
    pairs: dict[tuple[float, str], list[str]] = {}
    for name, parameters in settings.items():
        for side, p in product(parameters["target_side"], parameters["p"]):
            pairs.setdefault((p, side), []).append(name)
    return {pair: names for pair, names in pairs.items() if len(names) > 1}


def _column(p: float, side: str, target: str) -> Column:
    return SCORE.columns({"p": (p,), "target_side": (side,)}, [target])[0]
