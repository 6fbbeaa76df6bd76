"""The dye benchmark: scores of every clip and strategy, at a glance and over time."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from samflow.results.plots.line_plots import line_panels
from samflow.results.plots.style import check_tables

_SIZE = 8


def plot_benchmark(
    matrix: pd.DataFrame, *, baselines: Sequence[str] = (), score: str = "J"
) -> Figure:
    """Draw a map of scores: a row for each clip, a column for each strategy, the best framed.

    Parameters
    ----------
    matrix : pandas.DataFrame
        Mean score in [0, 1], clips by strategies.
    baselines : sequence of str
        Columns that stand apart from the others; they are the last ones.
    score : str
        Name of the score for the colour bar.
    """
    check_tables({"benchmark": matrix}, ())
    rows, columns = matrix.shape
    figure = Figure(figsize=(1.8 + 0.62 * columns, 1.3 + 0.3 * rows), layout="constrained")
    axes = figure.add_subplot()
    values = matrix.to_numpy(dtype=float)
    # below 0.3 a mask is of no use, so that the colours tell the rest apart
    image = axes.imshow(values, cmap="cividis", vmin=0.3, vmax=1.0, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        best = value == np.nanmax(values[row])
        color = "black" if value > 0.68 else "white"
        weight = "bold" if best else "normal"
        text = f"{value:.2f}" if np.isfinite(value) else "-"
        axes.text(
            column, row, text, ha="center", va="center", color=color, size=_SIZE, weight=weight
        )
        if best:
            frame = Rectangle(
                (column - 0.46, row - 0.44), 0.92, 0.88, fill=False, ec="#d55e00", lw=1.6
            )
            axes.add_patch(frame)
    split = columns - sum(name in baselines for name in matrix.columns)
    if 0 < split < columns:
        axes.axvline(split - 0.5, color="white", linewidth=4)
    axes.set_xticks(range(columns), list(matrix.columns), rotation=35, ha="right", size=_SIZE)
    axes.set_yticks(range(rows), list(matrix.index), size=_SIZE)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, extend="min", pad=0.02)
    bar.set_label(f"mean ${score}$", size=_SIZE)
    bar.ax.tick_params(labelsize=_SIZE - 1)
    return figure


def plot_benchmark_time(
    scores: pd.DataFrame, *, strong: Sequence[str] = (), score: str = "J"
) -> Figure:
    """Draw a score per frame, one panel for each clip.

    Parameters
    ----------
    scores : pandas.DataFrame
        Columns `clip`, `strategy`, `frame` and the score, one value each.
    strong : sequence of str
        Strategies in colour; the others are thin grey lines. By default all are in colour.
    score : str
        The column to draw.
    """
    check_tables({"benchmark": scores}, ("clip", "strategy", "frame", score))
    panels = {
        str(clip): {
            str(name): rows.set_index("frame")[score]
            for name, rows in part.groupby("strategy", sort=False)
        }
        for clip, part in scores.groupby("clip", sort=False)
    }
    others = set(scores["strategy"]) - set(strong) if strong else ()
    return line_panels(panels, ylabel=f"${score}$", ylim=(-0.02, 1.02), others=[*others])
