"""Figures of lines: values, shared colours, panels by region."""

import pandas as pd
import pytest
from matplotlib.colors import to_hex

from samflow.errors import SamflowError
from samflow.results.plots.lines import line_panels, score_lines


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
    with pytest.raises(SamflowError, match="nothing to plot"):
        line_panels({})


def test_scores_are_split_by_region():
    rows = [(f, r, 0.1 * f + 0.3 * r) for f in range(3) for r in (1, 2)]
    table = pd.DataFrame(rows, columns=["frame", "region", "J"])
    figure = score_lines({"sam": table}, {1: "upper", 2: "lower"})
    assert [axes.get_title() for axes in figure.axes] == ["upper", "lower"]
    assert figure.axes[0].lines[0].get_ydata() == pytest.approx([0.3, 0.4, 0.5])
    assert figure.axes[1].lines[0].get_ydata() == pytest.approx([0.6, 0.7, 0.8])
    assert figure.axes[0].get_ylim()[1] == 1.0
    with pytest.raises(SamflowError, match="lacks the columns"):
        score_lines({"sam": table}, score="F")
