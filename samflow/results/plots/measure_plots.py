"""Measured quantities over time, and the spread between strategies."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from samflow.results.plots.axis_labels import column_of, narrow_label
from samflow.results.plots.style import check_tables, finish, line_styles, region_grid, regions_of

_DEFAULT = ("area_fraction", "interface_length", "dimension", "upper_height_mean", "area_rate")
# inches of a quantity's row
_ROW = 1.0


def plot_measures(
    tables: Mapping[str, pd.DataFrame],
    *,
    quantities: Sequence[str] = _DEFAULT,
    names: Mapping[int, str] | None = None,
) -> Figure:
    """Draw quantities over time: a row for each quantity, a column for each region.

    Parameters
    ----------
    tables : mapping of strategy name to pandas.DataFrame
        `samflow.results.measures.Measures.frames` of each, in the same units.
    quantities : sequence of str
        Names without units, such as "area" or "interface_length".
    names : mapping of int to str, optional
        Names of the regions for the titles.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    SamflowError
        When there is no table, a table is empty or lacks a quantity.

    Notes
    -----
    Each panel has its own y axis, so that a region's curves are not flattened by another region.
    """
    check_tables(tables, ("time_s", "region"))
    regions, styles = regions_of(tables.values()), line_styles(tables)
    figure, grid = _time_panels(next(iter(tables.values())), quantities, regions, names)
    for strategy, table in tables.items():
        for quantity, row in zip(quantities, grid, strict=True):
            column, _ = column_of(table, quantity)
            for region, axes in zip(regions, row, strict=True):
                rows = table[table["region"] == region]
                style = styles[strategy] | {"linewidth": 1.1, "label": strategy}
                axes.plot(rows["time_s"], rows[column], **style)
    return finish(figure, grid)


def plot_spread(
    band: pd.DataFrame,
    *,
    truth: pd.DataFrame | None = None,
    quantities: Sequence[str] = _DEFAULT,
    names: Mapping[int, str] | None = None,
) -> Figure:
    """Draw the median over strategies with the band from the lowest to the highest.

    Parameters
    ----------
    band : pandas.DataFrame
        What `samflow.results.measures.spread` returns.
    truth : pandas.DataFrame, optional
        `Measures.frames` of the true track, drawn as a dashed line.
    quantities : sequence of str
        Names without units.
    names : mapping of int to str, optional
        Names of the regions for the titles.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    SamflowError
        When the band is empty or lacks a quantity.
    """
    check_tables({"band": band}, ("time_s", "region", "quantity", "median", "low", "high"))
    regions = regions_of([band])
    wide = pd.DataFrame(columns=band["quantity"].unique())
    figure, grid = _time_panels(wide, quantities, regions, names)
    for quantity, row in zip(quantities, grid, strict=True):
        column, _ = column_of(wide, quantity)
        for region, axes in zip(regions, row, strict=True):
            rows = band[(band["quantity"] == column) & (band["region"] == region)]
            _draw_band(axes, rows)
            if truth is not None:
                true = truth[truth["region"] == region]
                axes.plot(true["time_s"], true[column], "k--", linewidth=1.1, label="truth")
    return finish(figure, grid)


def _draw_band(axes: Axes, rows: pd.DataFrame) -> None:
    axes.fill_between(
        rows["time_s"],
        rows["low"],
        rows["high"],
        color="#56b4e9",
        alpha=0.45,
        linewidth=0,
        label="lowest to highest",
    )
    axes.plot(rows["time_s"], rows["median"], color="#0072b2", linewidth=1.3, label="median")


def _time_panels(
    table: pd.DataFrame,
    quantities: Sequence[str],
    regions: Sequence[int],
    names: Mapping[int, str] | None,
) -> tuple[Figure, list[list[Axes]]]:
    """Panels over time with the labels of a table's quantities."""
    labels = [narrow_label(quantity, column_of(table, quantity)[1]) for quantity in quantities]
    figure, grid = region_grid(regions, names, [_ROW] * len(quantities))
    for label, row in zip(labels, grid, strict=True):
        row[0].set_ylabel(label)
        for axes in row:
            axes.yaxis.set_major_locator(MaxNLocator(4))
    for axes in grid[-1]:
        axes.set_xlabel("time $t$ (s)")
        axes.xaxis.set_major_locator(MaxNLocator(4))
    return figure, grid
