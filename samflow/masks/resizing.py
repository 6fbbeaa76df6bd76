"""Label maps at another size."""

import cv2
import numpy as np


def resize_labels(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a label map: each pixel takes the label at the same place in the frame.

    Parameters
    ----------
    labels : ndarray
        (H, W) uint8.
    size : tuple of int
        (H, W) of the result.

    Returns
    -------
    ndarray
        uint8 of that size.

    Notes
    -----
    Nearest neighbour between pixel centres. OpenCV's plain `INTER_NEAREST` takes the corners of
    pixels instead: masks wander up and to the left by up to half a pixel of the smaller size.

    Examples
    --------
    >>> labels = np.repeat(np.array([[1, 2, 3]], np.uint8), 3, axis=1)
    >>> labels.tolist(), resize_labels(labels, (1, 3)).tolist()
    ([[1, 1, 1, 2, 2, 2, 3, 3, 3]], [[1, 2, 3]])
    """
    if labels.shape == size:
        return labels
    return np.asarray(cv2.resize(labels, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT))
