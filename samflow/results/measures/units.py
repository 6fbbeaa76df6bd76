"""The measured quantities: titles and units; columns in pixels get a unit in their name."""

import math
from typing import NamedTuple

import pandas as pd

from samflow.errors import SamflowError


class Quantity(NamedTuple):
    """What a measured quantity is called and what it is measured in.

    Parameters
    ----------
    title : str
        For readers.
    length, time : int
        Powers of length and time in its unit.
    symbol : str
        For figures, as matplotlib's mathematics.
    """

    title: str
    length: int = 0
    time: int = 0
    symbol: str = ""


# columns that are not here have no unit, and their name for a title
QUANTITIES = {
    "time": Quantity("time", time=1, symbol="$t$"),
    "duration": Quantity("duration", time=1),
    "area": Quantity("area", 2, symbol="$A$"),
    "area_fraction": Quantity("area fraction"),
    "interface_scale": Quantity("interface scale", 1, symbol="$s$"),
    "interface_length": Quantity("interface length", 1, symbol="$L$"),
    "interface_density": Quantity("interface density", -1),
    "dimension": Quantity("box dimension", symbol="$D$"),
    "richardson_dimension": Quantity("Richardson dimension", symbol="$D$"),
    "upper_height_mean": Quantity("upper edge", 1),
    "upper_height_rms": Quantity("upper edge, r.m.s.", 1),
    "lower_height_mean": Quantity("lower edge", 1),
    "lower_height_rms": Quantity("lower edge, r.m.s.", 1),
    "upper_integral_thickness": Quantity("layer above", 1, symbol=r"$\delta$"),
    "lower_integral_thickness": Quantity("layer below", 1, symbol=r"$\delta$"),
    "upper_10_90_thickness": Quantity("layer above, 10-90 %", 1),
    "lower_10_90_thickness": Quantity("layer below, 10-90 %", 1),
    "area_rate": Quantity("dA/dt", 2, -1),
    "entrainment": Quantity("entrainment", 2, -1, "$E$"),
    "front": Quantity("front", 1, symbol="$x_f$"),
    "front_speed": Quantity("front speed", 1, -1),
    "frame_contact": Quantity("contact with the frame's edge", 1),
    "hole_ratio": Quantity("hole area ratio"),
    "island_ratio": Quantity("island area ratio"),
    "height": Quantity("height", 1, symbol="$y$"),
    "box": Quantity("box side", 1, symbol="$r$"),
    "scale": Quantity("scale", 1, symbol="$s$"),
}


def title_of(quantity: str) -> str:
    """Title of a quantity for readers.

    Examples
    --------
    >>> title_of("area_rate"), title_of("holes")
    ('dA/dt', 'holes')
    """
    return _quantity(quantity).title


def _quantity(name: str) -> Quantity:
    return QUANTITIES.get(name) or Quantity(name.replace("_", " "))


def length_unit(mm_per_px: float | None) -> tuple[float, str]:
    """Units per pixel and the name of the unit: ("px" without a scale, else "mm").

    Raises
    ------
    SamflowError
        When the scale is not a finite number above 0.

    Examples
    --------
    >>> length_unit(None), length_unit(0.25)
    ((1.0, 'px'), (0.25, 'mm'))
    """
    if mm_per_px is None:
        return 1.0, "px"
    if not (math.isfinite(mm_per_px) and mm_per_px > 0):
        raise SamflowError(
            f"the scale is {mm_per_px} mm per pixel, expected a number above 0: "
            "measure a known length in the frame, or leave the scale out for pixels."
        )
    return float(mm_per_px), "mm"


def unit_of(quantity: str, length: str) -> str:
    """Give the unit of a quantity as text, such as "mm2/s"; "" for a pure number.

    Examples
    --------
    >>> unit_of("area_rate", "mm"), unit_of("interface_density", "px"), unit_of("holes", "px")
    ('mm2/s', '1/px', '')
    """
    _, space, time, _ = _quantity(quantity)
    above = [f"{length}{space if space > 1 else ''}"] * (space > 0) + ["s"] * (time > 0)
    below = [length] * (space < 0) + ["s"] * (time < 0)
    if not above and not below:
        return ""
    return "".join(above or ["1"]) + "".join(f"/{unit}" for unit in below)


def pretty_unit(unit: str) -> str:
    """Give a unit with raised digits.

    Examples
    --------
    >>> pretty_unit("mm2/s"), pretty_unit("1/px"), pretty_unit("")
    ('mm²/s', '1/px', '')
    """
    return unit.replace("2", "²")


def column_name(quantity: str, length: str) -> str:
    """Column name of a quantity: its name and its unit.

    Examples
    --------
    >>> column_name("area_rate", "mm"), column_name("interface_density", "px")
    ('area_rate_mm2_per_s', 'interface_density_per_px')
    """
    unit = unit_of(quantity, length)
    if not unit:
        return quantity
    return f"{quantity}_{unit}".replace("_1/", "_per_").replace("/", "_per_")


def quantity_and_unit(column: str) -> tuple[str, str]:
    """Split what `column_name` gives into the quantity and its unit; "1" for a pure number.

    Examples
    --------
    >>> quantity_and_unit("area_rate_mm2_per_s"), quantity_and_unit("dimension")
    (('area_rate', 'mm2/s'), ('dimension', '1'))
    """
    for quantity in QUANTITIES:
        for length in ("px", "mm"):
            if column == column_name(quantity, length):
                return quantity, unit_of(quantity, length) or "1"
    return column, "1"


def with_units(table: pd.DataFrame, mm_per_px: float | None) -> pd.DataFrame:
    """Give a table in pixels and seconds in its final units, named in columns and `attrs`.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns named by quantity, lengths in pixels.
    mm_per_px : float or None
        The scale; None keeps pixels.

    Returns
    -------
    pandas.DataFrame
        Lengths in mm where a scale is given; `attrs` holds `units` (column to unit), `quantities`
        (quantity to column) and `mm_per_px`.

    Examples
    --------
    >>> table = with_units(pd.DataFrame({"frame": [0], "area": [100.0]}), 0.5)
    >>> table.to_dict("list"), table.attrs["units"]
    ({'frame': [0], 'area_mm2': [25.0]}, {'frame': '', 'area_mm2': 'mm2'})
    """
    scale, length = length_unit(mm_per_px)
    result = table.copy()
    names = {str(quantity): column_name(str(quantity), length) for quantity in table.columns}
    for quantity in names:
        space = _quantity(quantity).length
        if space:
            result[quantity] = result[quantity] * scale**space
    result = result.rename(columns=names)
    result.attrs = {
        "units": {name: unit_of(quantity, length) for quantity, name in names.items()},
        "quantities": names,
        "mm_per_px": mm_per_px,
    }
    return result
