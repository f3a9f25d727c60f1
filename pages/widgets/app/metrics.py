"""A metric in a bordered tile, with a neutral note below the number."""

from __future__ import annotations

from streamlit.delta_generator import DeltaGenerator


def tile(column: DeltaGenerator, name: str, value: str, note: str, help: str | None = None) -> None:
    column.metric(name, value, note, delta_color="off", delta_arrow="off", border=True, help=help)
