"""What a reader sees for a quantity and its unit."""

import textwrap

import pandas as pd

from samflow.errors import SamflowError
from samflow.results.measures.units import (
    QUANTITIES,
    pretty_unit,
    quantity_and_unit,
    title_of,
)

# letters that fit next to a row of the smallest height at the size of labels
_WIDTH = 15


def column_of(table: pd.DataFrame, quantity: str) -> tuple[str, str]:
    """Column of a quantity and its unit, read off the column's name.

    Raises
    ------
    SamflowError
        When no column has this quantity.
    """
    for column in map(str, table.columns):
        name, unit = quantity_and_unit(column)
        if name == quantity:
            return column, "" if unit == "1" else pretty_unit(unit)
    raise SamflowError(
        f"there is no quantity '{quantity}' in the table, expected one of "
        f"{', '.join(map(str, table.columns))}: name it without its unit."
    )


def axis_label(quantity: str, unit: str) -> str:
    """Label of an axis: the quantity, its symbol, and its unit in parentheses.

    Examples
    --------
    >>> axis_label("area", "mm²"), axis_label("holes", "")
    ('area $A$ (mm²)', 'holes')
    """
    symbol = QUANTITIES[quantity].symbol if quantity in QUANTITIES else ""
    return " ".join(filter(None, [title_of(quantity), symbol, f"({unit})" if unit else ""]))


def narrow_label(quantity: str, unit: str) -> str:
    r"""Give the same label in lines that fit next to a low panel.

    Examples
    --------
    >>> narrow_label("interface_length", "mm")
    'interface\nlength $L$ (mm)'
    """
    return textwrap.fill(axis_label(quantity, unit), _WIDTH, break_long_words=False)
