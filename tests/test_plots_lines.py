"""Figures of lines: values and shared colours."""

import pandas as pd
import pytest
from matplotlib.colors import to_hex

from samflow.errors import SamflowError
from samflow.results.plots.line_plots import line_panels


def test_a_name_has_its_colour_in_every_panel_and_figure():
    both = {"sam": pd.Series([1.0, 0.5]), "xmem": pd.Series([0.9, 0.4])}
    order = ("xmem", "sam")
    first = line_panels({"one": both, "two": {"sam": both["sam"]}}, order=order)
    alone = line_panels({"one": {"sam": both["sam"]}}, order=order)
    colors = {
        (axes.get_title(), line.get_label()): to_hex(line.get_color())
        for axes in first.axes
        for line in axes.lines
    }
    assert (
        colors["one", "sam"] == colors["two", "sam"] == to_hex(alone.axes[0].lines[0].get_color())
    )
    assert colors["one", "sam"] != colors["one", "xmem"]
    assert first.legends
    assert not alone.legends, "a single name needs no legend"


def test_lines_keep_their_x_values():
    figure = line_panels({"": {"a": pd.Series({0.5: 1.0, 18.0: 2.0})}}, ylim=(0, None))
    (line,) = figure.axes[0].lines
    assert line.get_xydata().tolist() == [[0.5, 1.0], [18.0, 2.0]]
    assert figure.axes[0].get_ylim()[0] == 0
    with pytest.raises(SamflowError, match="nothing to draw"):
        line_panels({})
