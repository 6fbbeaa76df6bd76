"""What is averaged over a clip: the profile over height, and the box counts over scale."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from samflow.results.plots.axis_labels import axis_label, column_of
from samflow.results.plots.style import check_tables, finish, line_styles, region_grid, regions_of


def plot_profiles(
    profiles: Mapping[str, pd.DataFrame],
    *,
    names: Mapping[int, str] | None = None,
) -> Figure:
    """Draw the intermittency of each region over height, one line for each strategy.

    Parameters
    ----------
    profiles : mapping of strategy name to pandas.DataFrame
        `samflow.results.measures.Measures.profiles` of each.
    names : mapping of int to str, optional
        Names of the regions for the titles.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    SamflowError
        When there is no table, a table is empty.
    """
    check_tables(profiles, ("region", "intermittency"))
    regions, styles = regions_of(profiles.values()), line_styles(profiles)
    figure, grid = region_grid(regions, names, [2.2], sharey=True)
    (panels,) = grid
    for strategy, table in profiles.items():
        column, unit = column_of(table, "height")
        style = styles[strategy] | {"linewidth": 1.2, "label": strategy}
        for region, axes in zip(regions, panels, strict=True):
            rows = table[table["region"] == region]
            axes.plot(rows["intermittency"], rows[column], **style)
    panels[0].set_ylabel(axis_label("height", unit))
    panels[0].set_ylim(bottom=0)
    for axes in panels:
        axes.set_xlabel(r"intermittency $\gamma$")
        axes.set_xlim(-0.03, 1.03)
        axes.set_xticks([0, 0.5, 1])
    return finish(figure, grid)


def plot_box_counts(
    counts: Mapping[str, pd.DataFrame],
    *,
    names: Mapping[int, str] | None = None,
) -> Figure:
    """Draw box counts N(r) and their local slope D(r), with the fit range shaded.

    Parameters
    ----------
    counts : mapping of strategy name to pandas.DataFrame
        `samflow.results.measures.Measures.box_counts` of each.
    names : mapping of int to str, optional
        Names of the regions for the titles.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    SamflowError
        When there is no table, a table is empty.
    """
    check_tables(counts, ("region", "boxes", "local_slope", "in_fit"))
    regions, styles = regions_of(counts.values()), line_styles(counts)
    figure, grid = region_grid(regions, names, [1.6, 1.3], sharey=True)
    for strategy, table in counts.items():
        column, unit = column_of(table, "box")
        style = styles[strategy] | {"marker": "o", "markersize": 2, "linewidth": 1}
        for region, (upper, lower) in zip(regions, zip(*grid, strict=True), strict=True):
            rows = table[(table["region"] == region) & (table["boxes"] > 0)]
            upper.loglog(rows[column], rows["boxes"], label=strategy, **style)
            lower.semilogx(rows[column], rows["local_slope"], **style)
    fitted = table[table["in_fit"]][column]
    for row in grid:
        for axes in row:
            if len(fitted):
                axes.axvspan(fitted.min(), fitted.max(), color="0.92", zorder=0)
    for axes in grid[1]:
        axes.set_xlabel(axis_label("box", unit))
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    grid[0][0].set_ylabel("boxes $N(r)$")
    grid[1][0].set_ylabel("local slope $D(r)$")
    low, high = grid[1][0].get_ylim()
    # a line has slope 1: it stays in sight, and noise about it stays small
    grid[1][0].set_ylim(min(low, 0.8), max(high, 1.6))
    return finish(figure, grid)
