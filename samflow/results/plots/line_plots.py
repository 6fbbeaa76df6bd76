"""Figures of lines in panels, for notebooks and the benchmark."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from samflow.results.plots.style import legend, line_styles, log_ticks, panel_grid, tidy


def line_panels(
    panels: Mapping[str, Mapping[str, pd.Series]],
    *,
    xlabel: str = "frame",
    ylabel: str = "",
    ylim: tuple[float | None, float | None] = (None, None),
    order: Sequence[str] = (),
    others: Sequence[str] = (),
    log: bool = False,
) -> Figure:
    """Draw lines in panels, up to three in a row, a name in the same colour everywhere.

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
    others : sequence of str
        Names that are thin grey lines behind the others, with one entry in the legend.
    log : bool
        Both axes are logarithmic.

    Examples
    --------
    >>> figure = line_panels({"growth": {"area": pd.Series([1.0, 2.0])}}, ylabel="area (px²)")
    >>> figure.axes[0].lines[0].get_ydata().tolist()
    [1.0, 2.0]
    """
    names = dict.fromkeys(name for lines in panels.values() for name in lines)
    styles = line_styles([*order, *(name for name in names if name not in others)])
    columns = max(1, min(3, len(panels)))
    height = 3.0 if len(panels) <= columns else 2.0
    width = min(9.0, 2.5 + 3.5 * columns)
    figure, grid = panel_grid(
        panels, columns, width, height, sharex=len(panels) > columns, sharey=True
    )
    for axes, lines in zip(grid, panels.values(), strict=True):
        grey = [name for name in lines if name in others]
        for number, name in enumerate(grey):
            label = "others" if number == 0 else None
            axes.plot(lines[name], color="0.75", linewidth=0.8, label=label)
        for name in (name for name in lines if name not in others):
            marker = "o" if len(lines[name]) < 13 else ""
            (line,) = axes.plot(lines[name], marker=marker, markersize=4, **styles[name])
            line.set(linewidth=1.8, label=name)
        axes.set_ylim(*ylim)
        if log:
            axes.set(xscale="log", yscale="log")
            for axis in (axes.xaxis, axes.yaxis):
                log_ticks(axis, (1, 2, 5))
        tidy(axes)
        axes.tick_params(labelsize=8)
    for axes in grid[-columns:]:
        axes.set_xlabel(xlabel)
        axes.tick_params(labelbottom=True)
    for axes in grid[::columns]:
        axes.set_ylabel(ylabel, fontsize=9)
    if len(names) > 1:
        legend(figure, grid[0])
        for text in figure.legends[0].get_texts():
            text.set_fontsize(9)
    return figure
