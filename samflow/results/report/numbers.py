"""Numbers and units as a reader sees them."""

import math

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
# what stands for a number that is not known
UNKNOWN = "–"


def significant(value: float, digits: int = 3) -> str:
    """Give a number with some significant digits, powers of ten only where they are needed.

    Examples
    --------
    >>> [significant(value) for value in (0.20838, 750.1875, 12345.6, 2.5e-6, float("nan"))]
    ['0.208', '750', '12346', '2.50×10⁻⁶', '–']
    """
    if not math.isfinite(value):
        return UNKNOWN
    if value == 0:
        return "0"
    power = math.floor(math.log10(abs(value)))
    if -4 < power < 6:
        return minus(f"{value:.{max(0, digits - 1 - power)}f}")
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return minus(f"{mantissa}×10{str(int(exponent)).translate(_SUPERSCRIPTS)}")


def with_deviation(value: float, deviation: float) -> str:
    """Give a value and its standard deviation with the same decimals.

    The deviation has one significant digit, or two when the first is a one.

    Examples
    --------
    >>> with_deviation(246.83, 8.62), with_deviation(0.0657, 0.0013), with_deviation(3.0, 0.0)
    ('247 ± 9', '0.0657 ± 0.0013', '3.00')
    """
    if not (math.isfinite(value) and math.isfinite(deviation)) or deviation == 0:
        return significant(value)
    if abs(value) >= 1e6 or deviation < 1e-4:
        return f"{significant(value)} ± {significant(deviation, 2)}"
    power = math.floor(math.log10(deviation))
    decimals = max(0, (1 if deviation < 2 * 10**power else 0) - power)
    return minus(f"{value:.{decimals}f} ± {deviation:.{decimals}f}")


def percent(share: float) -> str:
    """Give a share in per cent.

    Examples
    --------
    >>> percent(0.2146), percent(0.0031), percent(1.0)
    ('21.5 %', '0.310 %', '100 %')
    """
    return f"{significant(100 * share)} %" if math.isfinite(share) else UNKNOWN


def minus(text: str) -> str:
    """Give a number's text with a minus sign instead of a hyphen."""
    return text.replace("-", "−")
