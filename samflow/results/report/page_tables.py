"""Tables of the page: each cell a text for the reader and a value for programs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from samflow.results.measures import Measures
from samflow.results.measures.units import pretty_unit, title_of
from samflow.results.metrics import summarise_scores
from samflow.results.report.numbers import UNKNOWN, percent, significant, with_deviation

_OVER_FRAMES = (
    "area",
    "area_fraction",
    "interface_scale",
    "interface_length",
    "dimension",
    "area_rate",
    "holes",
    "islands",
)
_OVER_CLIP = (
    "dimension",
    "upper_height_mean",
    "lower_height_mean",
    "upper_integral_thickness",
    "lower_integral_thickness",
)
# quantities that are never near zero, so that a band in per cent means something
_IN_BAND = (
    "area",
    "interface_length",
    "dimension",
    "upper_height_mean",
    "upper_integral_thickness",
)
Cell = tuple[str, float | None]


class Table(NamedTuple):
    """Caption, heads of the columns (title, unit), rows of two heads and cells."""

    caption: str
    heads: Sequence[tuple[str, str]]
    rows: Sequence[tuple[str, str, Iterable[Cell]]]


def frames_table(measures: Mapping[str, Measures], names: Mapping[int, str]) -> Table:
    """Mean and standard deviation over the frames of each quantity, from `measures.csv`."""

    def cells(own: pd.DataFrame, column: Mapping[str, str]) -> Iterable[Cell]:
        for quantity in _OVER_FRAMES:
            values = own[column[quantity]]
            value, deviation = float(values.mean()), float(values.std(ddof=0))
            yield with_deviation(value, deviation), None if pd.isna(value) else value

    tables = {strategy: measured.frames for strategy, measured in measures.items()}
    caption = "Mean ± standard deviation over all frames; every frame is in measures.csv."
    return _measures_table(caption, tables, names, _OVER_FRAMES, cells)


def clip_table(measures: Mapping[str, Measures], names: Mapping[int, str]) -> Table:
    """Quantities of what is averaged over the whole clip."""

    def cells(own: pd.DataFrame, column: Mapping[str, str]) -> Iterable[Cell]:
        row = own.iloc[0]
        value, low, high = (row[f"dimension{end}"] for end in ("", "_low", "_high"))
        text = f"{significant(value)} ({significant(low)} to {significant(high)})"
        yield (UNKNOWN, None) if pd.isna(value) else (text, value)
        for edge in ("upper_height", "lower_height"):
            value = row[column[f"{edge}_mean"]]
            yield with_deviation(value, row[column[f"{edge}_rms"]]), value
        for quantity in _OVER_CLIP[3:]:
            value = row[column[quantity]]
            yield significant(value), value

    caption = (
        "From what is averaged over the whole clip: box dimension with the range of its local "
        "slopes, mean ± r.m.s. height of the edges above the lower edge of the frame, integral "
        "thickness of the layers above and below the dye."
    )
    tables = {strategy: measured.clip for strategy, measured in measures.items()}
    return _measures_table(caption, tables, names, _OVER_CLIP, cells)


def _measures_table(
    caption: str,
    tables: Mapping[str, pd.DataFrame],
    names: Mapping[int, str],
    quantities: Sequence[str],
    cells: Callable[[pd.DataFrame, Mapping[str, str]], Iterable[Cell]],
) -> Table:
    """Table of measured quantities, a row for each region and strategy."""
    attrs = next(iter(tables.values())).attrs
    column = attrs["quantities"]
    units = {quantity: pretty_unit(attrs["units"][column[quantity]]) for quantity in quantities}
    heads = [(title_of(quantity), unit) for quantity, unit in units.items()]
    rows = [
        (name, strategy, [*cells(table[table["region"] == region], column)])
        for region, name in names.items()
        for strategy, table in tables.items()
    ]
    return Table(caption, [("region", ""), ("strategy", ""), *heads], rows)


def spread_table(band: pd.DataFrame, names: Mapping[int, str]) -> Table:
    """Median of each quantity over strategies and frames, and the mean width of the band."""
    rows = []
    for region, name in names.items():
        for quantity in _IN_BAND:
            column = band.attrs["quantities"][quantity]
            own = band[(band["region"] == region) & (band["quantity"] == column)]
            median, width = own["median"].mean(), (own["high"] - own["low"]).mean()
            share = width / abs(median) if median else float("nan")
            unit = pretty_unit(band.attrs["units"][column])
            sizes = [(f"{significant(value)} {unit}".rstrip(), value) for value in (median, width)]
            wide = (own["likely_high"] - own["likely_low"]).mean()
            likely = wide / abs(median) if median else float("nan")
            shares = [
                (percent(value), None if pd.isna(value) else value) for value in (share, likely)
            ]
            rows.append((name, title_of(quantity), [*sizes, *shares]))
    caption = "Median over strategies and width of both bands, means over frames."
    titles = ("region", "quantity", "median", "band", "band / median", "likely band / median")
    return _plain(caption, titles, rows)


def drift_table(
    starts: pd.DataFrame, times: Mapping[int, float], names: Mapping[int, str]
) -> Table:
    """Where drift starts for each strategy and region."""

    def place(frame: Any) -> Cell:
        if pd.isna(frame):
            return "not seen", None
        return f"frame {frame}, {times[int(frame)]:.2f} s", frame

    rows = []
    for region, name in names.items():
        for row in starts[starts["region"] == region].to_dict("records"):
            mean = (f"{row['mean_drift']:.2f}", row["mean_drift"])
            cells = [mean, place(row["start"]), place(row["worst_frame"])]
            rows.append((name, str(row["strategy"]), cells))
    caption = "Drift score of each strategy, and the frame where drift starts."
    return _plain(caption, ("region", "strategy", "mean", "starts", "worst"), rows)


def score_table(scores: pd.DataFrame, names: Mapping[int, str]) -> Table:
    """J and F against truth, one row for each strategy and region."""
    labels = {str(region): name for region, name in names.items()}
    columns = ("J_mean", "J_last_quarter", "J_worst", "F_mean")
    rows = []
    for strategy, table in scores.groupby("strategy", sort=False):
        for row in summarise_scores(table).to_dict("records"):
            cells = [(f"{row[column]:.3f}", row[column]) for column in columns]
            rows.append((str(strategy), labels.get(row["region"], "all dyes"), cells))
    titles = ("strategy", "region", "J mean", "J last quarter", "J worst frame", "F mean")
    return _plain("Scores against truth, 1 is best.", titles, rows)


def _plain(caption: str, titles: Iterable[str], rows: Sequence[tuple[str, str, Any]]) -> Table:
    return Table(caption, [(title, "") for title in titles], rows)
