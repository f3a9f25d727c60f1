"""The messages to the chart's script: JSON, which has no infinity."""

import base64
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
    sent = _axis_position(over.x, catalog, View(catalog, "x", "y", line, 2).x_line)
    assert json.loads(json.dumps(sent, allow_nan=False)) == sent
    if np.isinf(line):
        assert sent is not None and np.sign(sent) == np.sign(line) and abs(sent) > 1e30


def test_infinite_means_do_not_take_the_colors_from_the_rest():
    means = np.array([[0.1, 0.9], [np.inf, np.nan]], dtype=np.float32)
    sent = _color_message(Color("mean", means))
    json.dumps(sent, allow_nan=False)
    assert 0.1 <= sent["low"] < sent["high"] <= 0.91
    nothing = _color_message(Color("mean", np.full((2, 2), np.nan, dtype=np.float32)))
    json.dumps(nothing, allow_nan=False)


def test_levels_of_means_run_from_the_lowest_to_the_highest():
    means = np.array([[0.0, 0.5, 1.0, np.nan]], dtype=np.float32)
    sent = _color_message(Color("share", means, share=True))
    levels = np.frombuffer(base64.b64decode(sent["levels"]), dtype=np.uint8)
    assert (sent["low"], sent["high"]) == (0, 1)
    assert levels.tolist() == [1, 128, 255, 0]


def test_on_percentiles_a_line_is_at_the_share_below_it(tmp_path):
    catalog = make.catalog(tmp_path, {"x": [1, 2, 3, 4], "y": [1, 2, 3, 4]})[1]
    over = grid.grid(catalog, "x", "y", "percentile")
    ends = (-np.inf, 1, 2, 4, np.inf)
    assert [_axis_position(over.x, catalog, at) for at in ends] == [0, 0, 25, 75, 100]
