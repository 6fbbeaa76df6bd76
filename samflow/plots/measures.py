"""Measured quantities over time, over height and over scale, with their units on the axes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from samflow.errors import SamflowError
from samflow.plots.style import (
    check_tables,
    legend,
    line_styles,
    region_title,
    regions_of,
    save,
    tidy,
)

# what a reader sees for a quantity and for a unit in a column's name
_TITLES = {
    "area": "area $A$",
    "area_fraction": "area fraction",
    "interface_length": "interface length $L$",
    "interface_density": "interface density",
    "dimension": "box dimension $D$",
    "upper_height_mean": "upper edge, mean",
    "upper_height_rms": "upper edge, r.m.s.",
    "lower_height_mean": "lower edge, mean",
    "lower_height_rms": "lower edge, r.m.s.",
    "upper_integral_thickness": "upper layer $\\delta$",
    "lower_integral_thickness": "lower layer $\\delta$",
    "upper_10_90_thickness": "upper layer, 10-90 %",
    "lower_10_90_thickness": "lower layer, 10-90 %",
    "area_rate": "d$A$/d$t$",
    "entrainment": "entrainment $E$",
    "front": "front $x_f$",
    "front_speed": "front speed",
    "holes": "holes",
    "hole_ratio": "hole area ratio",
    "islands": "islands",
    "island_ratio": "island area ratio",
    "height": "height $y$",
    "box": "box side $r$",
}
_UNITS = {
    "px": "px",
    "mm": "mm",
    "px2": "px²",
    "mm2": "mm²",
    "per_px": "1/px",
    "per_mm": "1/mm",
    "px_per_s": "px/s",
    "mm_per_s": "mm/s",
    "px2_per_s": "px²/s",
    "mm2_per_s": "mm²/s",
}
_DEFAULT = ("area_fraction", "interface_length", "dimension", "upper_height_mean", "area_rate")


def plot_measures(
    tables: Mapping[str, pd.DataFrame],
    path: str | Path,
    *,
    quantities: Sequence[str] = _DEFAULT,
    names: Mapping[int, str] | None = None,
) -> None:
    """Draw quantities over time: a row for each quantity, a column for each region.

    Parameters
    ----------
    tables : mapping of strategy name to pandas.DataFrame
        `samflow.measure.Measures.frames` of each, in the same units.
    path : str or Path
        The PNG file to write.
    quantities : sequence of str
        Names without units, such as "area" or "interface_length".
    names : mapping of int to str, optional
        Names of the regions for the titles.

    Raises
    ------
    SamflowError
        When there is no table, a table is empty or lacks a quantity, or the file can't be written.
    """
    check_tables(tables, ("time_s", "region"))
    regions, styles = regions_of(tables.values()), line_styles(tables)
    figure, grid = _panels(len(quantities), len(regions))
    for quantity, row in zip(quantities, grid, strict=True):
        for strategy, table in tables.items():
            column, unit = _column(table, quantity)
            for region, axes in zip(regions, row, strict=True):
                rows = table[table["region"] == region]
                axes.plot(
                    rows["time_s"], rows[column], linewidth=1.4, label=strategy, **styles[strategy]
                )
        row[0].set_ylabel(_label(quantity, unit))
    _finish(figure, grid, regions, names)
    save(figure, path)


def plot_spread(
    band: pd.DataFrame,
    path: str | Path,
    *,
    truth: pd.DataFrame | None = None,
    quantities: Sequence[str] = _DEFAULT,
    names: Mapping[int, str] | None = None,
) -> None:
    """Draw the median over strategies with the band from the lowest to the highest.

    Parameters
    ----------
    band : pandas.DataFrame
        What `samflow.measure.spread` returns.
    path : str or Path
        The PNG file to write.
    truth : pandas.DataFrame, optional
        `Measures.frames` of the true track, drawn as a dashed line.
    quantities : sequence of str
        Names without units.
    names : mapping of int to str, optional
        Names of the regions for the titles.

    Raises
    ------
    SamflowError
        When the band is empty or lacks a quantity, or the file can't be written.
    """
    check_tables({"band": band}, ("time_s", "region", "quantity", "median", "low", "high"))
    regions = regions_of([band])
    wide = pd.DataFrame(columns=band["quantity"].unique())
    figure, grid = _panels(len(quantities), len(regions))
    for quantity, row in zip(quantities, grid, strict=True):
        column, unit = _column(wide, quantity)
        for region, axes in zip(regions, row, strict=True):
            rows = band[(band["quantity"] == column) & (band["region"] == region)]
            axes.fill_between(
                rows["time_s"],
                rows["low"],
                rows["high"],
                color="#56b4e9",
                alpha=0.4,
                linewidth=0,
                label="lowest to highest strategy",
            )
            axes.plot(
                rows["time_s"], rows["median"], color="#0072b2", linewidth=1.6, label="median"
            )
            if truth is not None:
                true = truth[truth["region"] == region]
                axes.plot(
                    true["time_s"], true[column], color="black", linestyle="--", label="truth"
                )
        row[0].set_ylabel(_label(quantity, unit))
    _finish(figure, grid, regions, names)
    save(figure, path)


def plot_profiles(
    profiles: Mapping[str, pd.DataFrame],
    path: str | Path,
    *,
    names: Mapping[int, str] | None = None,
) -> None:
    """Draw the intermittency of each region over height, one line for each strategy.

    Parameters
    ----------
    profiles : mapping of strategy name to pandas.DataFrame
        `samflow.measure.Measures.profiles` of each.
    path : str or Path
        The PNG file to write.
    names : mapping of int to str, optional
        Names of the regions for the titles.

    Raises
    ------
    SamflowError
        When there is no table, a table is empty, or the file can't be written.
    """
    check_tables(profiles, ("region", "intermittency"))
    regions, styles = regions_of(profiles.values()), line_styles(profiles)
    figure = Figure(figsize=(max(3.6, 2.9 * len(regions)), 3.8), layout="constrained")
    panels = figure.subplots(1, len(regions), sharey=True, squeeze=False)[0]
    for strategy, table in profiles.items():
        column, unit = _column(table, "height")
        for region, axes in zip(regions, panels, strict=True):
            rows = table[table["region"] == region]
            axes.plot(rows["intermittency"], rows[column], label=strategy, **styles[strategy])
    panels[0].set_ylabel(_label("height", unit))
    for region, axes in zip(regions, panels, strict=True):
        axes.set_title(region_title(region, names), fontsize=9)
        axes.set_xlabel(r"intermittency $\gamma(y)$")
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(bottom=0)
        tidy(axes)
    legend(figure, panels[0])
    save(figure, path)


def plot_box_counts(
    counts: Mapping[str, pd.DataFrame],
    path: str | Path,
    *,
    names: Mapping[int, str] | None = None,
) -> None:
    """Draw box counts N(r) and their local slope D(r), with the fit range shaded.

    Parameters
    ----------
    counts : mapping of strategy name to pandas.DataFrame
        `samflow.measure.Measures.box_counts` of each.
    path : str or Path
        The PNG file to write.
    names : mapping of int to str, optional
        Names of the regions for the titles.

    Raises
    ------
    SamflowError
        When there is no table, a table is empty, or the file can't be written.
    """
    check_tables(counts, ("region", "boxes", "local_slope", "in_fit"))
    regions, styles = regions_of(counts.values()), line_styles(counts)
    figure = Figure(figsize=(max(3.6, 2.9 * len(regions)), 4.8), layout="constrained")
    grid = figure.subplots(2, len(regions), sharex=True, sharey="row", squeeze=False)
    for strategy, table in counts.items():
        column, unit = _column(table, "box")
        for region, (upper, lower) in zip(regions, grid.T, strict=True):
            rows = table[(table["region"] == region) & (table["boxes"] > 0)]
            style = styles[strategy] | {"marker": "o", "markersize": 3, "linewidth": 1.2}
            upper.loglog(rows[column], rows["boxes"], label=strategy, **style)
            lower.semilogx(rows[column], rows["local_slope"], **style)
    fitted = table[table["in_fit"]][column]
    for region, (upper, lower) in zip(regions, grid.T, strict=True):
        upper.set_title(region_title(region, names), fontsize=9)
        lower.set_xlabel(_label("box", unit))
        lower.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        lower.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        lower.xaxis.set_minor_formatter(NullFormatter())
        for axes in (upper, lower):
            tidy(axes)
            if len(fitted):
                axes.axvspan(fitted.min(), fitted.max(), color="0.92", zorder=0)
    grid[0, 0].set_ylabel("boxes $N(r)$")
    grid[1, 0].set_ylabel("local slope $D(r)$")
    grid[1, 0].set_ylim(0.8, 2.05)
    legend(figure, grid[0, 0])
    save(figure, path)


def _panels(rows: int, columns: int) -> tuple[Figure, list[list[Axes]]]:
    figure = Figure(figsize=(max(4.0, 3.5 * columns), 0.8 + 1.6 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey="row", squeeze=False)
    return figure, [list(row) for row in grid]


def _finish(
    figure: Figure,
    grid: list[list[Axes]],
    regions: Sequence[int],
    names: Mapping[int, str] | None,
) -> None:
    for region, axes in zip(regions, grid[0], strict=True):
        axes.set_title(region_title(region, names), fontsize=9)
    for axes in grid[-1]:
        axes.set_xlabel("time $t$ [s]")
    for row in grid:
        for axes in row:
            tidy(axes)
    figure.align_ylabels()
    legend(figure, grid[0][0])


def _column(table: pd.DataFrame, quantity: str) -> tuple[str, str]:
    """Column of a quantity and its unit, read off the column's name."""
    for column in map(str, table.columns):
        unit = column.removeprefix(f"{quantity}_")
        if column == quantity or (unit != column and unit in _UNITS):
            return column, _UNITS.get(unit, "")
    raise SamflowError(
        f"there is no quantity '{quantity}' in the table, expected one of "
        f"{', '.join(map(str, table.columns))}: name it without its unit."
    )


def _label(quantity: str, unit: str) -> str:
    title = _TITLES.get(quantity, quantity.replace("_", " "))
    return f"{title} [{unit}]" if unit else title
