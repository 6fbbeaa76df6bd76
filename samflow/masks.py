"""Pure conversions between logits, label maps, boxes and mask prompts."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

import cv2
import numpy as np
from scipy import ndimage
from skimage.morphology import reconstruction

from samflow.errors import SamflowError

# A hole's inside touches its outside over pixel sides only, so a closed curve may be diagonal:
# the same choice as scipy.ndimage.binary_fill_holes.
_CROSS = ndimage.generate_binary_structure(2, 1)


def fill_holes(
    logits: np.ndarray, threshold: float = 0.0, max_area: int | None = None
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
    filled = logits.copy()
    if max_area == 0:
        return filled
    for plane in filled.reshape(-1, *logits.shape[-2:]):
        _fill_plane(plane, threshold, max_area)
    return filled


def _fill_plane(plane: np.ndarray, threshold: float, max_area: int | None) -> None:
    """Fill the holes of one (H, W) plane in place."""
    below = (plane <= threshold).view(np.uint8)
    _, components, stats, _ = cv2.connectedComponentsWithStats(below, connectivity=4)
    x, y, width, height, area = stats.T
    inside = (x > 0) & (y > 0) & (x + width < plane.shape[1]) & (y + height < plane.shape[0])
    # component 0 is what lies above the threshold
    inside[0] = False
    is_hole = inside if max_area is None else inside & (area <= max_area)
    if not is_hole.any():
        return
    holes = is_hole[components]
    # nothing outside the foreground around the holes can be part of their rim
    enclosing = ((plane > threshold) | holes).view(np.uint8)
    _, around = cv2.connectedComponents(enclosing, connectivity=8)
    around = np.isin(around, np.unique(around[holes]))
    rows, columns = (np.flatnonzero(around.any(axis=axis)) for axis in (1, 0))
    window = np.s_[
        max(rows[0] - 1, 0) : rows[-1] + 2,
        max(columns[0] - 1, 0) : columns[-1] + 2,
    ]
    part, hole_part = plane[window], holes[window]
    # everything at or below the threshold that is no hole to fill is a way out, and so is the edge
    way_out = (part <= threshold) & ~hole_part
    way_out[[0, -1]] = True
    way_out[:, [0, -1]] = True
    seed = np.where(way_out, part, part.max())
    level = reconstruction(seed, part, method="erosion", footprint=_CROSS)
    _, basins = cv2.connectedComponents((level > part).view(np.uint8), connectivity=4)
    chosen = np.isin(basins, np.unique(basins[hole_part])) & (basins > 0)
    part[chosen] = level[chosen]


def logits_to_labels(
    logits: np.ndarray,
    threshold: float = 0.0,
    background: Iterable[int] = (),
    ids: Sequence[int] | None = None,
) -> np.ndarray:
    """Merge regions: each pixel takes the region with the highest logit above the threshold.

    Parameters
    ----------
    logits : ndarray
        (N, 1, H, W) or (N, H, W) float. Of equal logits the first region's wins.
    threshold : float
        Where no logit exceeds it, the label is 0.
    background : iterable of int
        Ids of background regions: they compete, then become 0.
    ids : sequence of int, optional
        The label of each region; by default 1..N.

    Returns
    -------
    ndarray
        (H, W) uint8 label map.

    Examples
    --------
    >>> logits_to_labels(np.array([[[5.0, -1.0, 2.0]], [[4.0, -2.0, 3.0]]]), background=[2])
    array([[1, 0, 0]], dtype=uint8)
    """
    logits = np.asarray(logits)
    if logits.ndim not in (3, 4) or (logits.ndim == 4 and logits.shape[1] != 1):
        raise SamflowError(f"expected logits (N, 1, H, W), got shape {logits.shape}.")
    planes = logits.reshape(logits.shape[0], *logits.shape[-2:])  # (N, H, W)
    values = np.asarray(range(1, len(planes) + 1) if ids is None else ids, int)
    if len(values) != len(planes):
        raise SamflowError(f"expected one id for each of {len(planes)} regions, got {len(values)}.")
    if len(values) == 0:
        return np.zeros(planes.shape[1:], np.uint8)
    if values.min() < 1 or values.max() > 254:
        raise SamflowError(f"region ids must lie in 1..254, got {values.tolist()}.")
    labels = np.where(planes.max(axis=0) > threshold, values[planes.argmax(axis=0)], 0)
    return without_labels(labels.astype(np.uint8), background)


def without_labels(labels: np.ndarray, ids: Iterable[int]) -> np.ndarray:
    """Set the pixels of some labels to 0.

    Parameters
    ----------
    labels : ndarray
        (H, W) uint8.
    ids : iterable of int

    Returns
    -------
    ndarray
        (H, W) uint8, a copy.
    """
    keep = np.ones(256, np.uint8)
    keep[list(ids)] = 0
    return labels * keep[labels]


def labels_to_boxes(labels: np.ndarray, ids: Iterable[int]) -> dict[int, list[int] | None]:
    """Tight bounding box of each label.

    Parameters
    ----------
    labels : ndarray
        (H, W) uint8.
    ids : iterable of int

    Returns
    -------
    dict of int to list of int or None
        [x0, y0, x1, y1] in px, x1 and y1 exclusive; None for a label with no pixel.

    Examples
    --------
    >>> labels_to_boxes(np.array([[0, 1, 1], [0, 0, 1]], np.uint8), [1, 2])
    {1: [1, 0, 3, 2], 2: None}
    """
    boxes: dict[int, list[int] | None] = {}
    for region_id in ids:
        mask = labels == region_id
        rows = np.flatnonzero(mask.any(axis=1))
        columns = np.flatnonzero(mask.any(axis=0))
        boxes[region_id] = (
            [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]
            if rows.size
            else None
        )
    return boxes


def labels_to_one_hot(labels: np.ndarray, ids: Sequence[int]) -> np.ndarray:
    """One mask a label.

    Parameters
    ----------
    labels : ndarray
        (H, W) uint8.
    ids : sequence of int

    Returns
    -------
    ndarray
        (N, H, W) bool, in the order of `ids`.
    """
    return labels[None] == np.asarray(list(ids), labels.dtype)[:, None, None]


def mask_to_low_res_logits(
    mask: np.ndarray,
    image_size: int = 1024,
    mask_size: int = 256,
    value: float = 18.0,
    coverage: float = 0.0,
) -> np.ndarray:
    """Turn a binary mask into the low-resolution logits that SAM takes as a mask prompt.

    Parameters
    ----------
    mask : ndarray
        (H, W) bool, or numbers of which 0 is outside.
    image_size : int
        Side of the model's square input, px (`Sam.image_size`).
    mask_size : int
        Side of the model's low-resolution logits, cells (`Sam.mask_size`).
    value : float
        Foreground cells become `value`, all others, padding included, `-value`.
    coverage : float
        A cell is foreground when the share of it that the mask covers exceeds this, in [0, 1).

    Returns
    -------
    ndarray
        (1, mask_size, mask_size) float32.

    Notes
    -----
    The inverse of SAM's post-processing (`Sam.postprocess_masks`): the mask is scaled like the
    image, longest side to `image_size`, padded right and bottom to a square, and reduced to cells.
    A cell's share is the exact area of the mask inside it, so that a thread thinner than a cell is
    not lost. The decoder's own outputs lie within about +-18; given 0 and 1, SAM finds background
    everywhere.

    Examples
    --------
    >>> mask_to_low_res_logits(np.ones((2, 4), bool), image_size=8, mask_size=4)[0].tolist()[1:3]
    [[18.0, 18.0, 18.0, 18.0], [-18.0, -18.0, -18.0, -18.0]]
    """
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise SamflowError(f"expected a mask (H, W), got shape {mask.shape}.")
    if not 0 <= coverage < 1:
        raise SamflowError(f"coverage is a share in [0, 1), got {coverage}.")
    scale = image_size / max(mask.shape)
    # rounded like segment_anything's ResizeLongestSide
    down, across = (
        _overlap(length, int(length * scale + 0.5), image_size, mask_size) for length in mask.shape
    )
    share = down @ (mask != 0).astype(np.float64) @ across.T  # (mask_size, mask_size)
    # sums of exact shares may miss 0 or `coverage` by rounding
    foreground = share > coverage + 1e-9
    return np.where(foreground, value, -value).astype(np.float32)[None]


@lru_cache(maxsize=16)
def _overlap(length: int, resized: int, image_size: int, mask_size: int) -> np.ndarray:
    """Share of each cell that each pixel covers along one axis: (mask_size, length) float64."""
    cell = image_size / mask_size
    cells = np.arange(mask_size)[:, None] * cell
    pixels = np.arange(length)[None] * (resized / length)
    covered = np.minimum(cells + cell, pixels + resized / length) - np.maximum(cells, pixels)
    share = np.clip(covered, 0, None) / cell
    share.setflags(write=False)
    return share
