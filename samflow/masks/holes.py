"""Fill holes in logits: grey-scale reconstruction by way of a minimum spanning tree."""

import cv2
import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

from samflow.errors import SamflowError

# A hole's inside touches its outside over pixel sides only, so a closed curve may be diagonal:
# the same choice as scipy.ndimage.binary_fill_holes.
_CROSS = ndimage.generate_binary_structure(2, 1).astype(np.uint8)
# up to this many holes are filled one by one, each within a small window
_FEW = 40

_Hole = tuple[slice, slice, np.ndarray]
"""Rows and columns of a window (h, w), and the hole's pixels in it, (h, w) bool."""


def fill_holes(
    logits: np.ndarray,
    threshold: float = 0.0,
    max_area: int | None = None,
    in_place: bool = False,
) -> np.ndarray:
    """Raise the holes in each region's logits to the height of their rim.

    Parameters
    ----------
    logits : ndarray
        (N, 1, H, W) or (N, H, W) or (H, W), float.
    threshold : float
        A hole is made of pixels at or below this, enclosed by pixels above it.
    max_area : int, optional
        Largest hole that is filled, in px; by default holes of any size are filled. 0 fills none.
    in_place : bool
        Change `logits` itself: copying an array of many megabytes takes longer than filling it.

    Returns
    -------
    ndarray
        Same shape and dtype; nowhere lower than `logits`, and unchanged away from the holes.

    Notes
    -----
    Grey-scale reconstruction by erosion (Vincent, IEEE Trans. Image Process. 2, 1993; Soille,
    "Morphological Image Analysis", section 6.3.7): each basin is filled up to its lowest way out.
    A region that really is inside the hole can still win the pixel by a higher logit.

    Examples
    --------
    >>> ring = np.array([[[-1, -1, -1, -1, -1],
    ...                   [-1, 3, 3, 3, -1],
    ...                   [-1, 2, -9, 3, -1],
    ...                   [-1, 3, 3, 3, -1],
    ...                   [-1, -1, -1, -1, -1]]], float)
    >>> float(fill_holes(ring)[0, 2, 2])
    2.0
    """
    logits = np.asarray(logits)
    if logits.ndim < 2:
        raise SamflowError(f"expected logits (N, 1, H, W), got shape {logits.shape}.")
    filled = logits if in_place else logits.copy()
    if max_area == 0:
        return filled
    for index in np.ndindex(filled.shape[:-2]):
        _fill_plane(filled[index], threshold, max_area)
    return filled


def _fill_plane(plane: np.ndarray, threshold: float, max_area: int | None) -> None:
    """Fill the holes of one (H, W) plane in place."""
    above = (plane > threshold).view(np.uint8)
    rims = _rims(above)
    if not rims:
        return
    below = above == 0
    largest = plane.size if max_area is None else max_area
    if len(rims) > _FEW:
        holes = [_all_holes(below, largest)]
    else:
        holes = [hole for rim in rims if (hole := _hole_within(below, rim, largest)) is not None]
    # everything at or below the threshold that is no hole to fill is a way out
    way_out = below.copy()
    for rows, columns, mask in holes:
        way_out[rows, columns] &= ~mask
    for hole in holes:
        _fill_hole(plane, way_out, hole)


def _rims(above: np.ndarray) -> list[cv2.typing.Rect]:
    """x, y, width, height of the innermost foreground pixels around each hole."""
    contours, tree = cv2.findContours(above, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if tree is None:
        return []
    parents = tree.reshape(-1, 4)[:, 3]
    return [
        cv2.boundingRect(contour)
        for contour, parent in zip(contours, parents, strict=True)
        if parent >= 0
    ]


def _hole_within(below: np.ndarray, rim: cv2.typing.Rect, largest: int) -> _Hole | None:
    """The hole that a rim encloses, None when it is larger than `largest` px."""
    x, y, width, height = rim
    rows, columns = slice(y, y + height), slice(x, x + width)
    window = below[rows, columns].view(np.uint8)
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(window, connectivity=4)
    # of all pieces, only the hole reaches the rim's inside on all four sides
    reaches = (stats[1:, :4] == (1, 1, width - 2, height - 2)).all(axis=1)
    own = 1 + int(np.flatnonzero(reaches)[0])
    if stats[own, cv2.CC_STAT_AREA] > largest:
        return None
    return rows, columns, numbers == own


def _all_holes(below: np.ndarray, largest: int) -> _Hole:
    """All holes of up to `largest` px together."""
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(below.view(np.uint8), connectivity=4)
    x, y, width, height, area = stats.T
    inside = (x > 0) & (y > 0) & (x + width < below.shape[1]) & (y + height < below.shape[0])
    # component 0 is what lies above the threshold
    inside[0] = False
    return slice(0, below.shape[0]), slice(0, below.shape[1]), (inside & (area <= largest))[numbers]


def _fill_hole(plane: np.ndarray, way_out: np.ndarray, hole: _Hole) -> None:
    """Raise a hole, or all holes together, with the dents around to the lowest way out, in place.

    The way out is looked for nearby first: the edge of a window counts as a way out, and the
    answer holds when the water gets away without crossing it.
    """
    rows, columns, mask = hole
    margin = max(mask.shape) // 2 + 24
    while True:
        top, left = max(rows.start - margin, 0), max(columns.start - margin, 0)
        window = np.s_[top : rows.stop + margin, left : columns.stop + margin]
        part, out = plane[window], way_out[window]
        inner = np.zeros(part.shape, bool)
        inner[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = mask
        level = _flood_level(part, out)
        if part.shape == plane.shape or (_pieces_with(part <= level[inner][0], inner) & out).any():
            break
        margin *= 4
    basins = _pieces_with((level > part) & ~out, inner)
    part[basins] = level[basins]


def _pieces_with(mask: np.ndarray, marked: np.ndarray) -> np.ndarray:
    """The 4-connected pieces of a mask (H, W) bool that hold marked pixels."""
    count, pieces = cv2.connectedComponents(mask.view(np.uint8), connectivity=4)
    chosen = np.zeros(count, bool)
    chosen[pieces[marked & mask]] = True
    return chosen[pieces]


def _flood_level(part: np.ndarray, way_out: np.ndarray) -> np.ndarray:
    """Height up to which water stays on each pixel; it leaves over `way_out` and over the edge.

    Parameters
    ----------
    part : (H, W) float
    way_out : (H, W) bool

    Returns
    -------
    (H, W) float
        Of no meaning on `way_out`.

    Notes
    -----
    The level is the highest pixel of the lowest path out. Each row is cut into valleys, along
    which a pixel reaches the valley's lowest point without rising, so a path between valleys costs
    no more than its highest crossing. Such paths are those of the minimum spanning tree (Hu, Oper.
    Res. 9, 1961) of the valleys, which are far fewer than the pixels.
    """
    valleys, starts = _row_valleys(part, way_out)
    outside = int(valleys[-1, -1]) + 1
    first, second, height = _crossings(part, way_out, valleys, starts)
    exits, exit_height = _exits(part, way_out, valleys)
    first = np.concatenate([first, exits])
    second = np.concatenate([second, np.full(len(exits), outside)])
    # ranks instead of heights: all are positive, and none is rounded
    heights, rank = np.unique(np.concatenate([height, exit_height]), return_inverse=True)
    size = (outside + 1, outside + 1)
    graph = sparse.coo_array((rank + 1.0, (first, second)), shape=size).tocsr()
    level = heights[_highest_on_the_way(minimum_spanning_tree(graph).tocoo(), outside) - 1]
    return np.maximum(level[valleys], part)


def _row_valleys(part: np.ndarray, way_out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number of the valley of each pixel, (H, W) from 0, and where valleys start, (H, W) bool.

    Within a valley the row falls, then rises or stays; ways out have pieces of their own.
    """
    falls = part[:, 1:] < part[:, :-1]
    starts = np.ones(part.shape, bool)
    starts[:, 1:] = way_out[:, 1:] != way_out[:, :-1]
    starts[:, 2:] |= falls[:, 1:] & ~falls[:, :-1]
    return np.cumsum(starts.ravel(), dtype=np.int32).reshape(part.shape) - 1, starts


def _crossings(
    part: np.ndarray, way_out: np.ndarray, valleys: np.ndarray, starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of valleys that touch, each pair once, and the height of the lowest crossing."""
    inner = ~way_out
    left = np.nonzero(starts[:, 1:] & inner[:, 1:] & inner[:, :-1])
    right = (left[0], left[1] + 1)
    # two valleys of neighbouring rows touch along one run of columns
    runs = np.flatnonzero(starts[1:] | starts[:-1])
    higher = np.maximum(part[1:], part[:-1]).ravel()
    lowest = np.minimum.reduceat(higher, runs) if runs.size else higher
    open_runs = (inner[1:] & inner[:-1]).ravel()[runs]
    runs = runs[open_runs]
    return (
        np.concatenate([valleys[left], valleys[:-1].ravel()[runs]]),
        np.concatenate([valleys[right], valleys[1:].ravel()[runs]]),
        np.concatenate([np.maximum(part[left], part[right]), lowest[open_runs]]),
    )


def _exits(
    part: np.ndarray, way_out: np.ndarray, valleys: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Valleys next to a way out or the edge, and the height of their lowest pixel there."""
    beside = cv2.dilate(way_out.view(np.uint8), _CROSS).view(bool)
    beside[[0, -1]] = True
    beside[:, [0, -1]] = True
    beside &= ~way_out
    numbers = valleys[beside]
    lowest = np.full(valleys[-1, -1] + 1, np.inf, part.dtype)
    np.minimum.at(lowest, numbers, part[beside])
    exits = np.flatnonzero(np.bincount(numbers, minlength=lowest.size))
    return exits, lowest[exits]


def _highest_on_the_way(tree: sparse.coo_array, root: int) -> np.ndarray:
    """Highest edge between each node of a tree and its root, (nodes,) int; 0 off the tree."""
    order, parents = breadth_first_order(tree.tocsr(), root, directed=False)
    child = np.where(parents[tree.col] == tree.row, tree.col, tree.row)
    edges = np.zeros(tree.shape[0], int)
    edges[child] = tree.data.astype(int)
    highest, parent = edges.tolist(), parents.tolist()
    for node in order[1:].tolist():
        highest[node] = max(highest[node], highest[parent[node]])
    return np.array(highest)
