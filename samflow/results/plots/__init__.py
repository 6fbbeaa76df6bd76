"""Figures of scores, drift, measures and the benchmark: returned, and saved by the caller.

Each function returns its `matplotlib.figure.Figure`, which a notebook shows when it is the last
value of a cell, and refuses with a `SamflowError` tables that are empty or lack a column.

Figures are made with matplotlib's object-oriented interface, so that nothing here depends on or
changes pyplot's state. Two regions fit one column of a page at its true size. Colours are those of
Okabe and Ito, which stay apart for colour-blind readers; from the eighth line on they repeat with
dashes.
"""

from samflow.results.plots.benchmark_plots import plot_benchmark, plot_benchmark_time
from samflow.results.plots.measure_plots import (
    plot_box_counts,
    plot_lengths,
    plot_measures,
    plot_profiles,
    plot_spread,
)
from samflow.results.plots.score_plots import plot_drift, plot_scores
from samflow.results.plots.style import save_figure, with_note

__all__ = [
    "plot_benchmark",
    "plot_benchmark_time",
    "plot_box_counts",
    "plot_drift",
    "plot_lengths",
    "plot_measures",
    "plot_profiles",
    "plot_scores",
    "plot_spread",
    "save_figure",
    "with_note",
]
