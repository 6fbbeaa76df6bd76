"""Rates of change along true timestamps."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samflow.errors import SamflowError


def check_timestamps(
    timestamps: Sequence[float] | NDArray[np.float64], frames: int
) -> NDArray[np.float64]:
    """Give timestamps as float64 seconds, after checking them.

    Raises
    ------
    SamflowError
        When there are none, not one for each frame, or when they don't increase.
    """
    if timestamps is None:
        raise SamflowError(
            "no timestamps were given, expected one in seconds for each frame: "
            "pass the video's timestamps."
        )
    times = np.asarray(timestamps, dtype=np.float64)
    if times.shape != (frames,):
        raise SamflowError(
            f"{times.size} timestamps came with {frames} frames, expected one for each frame: "
            "pass those of the frames in the track."
        )
    wrong = np.flatnonzero(~(np.diff(times) > 0))
    if not np.all(np.isfinite(times)) or wrong.size:
        place = int(wrong[0]) + 1 if wrong.size else 0
        raise SamflowError(
            f"timestamp {place} is {times[place]} s after {times[max(place - 1, 0)]} s, expected "
            "finite times that increase: check the video, or pass frame numbers divided by the fps."
        )
    return times


def rate_of_change(times: ArrayLike, values: ArrayLike, window: int = 9) -> NDArray[np.float64]:
    """Time derivative of a series: the slope of a parabola fitted to the frames around each one.

    Parameters
    ----------
    times : (T,) array of float
        Seconds, increasing; the steps may differ.
    values : (T,) array of float
        The series; NaN where it is unknown.
    window : int
        How many frames the parabola is fitted to (least squares): the frame itself and those
        nearest to it, fewer at the ends. 3 is the plain central difference.

    Returns
    -------
    (T,) array of float64
        Per second. NaN where the value is unknown or fewer than three frames of the window are
        known (two frames give their difference quotient when the series has no more).

    Notes
    -----
    A parabola is followed exactly. Independent noise of standard deviation s in the values gives
    s sqrt(12 / (n^3 - n)) / dt in the rate away from the ends, for a window of n frames dt apart;
    changes faster than the window are smoothed away. This is a Savitzky-Golay filter for any
    time steps [1]_.

    References
    ----------
    .. [1] A. Savitzky and M. J. E. Golay, "Smoothing and differentiation of data by simplified
       least squares procedures", Anal. Chem. 36 (1964).

    Examples
    --------
    >>> t = np.array([0.0, 0.1, 0.3, 0.4, 0.5])
    >>> rate_of_change(t, 2 + 3 * t - 4 * t**2, window=3).round(6).tolist()
    [3.0, 2.2, 0.6, -0.2, -1.0]
    """
    t, v = np.asarray(times, dtype=np.float64), np.asarray(values, dtype=np.float64)
    rates = np.full(len(t), np.nan)
    window = min(window, len(t))
    needed = min(3, len(t))
    for i in map(int, np.flatnonzero(np.isfinite(v))):
        start = min(max(i - window // 2, 0), len(t) - window)
        part = slice(start, start + window)
        known = np.isfinite(v[part])
        if needed < 2 or np.count_nonzero(known) < needed:
            continue
        # centred and scaled to the window, so that the fit is well conditioned
        offset = t[part][known] - t[i]
        scale = np.abs(offset).max()
        powers = np.vander(offset / scale, N=min(3, needed), increasing=True)
        rates[i] = np.linalg.lstsq(powers, v[part][known], rcond=None)[0][1] / scale
    return rates
