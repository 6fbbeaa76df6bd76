"""Tables of results on the terminal."""

from typing import Any

from rich.table import Table

from samflow.cli.app import console

_SHOWN = (
    "area_fraction",
    "interface_length",
    "dimension",
    "upper_height_mean",
    "upper_integral_thickness",
)


def print_scores(summary: Any, names: dict[str, str]) -> None:
    """Table of J: mean, last quarter, worst frame, for each strategy and region."""
    table = Table(
        "strategy", "region", "J mean", "J last quarter", "J worst (frame)", "F mean", box=None
    )
    for row in summary.itertuples():
        table.add_row(
            row.strategy,
            names.get(row.region, "all dyes"),
            f"{row.J_mean:.3f}",
            f"{row.J_last_quarter:.3f}",
            f"{row.J_worst:.3f} ({row.J_worst_frame})",
            f"{row.F_mean:.3f}",
        )
    console.print(table)


def print_measures(tables: dict[str, Any], names: dict[int, str]) -> None:
    """Table of a few quantities of the whole clip, for each strategy and region."""
    from samflow.results.measures.units import title_of

    attrs = next(iter(tables.values())).attrs
    columns = [attrs["quantities"][quantity] for quantity in _SHOWN]
    units = [attrs["units"][column] for column in columns]
    titles = map(title_of, _SHOWN)
    heads = [f"{title}, {unit}".rstrip(", ") for title, unit in zip(titles, units, strict=True)]
    table = Table("strategy", "region", *heads, box=None)
    for strategy, measured in tables.items():
        for row in measured.to_dict("records"):
            values = [f"{row[column]:.4g}" for column in columns]
            table.add_row(strategy, names[row["region"]], *values)
    console.print(table)
