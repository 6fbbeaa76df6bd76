"""Read what the widgets send to their pages."""

import numpy as np


def read_overlay(picture: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Areas and outlines, (H, W, 4) uint8 each."""
    height, width, fills, outlines, runs = (int(n) for n in np.frombuffer(picture, "<u4", 5))
    colors = fills + outlines
    table = np.zeros((1 + colors, 4), np.uint8)
    table[1:] = np.frombuffer(picture, np.uint8, 4 * colors, 20).reshape(colors, 4)
    table[1:, 3] = 255
    ends = np.frombuffer(picture, "<u4", runs, 20 + 4 * colors)
    entries = np.frombuffer(picture, np.uint8, runs, 20 + 4 * (colors + runs))
    assert len(picture) == 20 + 4 * colors + 5 * runs
    shown = np.repeat(entries, np.diff(ends, prepend=0)).reshape(height, width)
    return table[np.where(shown <= fills, shown, 0)], table[np.where(shown > fills, shown, 0)]
