"""Units of the measured quantities: columns in pixels become columns with a unit in their name."""

import math

import pandas as pd

from samflow.errors import SamflowError

# quantity -> (power of length, power of time); quantities that are not here have no unit
DIMENSIONS: dict[str, tuple[int, int]] = {
    "time": (0, 1),
    "area": (2, 0),
    "interface_length": (1, 0),
    "interface_density": (-1, 0),
    "upper_height_mean": (1, 0),
    "upper_height_rms": (1, 0),
    "lower_height_mean": (1, 0),
    "lower_height_rms": (1, 0),
    "upper_integral_thickness": (1, 0),
    "lower_integral_thickness": (1, 0),
    "upper_10_90_thickness": (1, 0),
    "lower_10_90_thickness": (1, 0),
    "front": (1, 0),
    "front_speed": (1, -1),
    "area_rate": (2, -1),
    "entrainment": (2, -1),
    "frame_contact": (1, 0),
    "height": (1, 0),
    "box": (1, 0),
    "duration": (0, 1),
}


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
            "measure a known length in the picture, or leave the scale out for pixels."
        )
    return float(mm_per_px), "mm"


def unit_of(quantity: str, length: str) -> str:
    """Give the unit of a quantity as text, such as "mm2/s"; "" for a pure number.

    Examples
    --------
    >>> unit_of("area_rate", "mm"), unit_of("interface_density", "px"), unit_of("holes", "px")
    ('mm2/s', '1/px', '')
    """
    space, time = DIMENSIONS.get(quantity, (0, 0))
    above = [f"{length}{space if space > 1 else ''}"] * (space > 0) + ["s"] * (time > 0)
    below = [length] * (space < 0) + ["s"] * (time < 0)
    if not above and not below:
        return ""
    return "".join(above or ["1"]) + "".join(f"/{unit}" for unit in below)


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
    for quantity in DIMENSIONS:
        for length in ("px", "mm"):
            if column == column_name(quantity, length):
                return quantity, unit_of(quantity, length)
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
        space, _ = DIMENSIONS.get(quantity, (0, 0))
        if space:
            result[quantity] = result[quantity] * scale**space
    result = result.rename(columns=names)
    result.attrs = {
        "units": {name: unit_of(quantity, length) for quantity, name in names.items()},
        "quantities": names,
        "mm_per_px": mm_per_px,
    }
    return result
