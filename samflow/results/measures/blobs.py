"""Pieces of a dye: holes, islands, where it touches the frame, and its front."""

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Direction = Literal["right", "left", "up", "down"]


class Blobs(NamedTuple):
    """Holes in a dye and islands of it.

    Attributes
    ----------
    holes, islands : int
        How many there are.
    hole_ratio, island_ratio : float
        Their area divided by the dye's; NaN without dye.
    """

    holes: int
    hole_ratio: float
    islands: int
    island_ratio: float


def holes_and_islands(
    mask: NDArray[np.bool_], min_area_px: int = 1, fluid: NDArray[np.bool_] | None = None
) -> Blobs:
    """Count the holes in a dye and the islands apart from its largest piece.

    A hole is a piece of the rest (pixels joined along sides) that touches neither the frame's
    edge nor, when `fluid` is given, anything that is not fluid. Pieces of dye are joined along
    sides and corners. Counts and areas are exact.

    Parameters
    ----------
    mask : (H, W) array of bool
        The dye.
    min_area_px : int
        Smaller holes and islands are left out.
    fluid : (H, W) array of bool, optional
        Where there is fluid.

    Returns
    -------
    Blobs

    References
    ----------
    .. [1] arXiv:2310.19086, holes and islands of turbulent regions by count and area ratio.

    Examples
    --------
    >>> mask = np.zeros((9, 9), bool)
    >>> mask[1:6, 1:6] = True
    >>> mask[3, 3] = False
    >>> mask[7, 7] = True
    >>> holes_and_islands(mask)
    Blobs(holes=1, hole_ratio=0.04, islands=1, island_ratio=0.04)
    """
    area = np.count_nonzero(mask)
    if not area:
        return Blobs(0, math.nan, 0, math.nan)
    outside = np.pad(np.zeros_like(mask) if fluid is None else ~fluid, 1, constant_values=True)
    rest, _ = ndimage.label(np.pad(~mask, 1, constant_values=True) | outside)
    sizes = np.bincount(rest.ravel())
    sizes[0] = 0
    sizes[np.unique(rest[outside])] = 0
    holes = sizes[sizes >= max(min_area_px, 1)]

    pieces, _ = ndimage.label(mask, structure=np.ones((3, 3)))
    islands = np.sort(np.bincount(pieces.ravel())[1:])[:-1]
    islands = islands[islands >= min_area_px]
    return Blobs(len(holes), float(holes.sum() / area), len(islands), float(islands.sum() / area))


def frame_contact(mask: NDArray[np.bool_]) -> int:
    """Length of the frame's edge that the dye touches, in pixels; 0 when it lies wholly inside."""
    return int(mask[0].sum() + mask[-1].sum() + mask[:, 0].sum() + mask[:, -1].sum())


def front_position(
    mask: NDArray[np.bool_], direction: Direction = "right", cover_px: int = 3
) -> float:
    """Position of the dye's front: how far it reaches in a direction.

    Parameters
    ----------
    mask : (H, W) array of bool
        The dye.
    direction : {"right", "left", "up", "down"}
        Where the front moves to.
    cover_px : int
        A column (a row for "up" and "down") belongs to the dye when it holds at least this many
        pixels of it, so that a speck is no front.

    Returns
    -------
    float
        Distance in pixels from the edge of the frame behind the front (the left edge for "right",
        the lower edge for "up"). NaN without dye, and when the dye reaches the edge ahead: its
        front has left the frame. Exact to one pixel.

    Examples
    --------
    >>> mask = np.zeros((20, 30), bool)
    >>> mask[5:10, :12] = True
    >>> front_position(mask)
    12.0
    """
    covered = mask.sum(axis=0 if direction in ("right", "left") else 1) >= cover_px
    if direction in ("left", "up"):
        covered = covered[::-1]
    reached = np.flatnonzero(covered)
    if not reached.size or reached[-1] == len(covered) - 1:
        return math.nan
    return float(reached[-1] + 1)
