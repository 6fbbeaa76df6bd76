"""Measured quantities: over time, between strategies, over height, and box counts over scale."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from samflow.results.plots.region_panels import (
    RegionPanels,
    axis_label,
    column_of,
    narrow_label,
    regions_of,
)
from samflow.results.plots.style import check_tables, log_ticks

_DEFAULT = ("area_fraction", "interface_length", "dimension", "upper_height_mean", "area_rate")
_BAND = ("time_s", "region", "quantity", "median", "low", "high", "likely_low", "likely_high")
_SHADES = (
    ("likely_low", "likely_high", 0.2, "likely"),
    ("low", "high", 0.45, "lowest to highest"),
)
# inches of a quantity's row
_ROW = 1.0
_TIME = "time $t$ (s)"


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

    Notes
    -----
    Each panel has its own y axis, so that a region's curves are not flattened by another region.
    """
    check_tables(tables, ("time_s", "region"))
    rows = _time_rows(next(iter(tables.values())), quantities)
    check_tables(tables, tuple(rows))
    panels = _time_panels(regions_of(tables.values()), rows, names)
    panels.lines(tables, "time_s", linewidth=1.1)
    return panels.finish(_TIME)


def plot_spread(
    band: pd.DataFrame,
    *,
    truth: pd.DataFrame | None = None,
    quantities: Sequence[str] = _DEFAULT,
    names: Mapping[int, str] | None = None,
) -> Figure:
    """Draw the median over strategies, the band from the lowest to the highest, the likely band.

    Parameters
    ----------
    band : pandas.DataFrame
        What `samflow.results.measures.spread` returns.
    truth : pandas.DataFrame, optional
        `Measures.frames` of the true track, drawn as a dashed line.
    quantities, names
        As in `plot_measures`.
    """
    check_tables({"band": band}, _BAND)
    rows = _time_rows(pd.DataFrame(columns=band["quantity"].unique()), quantities)
    panels = _time_panels(regions_of([band]), rows, names)
    for column, own, axes in panels.parts(band):
        part = own[own["quantity"] == column]
        for low, high, alpha, label in _SHADES:
            shade = axes.fill_between(part["time_s"], part[low], part[high], linewidth=0)
            shade.set(color="#56b4e9", alpha=alpha, label=label)
        axes.plot(part["time_s"], part["median"], color="#0072b2", linewidth=1.3, label="median")
    if truth is not None:
        for column, true, axes in panels.parts(truth):
            axes.plot(true["time_s"], true[column], "k--", linewidth=1.1, label="truth")
    return panels.finish(_TIME)


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
    """
    check_tables(profiles, ("region", "intermittency"))
    column, unit = column_of(next(iter(profiles.values())), "height")
    rows = {column: (axis_label("height", unit), 2.2)}
    panels = RegionPanels(regions_of(profiles.values()), rows, names, sharey=True)
    panels.lines(profiles, "intermittency", linewidth=1.2)
    for axes in panels.grid.flat:
        axes.set(xlim=(-0.03, 1.03), xticks=[0, 0.5, 1], ylim=(0, None))
    return panels.finish(r"intermittency $\gamma$")


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
    """
    labels = {"boxes": "boxes $N(r)$", "local_slope": "local slope $D(r)$"}
    return _over_scale(counts, "box", labels, names)


def plot_lengths(
    lengths: Mapping[str, pd.DataFrame],
    *,
    names: Mapping[int, str] | None = None,
) -> Figure:
    """Draw a Richardson plot: interface length L(s) over scale, and 1 - its local slope, D(s).

    Parameters
    ----------
    lengths : mapping of strategy name to pandas.DataFrame
        `samflow.results.measures.Measures.lengths` of each.
    names : mapping of int to str, optional
        Names of the regions for the titles.

    Notes
    -----
    The range that is fitted is shaded: it begins at the scale that the interfaces were measured
    at. Left of it strategies part, because masks lose threads that are finer.
    """
    column, unit = column_of(next(iter(lengths.values())), "interface_length")
    labels = {
        column: narrow_label("interface_length", unit),
        "local_dimension": "$D(s) = 1 -$ slope",
    }
    return _over_scale(lengths, "scale", labels, names)


def _over_scale(
    tables: Mapping[str, pd.DataFrame],
    quantity: str,
    labels: Mapping[str, str],
    names: Mapping[int, str] | None,
) -> Figure:
    """Draw two columns, a size and a dimension, over the logarithm of a scale."""
    value, dimension = labels
    check_tables(tables, ("region", *labels, "in_fit"))
    first = next(iter(tables.values()))
    column, unit = column_of(first, quantity)
    rows = {value: (labels[value], 1.6), dimension: (labels[dimension], 1.3)}
    panels = RegionPanels(regions_of(tables.values()), rows, names, sharey=True)
    for axes in panels.grid.flat:
        axes.set_xscale("log")
    for axes in panels.grid[0]:
        axes.set_yscale("log")
    drawn = {strategy: table[table[value] > 0] for strategy, table in tables.items()}
    panels.lines(drawn, column, marker="o", markersize=2, linewidth=1)
    fitted = first[first["in_fit"]][column]
    for axes in panels.grid.flat if len(fitted) else ():
        axes.axvspan(fitted.min(), fitted.max(), color="0.92", zorder=0)
    for axes in panels.grid[1]:
        log_ticks(axes.xaxis)
    low, high = panels.grid[1, 0].get_ylim()
    # a line has dimension 1: it stays in sight, and noise about it stays small
    panels.grid[1, 0].set_ylim(min(low, 0.8), max(high, 1.6))
    return panels.finish(axis_label(quantity, unit))


def _time_rows(table: pd.DataFrame, quantities: Sequence[str]) -> dict[str, tuple[str, float]]:
    found = [(quantity, *column_of(table, quantity)) for quantity in quantities]
    return {column: (narrow_label(quantity, unit), _ROW) for quantity, column, unit in found}


def _time_panels(
    regions: Sequence[int],
    rows: Mapping[str, tuple[str, float]],
    names: Mapping[int, str] | None,
) -> RegionPanels:
    panels = RegionPanels(regions, rows, names)
    for axes in panels.grid.flat:
        axes.yaxis.set_major_locator(MaxNLocator(4))
    for axes in panels.grid[-1]:
        axes.xaxis.set_major_locator(MaxNLocator(4))
    return panels
