"""A baseline: GrabCut, prompted from frame to frame as SAM is."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from samflow.masks import labels_to_boxes, resize_labels
from samflow.strategies.base import Frame, FromLatest

if TYPE_CHECKING:
    from samflow.strategies.build import Parts

# How far beyond its box of the frame before a region may grow, as a share of the frame's height
_GROWTH = 0.05
_ITERATIONS = 1
# Pictures are cut at this height at most: the cost of a cut grows faster than its pixels
_MAX_HEIGHT = 270


class GrabCutStrategy(FromLatest):
    """Cut out each region by colours and edges, prompted by its box and mask of the frame before.

    Notes
    -----
    A region's mask is likely foreground, the rest of its box, widened by 5 % of the frame's height,
    likely background, and all else background for sure (Rother, Kolmogorov and Blake, "GrabCut",
    ACM Trans. Graph. 23, 2004). A pixel that several regions claim goes to the one whose mask of
    the frame before is nearest. Frames higher than 270 px are cut at that height. A label with no
    pixel gets no prompt and stays away.
    """

    name = "grabcut"

    def advance(self, frame: Frame, labels: np.ndarray) -> np.ndarray:
        """Cut every region of the latest label map out of the frame."""
        height, width = labels.shape
        if height <= _MAX_HEIGHT:
            return cut_regions(frame.image, labels)
        small = (_MAX_HEIGHT, max(1, round(width * _MAX_HEIGHT / height)))
        image = cv2.resize(frame.image, small[::-1], interpolation=cv2.INTER_AREA)
        return resize_labels(cut_regions(image, resize_labels(labels, small)), (height, width))


def cut_regions(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Cut every region of a label map out of a frame again.

    Parameters
    ----------
    image : ndarray
        (H, W, 3) uint8 RGB.
    labels : ndarray
        (H, W) uint8, background regions included.

    Returns
    -------
    ndarray
        (H, W) uint8 label map.
    """
    ids = [int(i) for i in np.unique(labels) if i != 0]
    claims = {
        label: _cut(image, labels == label, box)
        for label, box in labels_to_boxes(labels, ids).items()
        if box is not None
    }
    return settle_claims(claims, labels)


def settle_claims(claims: Mapping[int, NDArray[np.bool_]], before: np.ndarray) -> np.ndarray:
    """Give each claimed pixel to the region whose mask of the frame before is nearest.

    Parameters
    ----------
    claims : mapping of label to (H, W) array of bool
        What each region takes for its own.
    before : ndarray
        (H, W) uint8 label map of the frame before; every label of `claims` is in it.

    Returns
    -------
    ndarray
        (H, W) uint8 label map; 0 where no region claims.

    Examples
    --------
    >>> everything = np.ones((1, 5), bool)
    >>> settle_claims({1: everything, 2: everything}, np.array([[1, 0, 0, 0, 2]], np.uint8))
    array([[1, 1, 1, 2, 2]], dtype=uint8)
    """
    result = np.zeros_like(before)
    nearest = np.full(before.shape, np.inf, np.float32)
    for label, claimed in claims.items():
        elsewhere = (before != label).astype(np.uint8)
        distance = cv2.distanceTransform(elsewhere, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        wins = claimed & (distance < nearest)
        result[wins], nearest[wins] = label, distance[wins]
    return result


def _cut(image: np.ndarray, mask: NDArray[np.bool_], box: list[int]) -> NDArray[np.bool_]:
    """Foreground of one region; its mask as it is where there is nothing to tell it from."""
    height, width = mask.shape
    grow = max(1, round(_GROWTH * height))
    x0, y0, x1, y1 = box
    window = np.s_[max(0, y0 - grow) : y1 + grow, max(0, x0 - grow) : x1 + grow]
    trimap = np.full((height, width), cv2.GC_BGD, np.uint8)
    trimap[window] = cv2.GC_PR_BGD
    trimap[mask] = cv2.GC_PR_FGD
    if mask.all():
        return mask
    # OpenCV draws the first clusters of its colour models from a global generator
    cv2.setRNGSeed(0)
    behind, front = np.zeros((1, 65)), np.zeros((1, 65))  # OpenCV's models of the colours
    whole = (0, 0, width, height)  # not looked at: the trimap says more
    cv2.grabCut(image, trimap, whole, behind, front, _ITERATIONS, cv2.GC_INIT_WITH_MASK)
    return np.asarray((trimap == cv2.GC_PR_FGD) | (trimap == cv2.GC_FGD), dtype=bool)


def build_grabcut(name: str, parts: "Parts") -> GrabCutStrategy:
    """GrabCut, which needs no model."""
    return GrabCutStrategy()
