"""Between logits, label maps, boxes and masks."""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from samflow.errors import SamflowError

# what is worked on at once then fits into a processor's cache
_ROWS = 32


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
    labels = np.zeros(planes.shape[1:], np.uint8)
    # region by region and a few rows at a time: several times faster than argmax across the planes
    for start in range(0, len(labels), _ROWS):
        rows = slice(start, start + _ROWS)
        _merge(labels[rows], planes[:, rows], values, threshold)
    return without_labels(labels, background)


def _merge(labels: np.ndarray, planes: np.ndarray, values: np.ndarray, threshold: float) -> None:
    """Write the label of the highest plane above the threshold into `labels`, 0 until now."""
    highest = np.full(labels.shape, threshold, np.result_type(planes, np.float32))
    higher = np.empty(labels.shape, bool)
    for value, plane in zip(values.astype(np.uint8), planes, strict=True):
        np.greater(plane, highest, out=higher)
        np.copyto(labels, value, where=higher)
        np.maximum(highest, plane, out=highest)


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
    kept = np.arange(256, dtype=np.uint8)
    kept[list(ids)] = 0
    return cv2.LUT(labels, kept)


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
    """One mask per label.

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
