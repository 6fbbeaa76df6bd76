"""Scores against truth, and drift without truth, frame by frame."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from samflow.results.plots.region_panels import RegionPanels, region_title, regions_of
from samflow.results.plots.style import check_tables, legend, line_styles, tidy


def plot_scores(
    scores: Mapping[str, pd.DataFrame],
    *,
    names: Mapping[int, str] | None = None,
    score: str = "J",
    order: Sequence[str] = (),
) -> Figure:
    """Draw a score per frame for each strategy: the mean over regions large, each region small.

    Parameters
    ----------
    scores : mapping of strategy name to pandas.DataFrame
        Tables of `samflow.results.metrics.score_track`, columns `frame`, `region` and the score.
    names : mapping of int to str, optional
        Names of the regions for the titles, such as {1: "upper dye"}.
    score : str
        The column to draw: "J" or "F".
    order : sequence of str
        Names in the order of their colours, as in `line_panels`.
    """
    check_tables(scores, ("frame", "region", score))
    regions, styles = regions_of(scores.values()), line_styles([*order, *scores])
    figure = Figure(figsize=(7.2, 5.4), layout="constrained")
    grid = figure.add_gridspec(2, len(regions), height_ratios=(2, 1.1))
    large = figure.add_subplot(grid[0, :])
    small = [figure.add_subplot(grid[1, i], sharex=large) for i in range(len(regions))]
    for strategy, table in scores.items():
        mean = table.groupby("frame")[score].mean()
        label = f"{strategy} (mean {mean.mean():.2f})"
        large.plot(mean.index, mean, **styles[strategy], linewidth=2.2, label=label)
        for axes, region in zip(small, regions, strict=True):
            rows = table[table["region"] == region]
            axes.plot(rows["frame"], rows[score], **styles[strategy], linewidth=1.1)
    # down to the tenth below the lowest score: curves that all lie near 1 stay apart
    lowest = min(table[score].min() for table in scores.values())
    low = max(0.0, np.floor(10 * lowest - 1e-9) / 10)
    meaning = {"J": "region similarity $J$", "F": "boundary measure $F$"}.get(score, score)
    large.set_title("Mean over regions", fontsize=10)
    large.set_ylabel(meaning)
    for axes, region in zip(small, regions, strict=True):
        axes.set_title(region_title(region, names), fontsize=9)
    small[0].set_ylabel(f"${score}$")
    for axes in (large, *small):
        tidy(axes)
        axes.set(xlabel="frame", ylim=(low - 0.02 * (1 - low), 1 + 0.02 * (1 - low)))
    legend(figure, large)
    return figure


def plot_drift(
    scores: pd.DataFrame,
    *,
    starts: pd.DataFrame | None = None,
    threshold: float | None = None,
    names: Mapping[int, str] | None = None,
    order: Sequence[str] = (),
) -> Figure:
    """Draw the drift score of each strategy per frame, one panel for each region.

    Parameters
    ----------
    scores : pandas.DataFrame
        What `samflow.results.metrics.drift_scores` returns.
    starts : pandas.DataFrame, optional
        What `samflow.results.metrics.drift_start` returns: drawn as a dot where drift starts.
    threshold : float, optional
        Drawn as a grey line: the threshold that the starts were found with.
    names, order
        As in `plot_scores`.
    """
    check_tables({"drift": scores}, ("frame", "strategy", "region", "drift"))
    tables = {str(name): part for name, part in scores.groupby("strategy", sort=False)}
    panels = RegionPanels(regions_of([scores]), {"drift": ("drift score", 1.7)}, names, sharey=True)
    styles = panels.lines(tables, "frame", order, linewidth=1.1)
    if starts is not None:
        begun = starts.rename(columns={"start": "frame"})
        begun = begun.merge(scores, on=["strategy", "region", "frame"])
        for _, own, axes in panels.parts(begun):
            for row in own.to_dict("records"):
                color = styles[row["strategy"]]["color"]
                axes.plot(row["frame"], row["drift"], "o", color=color, markersize=5)
    for axes in panels.grid.flat:
        axes.set_ylim(0, 1)
        if threshold is not None:
            axes.axhline(threshold, color="0.6", linewidth=1, zorder=1)
    return panels.finish("frame")
