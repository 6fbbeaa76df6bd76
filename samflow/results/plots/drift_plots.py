"""Drift without truth, frame by frame."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from samflow.results.plots.style import check_tables, finish, line_styles, region_grid, regions_of


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
    names : mapping of int to str, optional
        Names of the regions for the titles.
    order : sequence of str
        Names in the order of their colours, as in `line_panels`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    SamflowError
        When the table is empty or lacks a column.
    """
    check_tables({"drift": scores}, ("frame", "strategy", "region", "drift"))
    strategies = list(dict.fromkeys(scores["strategy"]))
    regions, styles = regions_of([scores]), line_styles([*order, *strategies])
    figure, grid = region_grid(regions, names, [1.7], sharey=True)
    (panels,) = grid
    for region, axes in zip(regions, panels, strict=True):
        if threshold is not None:
            axes.axhline(threshold, color="0.6", linewidth=1, zorder=1)
        for strategy in strategies:
            rows = scores[(scores["region"] == region) & (scores["strategy"] == strategy)]
            values = rows.set_index("frame")["drift"]
            style = styles[strategy] | {"linewidth": 1.1, "label": strategy}
            axes.plot(values.index, values, **style)
            if starts is not None:
                found = starts[(starts["region"] == region) & (starts["strategy"] == strategy)]
                frames = [int(frame) for frame in found["start"].dropna()]
                color = styles[strategy]["color"]
                axes.plot(frames, values.reindex(frames), "o", color=color, markersize=5)
        axes.set_xlabel("frame")
    panels[0].set_ylim(0, 1)
    panels[0].set_ylabel("drift score")
    return finish(figure, grid)
