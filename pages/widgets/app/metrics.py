"""A number in a frame of its own, over a note that is neither good nor bad."""

from __future__ import annotations

from typing import Any

from streamlit.delta_generator import DeltaGenerator


def tile(column: DeltaGenerator, name: str, value: str, note: str, **settings: Any) -> None:
    column.metric(name, value, note, delta_color="off", delta_arrow="off", border=True, **settings)
