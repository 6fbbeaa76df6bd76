"""Measured quantities: over time, between strategies, over height, and box counts over scale."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from samflow.results.plots.region_panels import (
    RegionPanels,
    axis_label,
    column_of,
    narrow_label,
    regions_of,
)
from samflow.results.plots.style import check_tables

_DEFAULT = ("area_fraction", "interface_length", "dimension", "upper_height_mean", "area_rate")
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
    """Draw the median over strategies with the band from the lowest to the highest.

    Parameters
    ----------
    band : pandas.DataFrame
        What `samflow.results.measures.spread` returns.
    truth : pandas.DataFrame, optional
        `Measures.frames` of the true track, drawn as a dashed line.
    quantities, names
        As in `plot_measures`.
    """
    check_tables({"band": band}, ("time_s", "region", "quantity", "median", "low", "high"))
    rows = _time_rows(pd.DataFrame(columns=band["quantity"].unique()), quantities)
    panels = _time_panels(regions_of([band]), rows, names)
    for column, own, axes in panels.parts(band):
        part = own[own["quantity"] == column]
        band_of = axes.fill_between(part["time_s"], part["low"], part["high"], linewidth=0)
        band_of.set(color="#56b4e9", alpha=0.45, label="lowest to highest")
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
    check_tables(counts, ("region", "boxes", "local_slope", "in_fit"))
    first = next(iter(counts.values()))
    column, unit = column_of(first, "box")
    rows = {"boxes": ("boxes $N(r)$", 1.6), "local_slope": ("local slope $D(r)$", 1.3)}
    panels = RegionPanels(regions_of(counts.values()), rows, names, sharey=True)
    for axes in panels.grid.flat:
        axes.set_xscale("log")
    for axes in panels.grid[0]:
        axes.set_yscale("log")
    drawn = {strategy: table[table["boxes"] > 0] for strategy, table in counts.items()}
    panels.lines(drawn, column, marker="o", markersize=2, linewidth=1)
    fitted = first[first["in_fit"]][column]
    for axes in panels.grid.flat if len(fitted) else ():
        axes.axvspan(fitted.min(), fitted.max(), color="0.92", zorder=0)
    for axes in panels.grid[1]:
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    low, high = panels.grid[1, 0].get_ylim()
    # a line has slope 1: it stays in sight, and noise about it stays small
    panels.grid[1, 0].set_ylim(min(low, 0.8), max(high, 1.6))
    return panels.finish(axis_label("box", unit))


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
