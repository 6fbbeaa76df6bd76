"""Figures of lines in a row of panels, for notebooks."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from samflow.errors import SamflowError
from samflow.results.plots.style import legend, line_styles, tidy


def line_panels(
    panels: Mapping[str, Mapping[str, pd.Series]],
    *,
    xlabel: str = "frame",
    ylabel: str = "",
    ylim: tuple[float | None, float | None] = (None, None),
    order: Sequence[str] = (),
) -> Figure:
    """Draw lines in panels side by side, a name in the same colour everywhere.

    Parameters
    ----------
    panels : mapping of title to mapping of name to pandas.Series
        The series' index is x, its values are y.
    xlabel, ylabel : str
        With units, where there are any.
    ylim : tuple of float or None
        Ends of the y axis that all panels share.
    order : sequence of str
        Names in the order of their colours, whether they are drawn or not, so that figures agree.
        Names that are not in it follow.

    Returns
    -------
    matplotlib.figure.Figure
        Shown when it is the last value of a cell.

    Raises
    ------
    SamflowError
        When there is no panel.

    Examples
    --------
    >>> figure = line_panels({"growth": {"area": pd.Series([1.0, 2.0])}}, ylabel="area (px²)")
    >>> figure.axes[0].lines[0].get_ydata().tolist()
    [1.0, 2.0]
    """
    if not panels:
        raise SamflowError("there is nothing to plot: give at least one panel.")
    drawn = dict.fromkeys(name for lines in panels.values() for name in lines)
    styles = line_styles([*order, *drawn])
    figure = Figure(figsize=(min(9.0, 2.5 + 3.5 * len(panels)), 3.0), dpi=100, layout="constrained")
    row = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (title, lines) in zip(row, panels.items(), strict=True):
        for name, values in lines.items():
            marker = "o" if len(values) < 13 else ""
            axes.plot(
                values.index,
                values.to_numpy(),
                label=name,
                linewidth=1.8,
                marker=marker,
                markersize=4,
                **styles[name],
            )
        axes.set_title(title, fontsize=10)
        axes.set_xlabel(xlabel)
        axes.set_ylim(*ylim)
        tidy(axes)
        axes.tick_params(labelsize=8)
    row[0].set_ylabel(ylabel, fontsize=9)
    if len(drawn) > 1:
        legend(figure, row[0])
        for text in figure.legends[0].get_texts():
            text.set_fontsize(9)
    return figure
