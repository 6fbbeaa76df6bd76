"""What a reader sees for a quantity and its unit."""

import textwrap

import pandas as pd

from samflow.errors import SamflowError

_TITLES = {
    "area": "area $A$",
    "area_fraction": "area fraction",
    "interface_length": "interface length $L$",
    "interface_density": "interface density",
    "dimension": "box dimension $D$",
    "upper_height_mean": "upper edge, mean",
    "upper_height_rms": "upper edge, r.m.s.",
    "lower_height_mean": "lower edge, mean",
    "lower_height_rms": "lower edge, r.m.s.",
    "upper_integral_thickness": "upper layer $\\delta$",
    "lower_integral_thickness": "lower layer $\\delta$",
    "upper_10_90_thickness": "upper layer, 10-90 %",
    "lower_10_90_thickness": "lower layer, 10-90 %",
    "area_rate": "d$A$/d$t$",
    "entrainment": "entrainment $E$",
    "front": "front $x_f$",
    "front_speed": "front speed",
    "holes": "holes",
    "hole_ratio": "hole area ratio",
    "islands": "islands",
    "island_ratio": "island area ratio",
    "height": "height $y$",
    "box": "box side $r$",
}
_UNITS = {
    "px": "px",
    "mm": "mm",
    "px2": "px²",
    "mm2": "mm²",
    "per_px": "1/px",
    "per_mm": "1/mm",
    "px_per_s": "px/s",
    "mm_per_s": "mm/s",
    "px2_per_s": "px²/s",
    "mm2_per_s": "mm²/s",
}
# letters that fit beside a row of the smallest height at the size of labels
_WIDTH = 15


def column_of(table: pd.DataFrame, quantity: str) -> tuple[str, str]:
    """Column of a quantity and its unit, read off the column's name.

    Raises
    ------
    SamflowError
        When no column has this quantity.
    """
    for column in map(str, table.columns):
        unit = column.removeprefix(f"{quantity}_")
        if column == quantity or (unit != column and unit in _UNITS):
            return column, _UNITS.get(unit, "")
    raise SamflowError(
        f"there is no quantity '{quantity}' in the table, expected one of "
        f"{', '.join(map(str, table.columns))}: name it without its unit."
    )


def axis_label(quantity: str, unit: str) -> str:
    """Label of an axis: the quantity, and its unit in parentheses.

    Examples
    --------
    >>> axis_label("area_rate", "mm²/s")
    'd$A$/d$t$ (mm²/s)'
    """
    title = _TITLES.get(quantity, quantity.replace("_", " "))
    return f"{title} ({unit})" if unit else title


def narrow_label(quantity: str, unit: str) -> str:
    r"""Give the same label in lines that fit beside a low panel.

    Examples
    --------
    >>> narrow_label("interface_length", "mm")
    'interface\nlength $L$ (mm)'
    """
    return textwrap.fill(axis_label(quantity, unit), _WIDTH, break_long_words=False)
