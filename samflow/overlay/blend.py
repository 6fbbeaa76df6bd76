"""Colour the regions of a label map over a frame."""

import re
from collections.abc import Mapping
from functools import lru_cache

import cv2
import numpy as np

from samflow.errors import SamflowError, check_image
from samflow.masks import resize_labels
from samflow.prompts import region_color

# An outline is drawn 1 px wide per this many pixels of the picture's shorter side.
_PIXELS_PER_OUTLINE = 400
# Share of white in an outline's colour: pure blue is nearly as dark as a dark film.
_OUTLINE_WHITE = 0.3


def overlay_labels(
    image: np.ndarray,
    labels: np.ndarray,
    colors: Mapping[int, str] | None = None,
    alpha: float = 0.5,
    outline: bool = True,
) -> np.ndarray:
    """Draw a label map over a frame.

    Parameters
    ----------
    image : (H, W, 3) uint8
        RGB.
    labels : (H, W) uint8
        Label map; label 0 stays as it is in the image.
    colors : mapping of label to "#rrggbb", optional
        A label that is not in it has the colour of `samflow.prompts.region_color`.
    alpha : float
        Opacity of the colours, 0 (only outlines) to 1.
    outline : bool
        Draw the regions' borders, inside of the regions, in a lighter tone of their colours. The
        width follows the picture's size: 1 px up to 600 px, 3 px for 1080.

    Returns
    -------
    (H, W, 3) uint8
        RGB, a copy.

    Raises
    ------
    SamflowError
        For arrays of another shape or type, a colour that is not "#rrggbb", or alpha outside
        of 0 to 1.

    Examples
    --------
    >>> image = np.full((4, 4, 3), 100, np.uint8)
    >>> labels = np.zeros((4, 4), np.uint8)
    >>> labels[:, 2:] = 2
    >>> overlay_labels(image, labels, {2: "#c80000"}, outline=False)[0, 1:3].tolist()
    [[100, 100, 100], [150, 50, 50]]
    """
    check_picture(image, labels)
    if not 0.0 <= alpha <= 1.0:
        raise SamflowError(f"alpha must be 0 to 1, got {alpha}.")
    fills, borders = _color_tables(tuple(sorted((colors or {}).items())))
    labels = np.ascontiguousarray(labels)
    out = np.array(image, order="C")
    # one saturated uint8 blend of the whole frame, copied where there is a region
    blended = cv2.addWeighted(cv2.applyColorMap(labels, fills), alpha, out, 1.0 - alpha, 0.0)
    cv2.copyTo(blended, labels, out)
    if outline:
        width = max(1, round(min(labels.shape) / _PIXELS_PER_OUTLINE))
        cv2.copyTo(cv2.applyColorMap(labels, borders), inner_border(labels, width), out)
    return out


def overlay_scaled(
    image: np.ndarray,
    labels: np.ndarray,
    panel: np.ndarray,
    colors: Mapping[int, str],
    alpha: float,
) -> np.ndarray:
    """Draw the label map of `image` over `panel`, the same image at another size.

    Scaled before drawing, so that outlines are as sharp as the panel.
    """
    check_picture(image, labels)
    return overlay_labels(panel, resize_labels(labels, panel.shape[:2]), colors, alpha)


def check_picture(image: np.ndarray, labels: np.ndarray) -> None:
    """Raise SamflowError unless image is (H, W, 3) uint8 and labels is (H, W) uint8."""
    check_image(image)
    if labels.dtype != np.uint8 or labels.shape != image.shape[:2]:
        raise SamflowError(
            f"expected labels {image.shape[:2]} uint8 for an image of that size, "
            f"got {labels.shape} {labels.dtype}."
        )


def color_to_rgb(color: str) -> tuple[int, int, int]:
    """Red, green, blue 0 to 255 of "#rrggbb"."""
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", color):
        raise SamflowError(f'a colour is "#rrggbb", got {color!r}.')
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def outline_rgb(color: str) -> tuple[int, int, int]:
    """Colour of the outline of a region that is filled with `color`."""
    red, green, blue = (round(c + (255 - c) * _OUTLINE_WHITE) for c in color_to_rgb(color))
    return red, green, blue


@lru_cache(maxsize=32)
def _color_tables(colors: tuple[tuple[int, str], ...]) -> tuple[np.ndarray, np.ndarray]:
    """Fill and outline colour of each label, (256, 1, 3) uint8 each."""
    named = dict(colors)
    fills = np.zeros((256, 1, 3), np.uint8)
    borders = np.zeros((256, 1, 3), np.uint8)
    for label in range(1, 256):
        color = named.get(label) or region_color(label)
        fills[label, 0] = color_to_rgb(color)
        borders[label, 0] = outline_rgb(color)
    return fills, borders


def inner_border(labels: np.ndarray, width: int) -> np.ndarray:
    """Mask (H, W) uint8, not 0 on pixels of a region within `width` px of another label."""
    box = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    # within the box the label is either alone, or the largest or smallest one differs from it
    border = cv2.compare(cv2.dilate(labels, box), cv2.erode(labels, box), cv2.CMP_NE)
    region = cv2.threshold(labels, 0, 255, cv2.THRESH_BINARY)[1]
    return np.asarray(cv2.bitwise_and(border, region))
