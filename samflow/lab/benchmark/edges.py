"""Edges looked at closely: the same few threads in the truth and under several strategies."""

from collections.abc import Mapping

import cv2
import numpy as np

from samflow.overlay import PanelGrid, overlay_labels

# Part of the frame that is shown, and how many times its size
_SHARE, ZOOM = 4, 4


def draw_edges(
    image: np.ndarray,
    truth: np.ndarray | None,
    results: Mapping[str, np.ndarray],
    colors: Mapping[int, str] | None = None,
) -> np.ndarray:
    """Draw a quarter of a frame's width and height, four times as large, with outlines of regions.

    Parameters
    ----------
    image : ndarray
        (H, W, 3) uint8 RGB.
    truth : ndarray or None
        (H, W) uint8 label map, where it is known.
    results : mapping of title to (H, W) uint8
        Label maps to compare. The part shown is the one with most edges of the truth, or without
        one of the first result.
    colors : mapping of label to "#rrggbb", optional

    Returns
    -------
    ndarray
        RGB uint8: panels of the frame alone, the truth, and each result.
    """
    known = {} if truth is None else {"truth": truth}
    panels = {"frame": np.zeros(image.shape[:2], np.uint8), **known, **results}
    rows, columns = _busiest(list(panels.values())[1])
    part = _zoom(image[rows, columns], cv2.INTER_CUBIC)
    pictures = [
        overlay_labels(part, _zoom(labels[rows, columns], cv2.INTER_NEAREST), colors, alpha=0.25)
        for labels in panels.values()
    ]
    return PanelGrid(list(panels), part.shape[:2]).compose(pictures)


def _busiest(labels: np.ndarray) -> tuple[slice, slice]:
    """The part of a frame that holds most edges."""
    height, width = (side // _SHARE for side in labels.shape)
    edges = np.zeros(labels.shape, np.float32)
    edges[:-1] += labels[1:] != labels[:-1]
    edges[:, :-1] += labels[:, 1:] != labels[:, :-1]
    sums = cv2.boxFilter(edges, -1, (width, height), anchor=(0, 0), normalize=False)
    inside = sums[: labels.shape[0] - height + 1, : labels.shape[1] - width + 1]
    top, left = np.unravel_index(int(inside.argmax()), inside.shape)
    return slice(int(top), int(top) + height), slice(int(left), int(left) + width)


def _zoom(array: np.ndarray, way: int) -> np.ndarray:
    return np.asarray(cv2.resize(array, None, fx=ZOOM, fy=ZOOM, interpolation=way))
