"""What all figures share: a column's width, colours, axes, labels, saving."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from samflow.errors import SamflowError
from samflow.files import atomic_path

_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_LINES: list[tuple[str, Any]] = [
    (color, dash) for dash, color in product(("-", (0, (4, 1.5))), _COLORS)
]
# inches: one column of a journal's page, and what a region's panel needs of it
_COLUMN, _PANEL, _MARGIN = 3.5, 1.5, 0.5
_DPI = 300
_SCREEN = 150
_TICK_SIZE, _LABEL_SIZE = 7, 8
_FORMATS = {".png": "png", ".pdf": "pdf", ".svg": "svg"}


def check_tables(tables: Mapping[str, pd.DataFrame], columns: Sequence[str]) -> None:
    """Refuse to draw nothing: every table needs rows and these columns."""
    if not tables:
        raise SamflowError("there is nothing to plot: give at least one strategy's table.")
    for name, table in tables.items():
        missing = [column for column in columns if column not in table.columns]
        if missing or table.empty:
            raise SamflowError(
                f"the table of '{name}' has {len(table)} rows and lacks the columns {missing}, "
                f"expected {', '.join(columns)}: pass the table as samflow made it."
            )


def line_styles(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Colour and dashes for each name, as keywords of `Axes.plot`."""
    styles = {}
    for i, name in enumerate(dict.fromkeys(names)):
        color, dash = _LINES[i % len(_LINES)]
        styles[name] = {"color": color, "linestyle": dash}
    return styles


def region_title(region: int, names: Mapping[int, str] | None) -> str:
    """Name of a region for a title; a dollar sign in it is no mathematics."""
    return (names or {}).get(region, f"region {region}").replace("$", r"\$")


def regions_of(tables: Iterable[pd.DataFrame]) -> list[int]:
    """Regions that appear in any of the tables, in order."""
    return sorted({int(region) for table in tables for region in table["region"].unique()})


def region_grid(
    regions: Sequence[int],
    names: Mapping[int, str] | None,
    heights: Sequence[float],
    sharey: bool = False,
) -> tuple[Figure, list[list[Axes]]]:
    """Panels with a column for each region: up to two regions fit one column of a page.

    Parameters
    ----------
    regions : sequence of int
    names : mapping of int to str, optional
        Names of the regions for the titles.
    heights : sequence of float
        Height of each row in inches.
    sharey : bool
        Whether the panels of a row have the same y axis. Without it each region's curve fills its
        panel.

    Returns
    -------
    Figure, list of list of Axes
        The panels by row, then by region; the top row has the regions' names as titles.
    """
    width = max(_COLUMN, _MARGIN + _PANEL * len(regions))
    # a third of an inch each for the legend and for the titles, and for the lowest row's labels
    figure = Figure(figsize=(width, sum(heights) + 0.9), dpi=_SCREEN, layout="constrained")
    grid = figure.subplots(
        len(heights),
        len(regions),
        sharex=True,
        sharey="row" if sharey else False,
        squeeze=False,
        height_ratios=heights,
    )
    for region, axes in zip(regions, grid[0], strict=True):
        axes.set_title(region_title(region, names), fontsize=_LABEL_SIZE)
    return figure, [list(row) for row in grid]


def finish(figure: Figure, grid: list[list[Axes]]) -> Figure:
    """Tidy all panels and give the figure the first panel's legend."""
    for row in grid:
        for axes in row:
            tidy(axes)
    figure.align_ylabels()
    legend(figure, grid[0][0])
    return figure


def tidy(axes: Axes) -> None:
    """Give axes a light grid, no frame above and to the right, and small labels."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=_TICK_SIZE)
    axes.yaxis.get_offset_text().set_fontsize(_TICK_SIZE)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_fontsize(_LABEL_SIZE)


def legend(figure: Figure, axes: Axes) -> None:
    """Put the legend of one of its axes above a figure, as many entries in a row as fit."""
    handles, labels = axes.get_legend_handles_labels()
    # inches of each entry: the line and the gaps, and the name at 7 points
    widths = [0.42 + 0.055 * len(label) for label in labels]
    room = figure.get_figwidth()
    columns = len(labels) if sum(widths) <= room else int(room / max(widths))
    figure.legend(
        handles,
        labels,
        loc="outside upper center",
        ncols=max(1, columns),
        frameon=False,
        fontsize=_TICK_SIZE,
        handlelength=1.6,
        columnspacing=1.2,
    )


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure atomically, as PNG, PDF or SVG by the name's ending.

    Raises
    ------
    SamflowError
        For another ending, or a file that can't be written.
    """
    kind = _FORMATS.get(Path(path).suffix.lower())
    if kind is None:
        raise SamflowError(
            f"{path} ends with '{Path(path).suffix}', expected {', '.join(_FORMATS)}: rename it."
        )
    # no date and version in the file, so that equal numbers give equal bytes
    blank: dict[str, dict[str, Any]] = {
        "png": {"Software": None},
        "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
        "svg": {"Date": None, "Creator": None},
    }
    with atomic_path(path) as part, rc_context({"svg.hashsalt": "samflow"}):
        figure.savefig(part, dpi=_DPI, format=kind, metadata=blank[kind])
