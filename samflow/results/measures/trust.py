"""The smallest scale that can be trusted: from there on, masks made in different ways agree."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from samflow.errors import SamflowError

# share of the masks that must agree
_SHARE = 0.8


@dataclass(frozen=True)
class TrustedScale:
    """The smallest scale that interface lengths can be trusted at.

    Attributes
    ----------
    scale_px : float
        The scale in pixels.
    agreed : bool
        False when the lengths agree at no scale: then `scale_px` is the coarsest one, and lengths
        are not to be trusted at all.
    table : pandas.DataFrame
        `scale` in pixels and `disagreement`: half the range of the lengths at that scale over the
        middle of the range, the 80 % quantile over masks.
    """

    scale_px: float
    agreed: bool
    table: pd.DataFrame


def trusted_scale(
    scales_px: NDArray[np.float64],
    lengths: Mapping[str, NDArray[np.float64]],
    tolerance: float = 0.08,
    finest_px: float = 0.0,
) -> TrustedScale:
    """Find the smallest scale from which on masks made in different ways have like lengths.

    Parameters
    ----------
    scales_px : (S,) array of float
        Scales in pixels, increasing.
    lengths : mapping of name to (N, S) array of float
        Interface lengths of the same N masks (frames and regions) as each way of making them has
        them, at all scales, such as `lengths_at_scales` gives.
    tolerance : float
        Lengths agree when half their range is at most this share of the middle of the range, on
        80 % of the masks. With 0.08, validation clips had their true length within 0.1.
    finest_px : float
        No smaller scale is trusted: what the masks were drawn on has no finer structure, so that
        they agree there and are all wrong.

    Returns
    -------
    TrustedScale
        Its scale and all coarser ones are within the tolerance.

    Raises
    ------
    SamflowError
        With fewer than two ways, no mask, or arrays of different shapes.

    Notes
    -----
    Masks that lose what is thinner than w, one more and the other less, have different lengths at
    scales below w and the same above. Agreement is necessary for trust, but not enough: what all
    ways lose alike is not seen. Colour-sharpened masks belong among the ways for that reason: they
    have their edges from the frame, not from a network.

    Examples
    --------
    >>> scales = np.array([2.0, 4.0, 8.0])
    >>> lengths = {"a": np.array([[90.0, 60.0, 50.0]]), "b": np.array([[60.0, 55.0, 51.0]])}
    >>> trusted_scale(scales, lengths).scale_px
    4.0
    """
    arrays = list(lengths.values())
    shapes = {array.shape for array in arrays}
    if len(arrays) < 2 or len(shapes) != 1 or arrays[0].shape[1:] != scales_px.shape:
        raise SamflowError(
            f"lengths of {len(arrays)} ways with the shapes {sorted(shapes)} were given, expected "
            f"at least two of (masks, {len(scales_px)}): measure the same masks at every scale."
        )
    if not len(arrays[0]):
        raise SamflowError("there is no mask to find a scale with: give at least one frame.")
    stack = np.stack(arrays)
    low, high = stack.min(axis=0), stack.max(axis=0)
    # where no way has any interface they agree
    apart = np.divide(high - low, high + low, out=np.zeros_like(low), where=high > 0)
    disagreement = np.quantile(apart, _SHARE, axis=0)
    above = np.flatnonzero((disagreement > tolerance) | (scales_px < finest_px * 0.999))
    first = int(above[-1]) + 1 if len(above) else 0
    agreed = first < len(scales_px)
    return TrustedScale(
        float(scales_px[min(first, len(scales_px) - 1)]),
        agreed,
        pd.DataFrame({"scale": scales_px, "disagreement": disagreement}),
    )


def scale_sentence(attrs: Mapping[Any, Any]) -> str:
    """Say what scale the lengths of a table are given at, and how far it can be trusted.

    Parameters
    ----------
    attrs : mapping
        `attrs` of a table of a measured run.

    Examples
    --------
    >>> scale_sentence({"options": {"scale_px": 4.0}, "mm_per_px": None, "trusted_scale_px": 8.0,
    ...                 "scale_agreed": False})
    'Interfaces are measured at a scale of 4 px: thinner threads do not count. The strategies and \
their colour-sharpened masks agree at no scale up to 8 px: lengths are not to be trusted.'
    """
    used, trusted, per_px = (
        attrs["options"]["scale_px"],
        attrs["trusted_scale_px"],
        attrs["mm_per_px"],
    )

    def named(scale: float) -> str:
        return f"{scale:.3g} px" + (f" ({scale * per_px:.3g} mm)" if per_px else "")

    text = f"Interfaces are measured at a scale of {named(used)}: thinner threads do not count. "
    if not attrs["scale_agreed"]:
        return text + (
            "The strategies and their colour-sharpened masks agree at no scale up to "
            f"{named(trusted)}: lengths are not to be trusted."
        )
    text += (
        f"From {named(trusted)} on, lengths of the strategies and of their colour-sharpened masks "
        "agree within 8 % on 80 % of the masks"
    )
    if used < trusted * 0.999:
        return text + ": those at the smaller scale asked for are not to be trusted."
    return text + "."
