"""Panels with a column for each region: up to two regions fit one column of a page."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from samflow.errors import SamflowError
from samflow.results.measures.units import QUANTITIES, pretty_unit, quantity_and_unit, title_of
from samflow.results.plots.style import LABEL_SIZE, legend, line_styles, tidy

# inches: one column of a journal's page, and what a region's panel needs of it
_COLUMN, _PANEL, _MARGIN = 3.5, 1.5, 0.5
_SCREEN = 150
# letters that fit next to a row of the smallest height at the size of labels
_WIDTH = 15


def region_title(region: int, names: Mapping[int, str] | None) -> str:
    """Name of a region for a title; a dollar sign in it is no mathematics."""
    return (names or {}).get(region, f"region {region}").replace("$", r"\$")


def regions_of(tables: Iterable[pd.DataFrame]) -> list[int]:
    """Regions that appear in any of the tables, in order."""
    return sorted({int(region) for table in tables for region in table["region"].unique()})


class RegionPanels:
    """A figure whose panels form a column for each region and a row for each column of a table.

    `rows` has the label and the height in inches of each row, by the column drawn in it; `grid` the
    axes (rows, regions). Without `sharey` each region's curve fills its panel.
    """

    def __init__(
        self,
        regions: Sequence[int],
        rows: Mapping[str, tuple[str, float]],
        names: Mapping[int, str] | None,
        sharey: bool = False,
    ) -> None:
        self.regions, self.rows = regions, list(rows)
        labels, heights = zip(*rows.values(), strict=True)
        width = max(_COLUMN, _MARGIN + _PANEL * len(regions))
        # a third of an inch each for the legend and for the titles, and for the lowest row's labels
        size = (width, sum(heights) + 0.9)
        self.figure = Figure(figsize=size, dpi=_SCREEN, layout="constrained")
        self.grid: np.ndarray = self.figure.subplots(
            *(len(rows), len(regions)),
            sharex=True,
            sharey="row" if sharey else False,
            squeeze=False,
            height_ratios=heights,
        )
        for region, axes in zip(regions, self.grid[0], strict=True):
            axes.set_title(region_title(region, names), fontsize=LABEL_SIZE)
        for label, axes in zip(labels, self.grid[:, 0], strict=True):
            axes.set_ylabel(label)

    def parts(self, table: pd.DataFrame) -> Iterable[tuple[str, pd.DataFrame, Axes]]:
        """Give each panel with its row's name and the rows of a table that are its region's."""
        for region, column in zip(self.regions, self.grid.T, strict=True):
            own = table[table["region"] == region]
            yield from ((name, own, axes) for name, axes in zip(self.rows, column, strict=True))

    def lines(
        self, tables: Mapping[str, pd.DataFrame], x: str, order: Sequence[str] = (), **style: Any
    ) -> dict[str, dict[str, Any]]:
        """Draw the rows' columns over `x`, a line for each table; return the lines' styles."""
        styles = line_styles([*order, *tables])
        for strategy, table in tables.items():
            for name, own, axes in self.parts(table):
                axes.plot(own[x], own[name], label=strategy, **styles[strategy] | style)
        return styles

    def finish(self, xlabel: str) -> Figure:
        """Label the lowest row, tidy all panels and give the figure the first panel's legend."""
        for axes in self.grid[-1]:
            axes.set_xlabel(xlabel)
        for axes in self.grid.flat:
            tidy(axes)
        self.figure.align_ylabels()
        legend(self.figure, self.grid[0, 0])
        return self.figure


def column_of(table: pd.DataFrame, quantity: str) -> tuple[str, str]:
    """Column of a quantity and its unit, read off the column's name.

    Raises
    ------
    SamflowError
        When no column has this quantity.
    """
    for column in map(str, table.columns):
        name, unit = quantity_and_unit(column)
        if name == quantity:
            return column, "" if unit == "1" else pretty_unit(unit)
    raise SamflowError(
        f"there is no quantity '{quantity}' in the table, expected one of "
        f"{', '.join(map(str, table.columns))}: name it without its unit."
    )


def axis_label(quantity: str, unit: str) -> str:
    """Label of an axis: the quantity, its symbol, and its unit in parentheses.

    Examples
    --------
    >>> axis_label("area", "mm²"), axis_label("holes", "")
    ('area $A$ (mm²)', 'holes')
    """
    symbol = QUANTITIES[quantity].symbol if quantity in QUANTITIES else ""
    return " ".join(filter(None, [title_of(quantity), symbol, f"({unit})" if unit else ""]))


def narrow_label(quantity: str, unit: str) -> str:
    r"""Give the same label in lines that fit next to a low panel.

    Examples
    --------
    >>> narrow_label("interface_length", "mm")
    'interface\nlength $L$ (mm)'
    """
    return textwrap.fill(axis_label(quantity, unit), _WIDTH, break_long_words=False)
