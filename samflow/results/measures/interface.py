"""The interface of a dye: sub-pixel contours, their length, and box counting.

The interface is where the dye meets anything else inside the frame. The frame's edge is no
interface, and neither is the border of the fluid when a mask of the fluid is given.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import find_contours

# box counts are averaged over this many shifts of the grid along each axis
_SHIFTS = 4


def interface_contours(
    mask: NDArray[np.bool_], smoothing_px: float = 1.0, fluid: NDArray[np.bool_] | None = None
) -> list[NDArray[np.float64]]:
    """Sub-pixel contours of a mask.

    The mask is smoothed with a Gaussian and the level 0.5 is followed by marching squares. The
    contour of the bare mask would be a staircase, up to 8 % too long.

    Parameters
    ----------
    mask : (H, W) array of bool
        The dye.
    smoothing_px : float
        Standard deviation of the Gaussian in pixels; 0 for none. Filaments thinner than 1.35
        standard deviations vanish: those of one pixel with the default.
    fluid : (H, W) array of bool, optional
        Where there is fluid. Smoothing takes only fluid into account, and contours stop at its
        border.

    Returns
    -------
    list of (N, 2) array of float64
        Points (y, x) of each contour in pixels, integer at pixel centres. A closed contour ends
        where it starts.
    """
    field = _smooth(mask.astype(np.float32), smoothing_px)
    if fluid is not None:
        share = _smooth(fluid.astype(np.float32), smoothing_px)
        inside = _smooth((mask & fluid).astype(np.float32), smoothing_px)
        field = np.divide(inside, share, out=np.zeros_like(inside), where=share > 0)
    if min(mask.shape) < 2:
        return []
    return list(find_contours(field, 0.5, mask=fluid))


def interface_length(contours: list[NDArray[np.float64]]) -> float:
    """Length of contours in pixels: the sum of the lengths of their segments.

    Notes
    -----
    Errors with the default smoothing, found in the tests: straight lines 0.15 % short to 1.2 %
    long, by angle, 0.5 % long on average; discs of radius 13 to 150 px within 0.9 %; sines of
    amplitude 10 px and wavelength 100 px, or 40 and 300 px, within 0.6 %. What is small is
    rounded off: a square of 100 px is 0.9 % short, discs of radius 10 px up to 1.4 % and of
    5 px up to 3.5 %, a sine of amplitude 5 px and wavelength 20 px up to 3.6 %. A contour that
    ends at the frame's edge ends at the outer pixels' centres, half a pixel early.

    Examples
    --------
    >>> y, x = np.mgrid[:120, :120]
    >>> disc = (x - 60) ** 2 + (y - 60) ** 2 <= 40**2
    >>> round(interface_length(interface_contours(disc)) / (2 * np.pi * 40), 2)
    1.0
    """
    return float(sum(np.hypot(*np.diff(line, axis=0).T).sum() for line in contours))


def box_sizes(size: tuple[int, ...]) -> NDArray[np.float64]:
    """Box sizes in pixels for a frame (H, W): from 2 to half the shorter side in steps of sqrt 2.

    Examples
    --------
    >>> box_sizes((32, 64)).round(2).tolist()
    [2.0, 2.83, 4.0, 5.66, 8.0, 11.31, 16.0]
    """
    steps = max(0, math.floor(2 * math.log2(max(min(size), 4) / 4) + 1e-9))
    return np.asarray(2.0 * 2.0 ** (np.arange(steps + 1) / 2))


def box_counts(
    mask: NDArray[np.bool_],
    sizes: NDArray[np.float64],
    fluid: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Count the boxes of each size that hold a part of the interface.

    Parameters
    ----------
    mask : (H, W) array of bool
        The dye.
    sizes : (S,) array of float
        Sides of the boxes in pixels, at least 1.
    fluid : (H, W) array of bool, optional
        Where there is fluid; edges between fluid and anything else don't count.

    Returns
    -------
    (S,) array of float64
        Mean number of boxes over 4 x 4 shifts of the grid; 0 without an interface.

    Notes
    -----
    The interface is taken from the bare mask, as the middles of all pixel edges between dye and
    anything else: smoothing would hide structure up to ten times its own scale.
    """
    points = _edge_points(mask, fluid)
    if not len(points):
        return np.zeros(len(sizes))
    shifts = np.stack(np.meshgrid(np.arange(_SHIFTS), np.arange(_SHIFTS)), -1).reshape(-1, 1, 2)
    counts = []
    for side in sizes:
        boxes = np.floor(points / side + shifts / _SHIFTS).astype(np.int64)
        rows, columns = boxes.max(axis=(0, 1)) + 1
        grids = np.arange(len(shifts))[:, None]
        codes = (grids * rows + boxes[..., 0]) * columns + boxes[..., 1]
        counts.append(np.count_nonzero(np.bincount(codes.ravel())) / len(shifts))
    return np.asarray(counts)


def local_slopes(sizes: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Local box-counting dimension D(r) = -d log N / d log r at each size.

    Central differences, one-sided at the ends; NaN where N is 0. A range of r where D(r) is flat
    is where a single dimension means something.

    References
    ----------
    .. [1] H. J. Catrakis and P. E. Dimotakis, "Mixing in turbulent jets: scalar measures and
       isosurface geometry", J. Fluid Mech. 317 (1996): the scale-dependent dimension.
    """
    if len(sizes) < 2:
        return np.full(len(sizes), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = -np.gradient(np.log(counts), np.log(sizes))
    return np.where(counts > 0, slopes, np.nan)


def box_dimension(
    sizes: NDArray[np.float64],
    counts: NDArray[np.float64],
    fit_range_px: tuple[float, float],
) -> tuple[float, float, float]:
    """Box-counting dimension: D in N(r) ~ r^-D by least squares over a range of box sizes.

    Parameters
    ----------
    sizes, counts : (S,) array of float
        What `box_sizes` and `box_counts` return.
    fit_range_px : tuple of float
        Smallest and largest box of the fit in pixels, both included.

    Returns
    -------
    dimension : float
        D of the interface in the plane, 1 for a smooth line. NaN when fewer than three sizes lie
        in the range or there is no interface.
    low, high : float
        Smallest and largest local slope in the range: far apart, D depends on the scale and one
        number does not describe the interface.

    Notes
    -----
    Errors over the default range of `measure_track` (4 px to an eighth of the shorter side), in
    the tests: Koch snowflake of 1200 px (D = log 4 / log 3 = 1.2619) 0.8 % low, one of 400 px
    5 % low (its detail ends at the pixel); discs, sines and lines (D = 1) within 1 %, 2 % low
    where they end at the frame's edge, 4 % low for a diagonal; scattered pixels (D = 2) 5 % low.
    If a surface cut by the plane is isotropic, its dimension in space is D + 1 [1]_.

    References
    ----------
    .. [1] C. M. de Silva, J. Philip, K. Chauhan, C. Meneveau and I. Marusic, "Multiscale geometry
       and scaling of the turbulent-nonturbulent interface in high Reynolds number boundary
       layers", Phys. Rev. Lett. 111, 044501 (2013).
    """
    inside = fit_mask(sizes, fit_range_px)
    if np.count_nonzero(inside) < 3 or not np.all(counts[inside] > 0):
        return math.nan, math.nan, math.nan
    slopes = local_slopes(sizes, counts)[inside]
    fit: Any = np.polyfit(np.log(sizes[inside]), np.log(counts[inside]), 1)
    return -float(fit[0]), float(slopes.min()), float(slopes.max())


def fit_mask(sizes: NDArray[np.float64], fit_range_px: tuple[float, float]) -> NDArray[np.bool_]:
    """Tell which box sizes lie in the fit range, with room for rounding."""
    low, high = fit_range_px
    return np.asarray((sizes >= low * 0.999) & (sizes <= high * 1.001))


def _smooth(field: NDArray[np.float32], smoothing_px: float) -> NDArray[np.float32]:
    if smoothing_px <= 0:
        return field
    return np.asarray(ndimage.gaussian_filter(field, smoothing_px, mode="nearest"))


def _edge_points(mask: NDArray[np.bool_], fluid: NDArray[np.bool_] | None) -> NDArray[np.float64]:
    down, right = mask[1:] != mask[:-1], mask[:, 1:] != mask[:, :-1]
    if fluid is not None:
        down &= fluid[1:] & fluid[:-1]
        right &= fluid[:, 1:] & fluid[:, :-1]
    # in coordinates of the frame's corner: the pixel (y, x) covers y to y + 1 and x to x + 1
    below = np.argwhere(down) + np.array([1.0, 0.5])
    beside = np.argwhere(right) + np.array([0.5, 1.0])
    return np.concatenate([below, beside])
