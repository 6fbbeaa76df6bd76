"""Figures of scores and measures, as PNG files.

Figures are made with matplotlib's object-oriented interface, so that nothing here depends on or
changes pyplot's state. Colours are those of Okabe and Ito, which stay apart for colour-blind
readers; from the eighth line on they repeat with dashes.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from samflow.errors import SamflowError
from samflow.files import atomic_path

_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_LINES = [(color, dash) for dash, color in product(("-", (0, (4, 1.5))), _COLORS)]
_DPI = 200


def plot_scores(
    scores: Mapping[str, pd.DataFrame],
    path: str | Path,
    *,
    names: Mapping[int, str] | None = None,
    score: str = "J",
) -> None:
    """Draw a score per frame for each strategy: the mean over regions large, each region small.

    Parameters
    ----------
    scores : mapping of strategy name to pandas.DataFrame
        Tables of `samflow.metrics.score_track`, columns `frame`, `region` and the score.
    path : str or Path
        The PNG file to write.
    names : mapping of int to str, optional
        Names of the regions for the titles, such as {1: "upper dye"}.
    score : str
        The column to draw: "J" or "F".

    Raises
    ------
    SamflowError
        When there is no table, a table is empty or lacks the score, or the file can't be written.
    """
    _check_tables(scores, ("frame", "region", score))
    regions = sorted({int(region) for table in scores.values() for region in table["region"]})
    figure = Figure(figsize=(7.2, 5.4), layout="constrained")
    grid = figure.add_gridspec(2, len(regions), height_ratios=(2, 1.1))
    large = figure.add_subplot(grid[0, :])
    small = [figure.add_subplot(grid[1, i], sharex=large) for i in range(len(regions))]
    for (strategy, table), (color, dash) in zip(scores.items(), _line_styles(scores), strict=True):
        mean = table.groupby("frame")[score].mean()
        label = f"{strategy} (mean {mean.mean():.2f})"
        large.plot(mean.index, mean, color=color, linestyle=dash, linewidth=2.2, label=label)
        for axes, region in zip(small, regions, strict=True):
            rows = table[table["region"] == region]
            axes.plot(rows["frame"], rows[score], color=color, linestyle=dash, linewidth=1.1)
    meaning = {"J": "region similarity $J$", "F": "boundary measure $F$"}.get(score, score)
    large.set_title("Mean over regions", fontsize=10)
    large.set_ylabel(meaning)
    for axes, region in zip(small, regions, strict=True):
        axes.set_title((names or {}).get(region, f"region {region}"), fontsize=9)
    small[0].set_ylabel(f"${score}$")
    for axes in (large, *small):
        _tidy(axes)
        axes.set_ylim(-0.02, 1.02)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
        axes.set_xlabel("frame")
    figure.legend(loc="outside upper center", ncols=min(4, len(scores)), frameon=False, fontsize=8)
    _save(figure, path)


def _check_tables(tables: Mapping[str, pd.DataFrame], columns: Sequence[str]) -> None:
    if not tables:
        raise SamflowError("there is nothing to plot: give at least one strategy's table.")
    for name, table in tables.items():
        missing = [column for column in columns if column not in table.columns]
        if missing or table.empty:
            raise SamflowError(
                f"the table of '{name}' has {len(table)} rows and lacks the columns {missing}, "
                f"expected {', '.join(columns)}: pass the table as samflow made it."
            )


def _line_styles(names: Mapping[str, object]) -> list[tuple[str, str | tuple[int, object]]]:
    return [_LINES[i % len(_LINES)] for i in range(len(names))]  # type: ignore[misc]


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_fontsize(9)


def _save(figure: Figure, path: str | Path) -> None:
    with atomic_path(path) as part:
        # no date and version in the file, so that equal numbers give equal bytes
        figure.savefig(part, dpi=_DPI, format="png", metadata={"Software": None})
