"""What all figures share: colours, axes, labels, saving."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from samflow.errors import SamflowError
from samflow.files import atomic_path

_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_LINES: list[tuple[str, Any]] = [
    (color, dash) for dash, color in product(("-", (0, (4, 1.5))), _COLORS)
]
_DPI = 200


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
    for i, name in enumerate(names):
        color, dash = _LINES[i % len(_LINES)]
        styles[name] = {"color": color, "linestyle": dash}
    return styles


def region_title(region: int, names: Mapping[int, str] | None) -> str:
    """Name of a region for a title."""
    return (names or {}).get(region, f"region {region}")


def regions_of(tables: Iterable[pd.DataFrame]) -> list[int]:
    """Regions that appear in any of the tables, in order."""
    return sorted({int(region) for table in tables for region in table["region"].unique()})


def tidy(axes: Axes) -> None:
    """Give axes a light grid, no frame above and to the right, and small labels."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_fontsize(9)


def legend(figure: Figure, axes: Axes) -> None:
    """Put the legend of one of its axes above a figure, four entries in a row."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside upper center",
        ncols=min(4, len(labels)),
        frameon=False,
        fontsize=8,
    )


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure as PNG, atomically."""
    with atomic_path(path) as part:
        # no date and version in the file, so that equal numbers give equal bytes
        figure.savefig(part, dpi=_DPI, format="png", metadata={"Software": None})
