"""Tables of the page: cells with a text for the reader and a value for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from samflow.results.measures import Measures
from samflow.results.measures.units import pretty_unit, title_of
from samflow.results.metrics import summarise_scores
from samflow.results.report.numbers import (
    UNKNOWN,
    percent,
    significant,
    with_deviation,
)

_OVER_FRAMES = (
    "area",
    "area_fraction",
    "interface_length",
    "dimension",
    "area_rate",
    "holes",
    "islands",
)
# quantities that are never near zero, so that a band in per cent means something
_IN_BAND = (
    "area",
    "interface_length",
    "dimension",
    "upper_height_mean",
    "upper_integral_thickness",
)


@dataclass(frozen=True)
class Cell:
    """Text of a cell, the exact number behind it, and whether it heads its row."""

    text: str
    value: float | None = None
    head: bool = False


@dataclass(frozen=True)
class Table:
    """Caption, heads of the columns (title, unit), rows of cells."""

    caption: str
    heads: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[Cell]]


def frames_table(measures: Mapping[str, Measures], names: Mapping[int, str]) -> Table:
    """Mean and standard deviation over the frames of each quantity, from `measures.csv`."""
    first = next(iter(measures.values())).frames
    columns = [first.attrs["quantities"][quantity] for quantity in _OVER_FRAMES]
    rows = []
    for region, name in names.items():
        for strategy, measured in measures.items():
            own = measured.frames[measured.frames["region"] == region]
            cells = [_mean_cell(own[column]) for column in columns]
            rows.append([Cell(name, head=True), Cell(strategy, head=True), *cells])
    caption = "Mean ± standard deviation over all frames; every frame is in measures.csv."
    return Table(caption, _heads(first, _OVER_FRAMES), rows)


def clip_table(measures: Mapping[str, Measures], names: Mapping[int, str]) -> Table:
    """Quantities of what is averaged over the whole clip."""
    first = next(iter(measures.values())).clip
    column = first.attrs["quantities"]
    rows = []
    for region, name in names.items():
        for strategy, measured in measures.items():
            (row,) = measured.clip[measured.clip["region"] == region].to_dict("records")
            cells = [
                _dimension_cell(row),
                *(
                    _with_deviation(row[column[f"{edge}_mean"]], row[column[f"{edge}_rms"]])
                    for edge in ("upper_height", "lower_height")
                ),
                *(
                    Cell(significant(row[column[key]]), row[column[key]])
                    for key in ("upper_integral_thickness", "lower_integral_thickness")
                ),
            ]
            rows.append([Cell(name, head=True), Cell(strategy, head=True), *cells])
    caption = (
        "From what is averaged over the whole clip: box dimension with the range of its local "
        "slopes, mean ± r.m.s. height of the edges above the lower edge of the frame, integral "
        "thickness of the layers above and below the dye."
    )
    quantities = (
        "dimension",
        "upper_height_mean",
        "lower_height_mean",
        "upper_integral_thickness",
        "lower_integral_thickness",
    )
    return Table(caption, _heads(first, quantities), rows)


def spread_table(band: pd.DataFrame, names: Mapping[int, str]) -> Table:
    """Median of each quantity over strategies and frames, and the mean width of the band."""
    units, columns = band.attrs["units"], band.attrs["quantities"]
    rows = []
    for region, name in names.items():
        for quantity in _IN_BAND:
            column = columns[quantity]
            own = band[(band["region"] == region) & (band["quantity"] == column)]
            median, width = own["median"].mean(), (own["high"] - own["low"]).mean()
            share = width / abs(median) if median else float("nan")
            unit = pretty_unit(units[column])
            rows.append(
                [
                    Cell(name, head=True),
                    Cell(title_of(quantity), head=True),
                    Cell(f"{significant(median)} {unit}".rstrip(), median),
                    Cell(f"{significant(width)} {unit}".rstrip(), width),
                    Cell(percent(share), share),
                ]
            )
    heads = [("region", ""), ("quantity", ""), ("median", ""), ("band", ""), ("band / median", "")]
    return Table("Median over strategies and width of the band, means over frames.", heads, rows)


def drift_table(
    starts: pd.DataFrame, times: Mapping[int, float], names: Mapping[int, str]
) -> Table:
    """Where drift starts for each strategy and region."""
    rows = []
    for region, name in names.items():
        for row in starts[starts["region"] == region].to_dict("records"):
            start = row["start"]
            begun = Cell("not seen") if pd.isna(start) else Cell(_place(int(start), times), start)
            rows.append(
                [
                    Cell(name, head=True),
                    Cell(str(row["strategy"]), head=True),
                    Cell(f"{row['mean_drift']:.2f}", row["mean_drift"]),
                    begun,
                    Cell(_place(row["worst_frame"], times), row["worst_frame"]),
                ]
            )
    heads = [("region", ""), ("strategy", ""), ("mean", ""), ("starts", ""), ("worst", "")]
    return Table("Drift score of each strategy, and the frame where drift starts.", heads, rows)


def score_table(scores: pd.DataFrame, names: Mapping[int, str]) -> Table:
    """J and F against truth, one row for each strategy and region."""
    labels = {str(region): name for region, name in names.items()}
    columns = ("J_mean", "J_last_quarter", "J_worst", "F_mean")
    rows = []
    for strategy, table in scores.groupby("strategy", sort=False):
        for row in summarise_scores(table).to_dict("records"):
            cells = [Cell(f"{row[column]:.3f}", row[column]) for column in columns]
            region = labels.get(row["region"], "all dyes")
            rows.append([Cell(str(strategy), head=True), Cell(region, head=True), *cells])
    titles = ("strategy", "region", "J mean", "J last quarter", "J worst frame", "F mean")
    return Table("Scores against truth, 1 is best.", [(title, "") for title in titles], rows)


def _heads(table: pd.DataFrame, quantities: Sequence[str]) -> list[tuple[str, str]]:
    units, columns = table.attrs["units"], table.attrs["quantities"]
    named = [(title_of(quantity), pretty_unit(units[columns[quantity]])) for quantity in quantities]
    return [("region", ""), ("strategy", ""), *named]


def _mean_cell(values: pd.Series) -> Cell:
    known = values.dropna()
    if known.empty:
        return Cell(UNKNOWN)
    return _with_deviation(float(known.mean()), float(known.std(ddof=0)))


def _with_deviation(value: float, deviation: float) -> Cell:
    return Cell(with_deviation(value, deviation), value)


def _dimension_cell(row: Mapping[Any, Any]) -> Cell:
    value, low, high = (row[f"dimension{end}"] for end in ("", "_low", "_high"))
    if pd.isna(value):
        return Cell(UNKNOWN)
    return Cell(f"{significant(value)} ({significant(low)} to {significant(high)})", value)


def _place(frame: int, times: Mapping[int, float]) -> str:
    return f"frame {frame}, {times[frame]:.2f} s"
