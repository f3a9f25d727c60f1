"""What the chart's script is told, which has to be JSON: that knows no infinity."""

import json

import numpy as np
import pytest

from curation.analysis import grid
from curation.analysis.quadrants import View
from pages.widgets.quadrants.chart import Color, _axis_position, _color_message
from tests import make


@pytest.mark.parametrize("line", [-np.inf, np.inf, np.nan, 0.5])
def test_a_line_at_infinity_lies_far_beyond_the_axis(tmp_path, line):
    catalog = make.catalog(tmp_path, {"x": [0.1, 0.5, 0.9], "y": [1, 2, 3]})[1]
    over = grid.grid(catalog, "x", "y")
    told = _axis_position(over.x, catalog, View(catalog, "x", "y", line, 2).x_line)
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    if np.isinf(line):
        assert told is not None and np.sign(told) == np.sign(line) and abs(told) > 1e30


def test_infinite_means_do_not_take_the_colors_from_the_rest():
    means = np.array([[0.1, 0.9], [np.inf, np.nan]], dtype=np.float32)
    told = _color_message(Color("mean", means))
    json.dumps(told, allow_nan=False)
    assert 0.1 <= told["low"] < told["high"] <= 0.91
    nothing = _color_message(Color("mean", np.full((2, 2), np.nan, dtype=np.float32)))
    json.dumps(nothing, allow_nan=False)
