"""Two label maps of one frame, reached from two sides, joined into one."""

import cv2
import numpy as np

# A pixel this far inside of a region, px, is as sure of it as can be
_SURE = 8
# Depths and shares count in whole steps: the last bit of a distance is not the same on each call,
# and half way between two given frames it would decide ties
_STEPS = 256


def join_label_maps(left: np.ndarray, right: np.ndarray, share: float) -> np.ndarray:
    """Join what two passes say about a frame that lies between their given frames.

    Parameters
    ----------
    left, right : ndarray
        (H, W) uint8 label maps.
    share : float
        How far the frame is on the way from the left pass's given frame, 0, to the right one's, 1.

    Returns
    -------
    ndarray
        (H, W) uint8. Where both agree, what both say; elsewhere the label, background included,
        with the largest mean depth: the distance to the region's edge in px, at most 8, positive
        inside and negative outside, weighed 1 - share and share. A pass counts the more, the
        nearer its given frame is, and the farther from its own edge it says so.

    Notes
    -----
    Along the way from one frame to the other an edge thus moves steadily from where one pass has
    it to where the other has it, as in shape-based interpolation (Raya and Udupa, IEEE Trans. Med.
    Imaging 9, 32, 1990), and what only one pass has at all goes over by and by, not at once.

    Examples
    --------
    >>> left, right = np.array([[1, 1, 0, 0, 0, 0]], np.uint8), np.array([[1] * 6], np.uint8)
    >>> [join_label_maps(left, right, share).tolist()[0] for share in (0, 0.3, 1)]
    [[1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1]]
    """
    joined = left.copy()
    rows, columns = np.nonzero(left != right)
    if not len(rows):
        return joined
    margin = _SURE + 1
    window = np.s_[
        max(0, rows.min() - margin) : rows.max() + margin + 1,
        max(0, columns.min() - margin) : columns.max() + margin + 1,
    ]
    one, other = left[window], right[window]
    labels = np.union1d(one, other)
    weight = round(share * _STEPS)
    depths = np.stack(
        [(_STEPS - weight) * _depth(one, i) + weight * _depth(other, i) for i in labels]
    )
    joined[window] = np.where(one == other, one, labels[depths.argmax(axis=0)])
    return joined


def _depth(labels: np.ndarray, label: int) -> np.ndarray:
    """Distance to the label's edge, (H, W) int32 in 1/256 px, from -8 to 8 px, positive inside."""
    inside = (labels == label).astype(np.uint8)
    if inside.all() or not inside.any():
        return np.where(inside, _SURE * _STEPS, -_SURE * _STEPS).astype(np.int32)
    within = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    without = cv2.distanceTransform(1 - inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.rint(_STEPS * np.clip(within - without, -_SURE, _SURE)).astype(np.int32)
