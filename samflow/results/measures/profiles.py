"""Heights and profiles: how a dye is spread across the channel.

Heights are measured upwards from the lower edge of the frame, in pixels here: the centre of pixel
row i of H rows is at height H - i - 1/2.
"""

import math

import numpy as np
from numpy.typing import NDArray

_THICKNESSES = (
    "upper_integral_thickness",
    "lower_integral_thickness",
    "upper_10_90_thickness",
    "lower_10_90_thickness",
)


def row_heights(rows: int) -> NDArray[np.float64]:
    """Heights of the centres of the pixel rows, from the top row to the bottom row.

    Examples
    --------
    >>> row_heights(3).tolist()
    [2.5, 1.5, 0.5]
    """
    return rows - 0.5 - np.arange(rows, dtype=np.float64)


def intermittency(
    mask: NDArray[np.bool_], fluid: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Share of each pixel row that the dye covers, from the top row to the bottom row.

    Averaged over frames this is the intermittency profile gamma(y) = <M>, M being 1 in the dye
    and 0 elsewhere.

    Parameters
    ----------
    mask : (H, W) array of bool
        The dye.
    fluid : (H, W) array of bool, optional
        Where there is fluid; shares are those of the fluid, NaN in a row without any.

    Returns
    -------
    (H,) array of float64
        In [0, 1].

    References
    ----------
    .. [1] S. Corrsin and A. L. Kistler, "Free-stream boundaries of turbulent flows", NACA Report
       1244 (1955).
    """
    if fluid is None:
        return np.asarray(mask.mean(axis=1))
    present = fluid.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray((mask & fluid).sum(axis=1) / np.where(present > 0, present, np.nan))


def edge_heights(mask: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Heights of the upper and the lower edge of the dye in each column.

    Where the interface folds over, the outermost crossing counts: the envelope. Columns without
    dye are left out.

    Parameters
    ----------
    mask : (H, W) array of bool
        The dye.

    Returns
    -------
    upper, lower : (C,) array of float64
        Heights in pixels at the outer sides of the outermost pixels.

    Notes
    -----
    An edge lies on a pixel side, so a single value is off by up to half a pixel. For a sine
    interface of amplitude 10 px the mean and the r.m.s. (amplitude / sqrt 2) are right to 0.1 px.

    Examples
    --------
    >>> mask = np.zeros((10, 3), bool)
    >>> mask[2:5, 1:] = True
    >>> [edge.tolist() for edge in edge_heights(mask)]
    [[8.0, 8.0], [5.0, 5.0]]
    """
    columns = mask.any(axis=0)
    dye = mask[:, columns]
    upper = len(mask) - dye.argmax(axis=0)
    lower = dye[::-1].argmax(axis=0)
    return upper.astype(np.float64), lower.astype(np.float64)


def mean_and_rms(values: NDArray[np.float64]) -> tuple[float, float]:
    """Mean, and root mean square of the deviations from it; NaN without values."""
    if not values.size:
        return math.nan, math.nan
    return float(values.mean()), float(values.std())


def layer_thickness(concentration: NDArray[np.float64]) -> dict[str, float]:
    """Thickness of the mixing layers on both sides of a dye, from its profile over height.

    The profile is split at the mean height of the dye; the layer above is that between the dye
    and what lies over it, the one below likewise.

    Parameters
    ----------
    concentration : (H,) array of float
        C(y) = <M> from the top row to the bottom row; NaN rows (no fluid) are left out.

    Returns
    -------
    dict of str to float
        `upper_integral_thickness`, `lower_integral_thickness`: the integral of 4 C (1 - C) over
        height, in pixels.
        `upper_10_90_thickness`, `lower_10_90_thickness`: the distance between the outermost
        heights where C passes 0.1 and 0.9, interpolated linearly; NaN where C does not reach both
        inside the frame.

    Notes
    -----
    For C = (1 + tanh(2 y / d)) / 2 the integral is d, and the 10-90 % thickness 1.099 d. A linear
    ramp of width w gives 2 w / 3 and 0.8 w; a sine interface of amplitude a averaged over whole
    wavelengths 16 a / pi^2 and 1.902 a. Tests reach these within 0.7 px.
    A mask is 0 or 1 at each point, so C is a share of space and time, not a degree of mixing.

    Examples
    --------
    >>> ramp = np.clip((np.arange(200) - 99.5) / 60 + 0.5, 0, 1)
    >>> thickness = layer_thickness(ramp)
    >>> [round(thickness[f"upper_{kind}_thickness"], 1) for kind in ("integral", "10_90")]
    [40.0, 48.0]
    """
    known = concentration[~np.isnan(concentration)]
    if not known.size or known.max() <= 0:
        return dict.fromkeys(_THICKNESSES, math.nan)
    # unlike the largest value the mean height moves smoothly from frame to frame
    middle = round(float(np.average(np.arange(known.size), weights=known)))
    spread = 4 * known * (1 - known)
    half = spread[middle] / 2
    values = (
        float(spread[:middle].sum() + half),
        float(spread[middle + 1 :].sum() + half),
        _distance_10_90(known),
        _distance_10_90(known[::-1]),
    )
    return dict(zip(_THICKNESSES, values, strict=True))


def _distance_10_90(profile: NDArray[np.float64]) -> float:
    """Rows between the first places where a profile, seen from outside, passes 0.1 and 0.9."""
    places = []
    for level in (0.1, 0.9):
        reached = np.flatnonzero(profile >= level)
        if not reached.size or reached[0] == 0:
            return math.nan
        i = int(reached[0])
        places.append(i - (profile[i] - level) / (profile[i] - profile[i - 1]))
    return float(places[1] - places[0])
