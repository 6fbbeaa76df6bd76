"""Drift without truth, frame by frame."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from samflow.plots.style import (
    check_tables,
    legend,
    line_styles,
    region_title,
    regions_of,
    save,
    tidy,
)


def plot_drift(
    scores: pd.DataFrame,
    path: str | Path,
    *,
    starts: pd.DataFrame | None = None,
    threshold: float | None = None,
    names: Mapping[int, str] | None = None,
) -> None:
    """Draw the drift score of each strategy per frame, one panel for each region.

    Parameters
    ----------
    scores : pandas.DataFrame
        What `samflow.metrics.drift_scores` returns.
    path : str or Path
        The PNG file to write.
    starts : pandas.DataFrame, optional
        What `samflow.metrics.drift_start` returns: drawn as a dot where drift starts.
    threshold : float, optional
        Drawn as a grey line: the threshold that the starts were found with.
    names : mapping of int to str, optional
        Names of the regions for the titles.

    Raises
    ------
    SamflowError
        When the table is empty or lacks a column, or the file can't be written.
    """
    check_tables({"drift": scores}, ("frame", "strategy", "region", "drift"))
    strategies = list(dict.fromkeys(scores["strategy"]))
    regions, styles = regions_of([scores]), line_styles(strategies)
    figure = Figure(figsize=(max(4.0, 3.6 * len(regions)), 3.2), layout="constrained")
    panels = figure.subplots(1, len(regions), sharey=True, squeeze=False)[0]
    for region, axes in zip(regions, panels, strict=True):
        if threshold is not None:
            axes.axhline(threshold, color="0.6", linewidth=1, zorder=1)
        for strategy in strategies:
            rows = scores[(scores["region"] == region) & (scores["strategy"] == strategy)]
            values = rows.set_index("frame")["drift"]
            axes.plot(values.index, values, linewidth=1.4, label=strategy, **styles[strategy])
            if starts is not None:
                found = starts[(starts["region"] == region) & (starts["strategy"] == strategy)]
                frames = [int(frame) for frame in found["start"].dropna()]
                color = styles[strategy]["color"]
                axes.plot(frames, values.reindex(frames), "o", color=color, markersize=6)
        axes.set_title(region_title(region, names), fontsize=9)
        axes.set_xlabel("frame")
        axes.set_ylim(0, 1)
        tidy(axes)
    panels[0].set_ylabel("drift score", fontsize=9)
    legend(figure, panels[0])
    save(figure, path)
