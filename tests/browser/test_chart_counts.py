"""The counts of the chart's script, for any edges, against those of the samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser

from curation.analysis import grid
from curation.analysis.grid import Scale
from curation.analysis.quadrants import QUADRANTS, View
from pages.widgets.quadrants import chart
from tests import make

SCRIPTS = "\n".join(
    Path(chart.__file__).with_name(f"{name}.js").read_text(encoding="utf-8")
    for name in ("shared", "counts")
)
# The counts of a list of moves: the edges of both lines, null where a line was not moved.
COUNT = f"""([grid, state, moves]) => {{
    {SCRIPTS}
    const counts = new Counts(grid);
    return [counts.total, moves.map(([x, y]) => counts.quadrants(state, {{ x, y }}))];
}}"""


@pytest.mark.parametrize("scale", grid.SCALES)
@pytest.mark.parametrize("zoom", [None, (30.0, 60.0, 20.0, 90.0)])
@pytest.mark.parametrize("lines", [(41.25, 47.5), (50, 52), (-9.5, 1e6), (np.inf, 44)])
def test_moved_and_unmoved_lines_count_the_samples(
    browser: Browser,
    tmp_path: Path,
    scale: Scale,
    zoom: grid.Zoom | None,
    lines: tuple[float, float],
) -> None:
    rng = np.random.default_rng(0)
    x: list[Any] = rng.normal(50, 20, 600).round().tolist()
    y: list[Any] = (100 * rng.random(600)).tolist()
    x[3], x[4], y[4], y[5] = 1e6, None, None, None
    catalog = make.catalog(tmp_path, {"x": x, "y": y})[1]
    view = View(catalog, "x", "y", *lines)
    over = grid.grid(catalog, "x", "y", scale, zoom)
    k, j = (rng.integers(0, bins + 1, 12).tolist() for bins in (over.x.bins, over.y.bins))
    k[:2], j[:2] = [0, over.x.bins], [0, over.y.bins]
    moves = [*zip(k, j, strict=True), *((n, None) for n in k), *((None, n) for n in j)]
    page = browser.new_page()
    total, counted = page.evaluate(
        COUNT,
        [
            chart._grid_message(catalog, over, None),
            chart._state_message(view, over, None),
            [*moves, (None, None)],
        ],
    )
    page.close()
    assert total == over.total == 598
    for (x_edge, y_edge), found in zip([*moves, (None, None)], counted, strict=True):
        x_line = view.x_line if x_edge is None else float(over.x.edges[x_edge])
        y_line = view.y_line if y_edge is None else float(over.y.edges[y_edge])
        expected = View(catalog, "x", "y", x_line, y_line).counts()
        assert found == [expected[quadrant] for quadrant in QUADRANTS]
