"""What all figures share: colours, axes, legend, saving."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from samflow.errors import SamflowError
from samflow.files import atomic_path

_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_LINES: list[tuple[str, Any]] = [
    (color, dash) for dash, color in product(("-", (0, (4, 1.5))), _COLORS)
]
_DPI = 300
_TICK_SIZE, LABEL_SIZE = 7, 8
_FORMATS = {".png": "png", ".pdf": "pdf", ".svg": "svg"}


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
    for i, name in enumerate(dict.fromkeys(names)):
        color, dash = _LINES[i % len(_LINES)]
        styles[name] = {"color": color, "linestyle": dash}
    return styles


def panel_grid(
    titles: Iterable[str], columns: int, width: float, height: float, **options: Any
) -> tuple[Figure, list[Axes]]:
    """Figure with a titled panel for each title, at most `columns` in a row.

    `width` and `height` are inches of the figure and of each row; other options are those of
    `Figure.subplots`.
    """
    titles = list(titles)
    if not titles:
        raise SamflowError("there is nothing to draw: give at least one panel.")
    rows = -(-len(titles) // columns)
    figure = Figure(figsize=(width, rows * height), dpi=100, layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False, **options).flat)
    for axes in panels[len(titles) :]:
        axes.remove()
    for axes, title in zip(panels, titles, strict=False):
        axes.set_title(title, fontsize=10)
    return figure, panels[: len(titles)]


def tidy(axes: Axes) -> None:
    """Give axes a light grid, no frame above and to the right, and small labels."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=_TICK_SIZE)
    axes.yaxis.get_offset_text().set_fontsize(_TICK_SIZE)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_fontsize(LABEL_SIZE)


def log_ticks(axis: Axis, marks: tuple[int, ...] = (1, 3)) -> None:
    """Mark a logarithmic axis at these numbers times powers of ten, which are written out."""
    axis.set_major_locator(LogLocator(subs=marks))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def legend(figure: Figure, axes: Axes) -> None:
    """Put the legend of one of its axes above a figure, as many entries in a row as fit."""
    handles, labels = axes.get_legend_handles_labels()
    # inches of each entry: the line and the gaps, and the name at 7 points
    widths = [0.42 + 0.055 * len(label) for label in labels]
    room = figure.get_figwidth()
    columns = len(labels) if sum(widths) <= room else int(room / max(widths))
    figure.legend(
        handles,
        labels,
        loc="outside upper center",
        ncols=max(1, columns),
        frameon=False,
        fontsize=_TICK_SIZE,
        handlelength=1.6,
        columnspacing=1.2,
    )


def with_note(figure: Figure, note: str) -> Figure:
    """Write a note over a figure, above what stands there; an empty one changes nothing."""
    # a figure's title and a legend outside of its axes would lie over one another
    if note and figure.legends:
        figure.legends[0].set_title(note, FontProperties(size=8, style="italic"))
    elif note:
        figure.suptitle(note, fontsize=8, style="italic")
    return figure


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure atomically, as PNG, PDF or SVG by the name's ending.

    Raises
    ------
    SamflowError
        For another ending, or a file that can't be written.
    """
    kind = _FORMATS.get(Path(path).suffix.lower())
    if kind is None:
        raise SamflowError(
            f"{path} ends with '{Path(path).suffix}', expected {', '.join(_FORMATS)}: rename it."
        )
    # no date and version in the file, so that equal numbers give equal bytes
    blank: dict[str, dict[str, Any]] = {
        "png": {"Software": None},
        "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
        "svg": {"Date": None, "Creator": None},
    }
    with atomic_path(path) as part, rc_context({"svg.hashsalt": "samflow"}):
        figure.savefig(part, dpi=_DPI, format=kind, metadata=blank[kind])
